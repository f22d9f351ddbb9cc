/* What the broken plugins share: a plugin with one method, `ask`, that each of them gets wrong in its own way. */
#ifndef BROKEN_H
#define BROKEN_H
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <symbolon/symbolon.h>
#include <unistd.h>

#ifndef SIGNATURE
#define SIGNATURE "ask(question: text) -> (answer: text)"
#endif
#ifndef FLAGS
#define FLAGS 0
#endif

static const symbolon_method ask_method = {sizeof(symbolon_method),      FLAGS, SIGNATURE, "Ask",
                                           (void (*)(void))ASK_FUNCTION, 0,     0,         0,
                                           0};
static const symbolon_method *const methods[] = {&ask_method};

#ifndef CREATE
#define CREATE 0
#endif
#ifndef START
#define START 0
#endif
#ifndef DESTROY
#define DESTROY 0
#endif
#ifndef EXTENSION
#define EXTENSION 0
#endif

static const symbolon_plugin plugin = {
    sizeof(symbolon_plugin), SYMBOLON_ABI, 0, 0, "broken", "1.0.0", "Broken on purpose", methods, 0, 1, 0, CREATE, START,
    0, DESTROY, EXTENSION};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
#endif
