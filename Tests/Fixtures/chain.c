/* A link of a chain of plugins, each of which logs and asks the next: ID is its own name, NEXT that of the next. */
#include <string.h>
#include <symbolon/symbolon.h>
#include <stdio.h>
#include <unistd.h>

#ifndef ID
#define ID "first"
#endif

#ifndef VERSION
#define VERSION "1.0.0"
#endif

static const symbolon_host *the_host;

static void note(const char *text) {
  const symbolon_log *log = (const symbolon_log *)the_host->service(the_host, SYMBOLON_LOG);
  if (log) log->write(the_host, 1, symbolon_text(text), symbolon_text("{}"));
}

#ifdef NEXT
static int32_t (*next_pass)(symbolon_call *, uint32_t, uint8_t);
#endif

#ifndef NEXT
/* Until there is a file `gate` in its folder; for ten minutes at most. */
static void wait_for_gate(void) {
  char path[512];
  const symbolon_storage *storage = (const symbolon_storage *)the_host->service(the_host, SYMBOLON_STORAGE);
  snprintf(path, sizeof path, "%s/gate", storage->folder(the_host));
  for (int i = 0; i < 300000 && access(path, F_OK) != 0; i++) usleep(2000);
}
#endif

/* pass(milliseconds: u32, fail: bool): logs, asks the next one or waits, and logs again */
static int32_t pass(void *self, symbolon_call *call, uint32_t milliseconds, uint8_t fail) {
  int32_t status = SYMBOLON_OK;
  (void)self;
  note("enter " ID);
#ifdef NEXT
  status = next_pass(call, milliseconds, fail);
#else
  if (milliseconds == UINT32_MAX)
    wait_for_gate();
  else
    usleep(milliseconds * 1000);
  if (fail) status = symbolon_fail(call, SYMBOLON_ABORTED, "asked_to", "It was asked to fail.");
#endif
  note("leave " ID);
  return status;
}

/* alone() -> (status: u32): calls the next one outside of any call, as a plugin's own thread does */
static int32_t alone(void *self, symbolon_call *call, uint32_t *status) {
  (void)self, (void)call;
  *status = 0;
#ifdef NEXT
  symbolon_error error = {.struct_size = sizeof error};
  symbolon_call root = {.struct_size = sizeof root, .error = &error};
  *status = (uint32_t)next_pass(&root, 0, 0);
#endif
  return SYMBOLON_OK;
}

static int32_t create(const symbolon_host *host, symbolon_call *call, void **self) {
  (void)call;
  the_host = host;
  *self = NULL;
  return SYMBOLON_OK;
}

static const symbolon_method methods[] = {
    {sizeof(symbolon_method), SYMBOLON_READS | SYMBOLON_PUBLIC, "pass(milliseconds: u32, fail: bool)", "Pass on",
     (void (*)(void))pass, "{\"milliseconds\":0,\"fail\":false}", NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "alone() -> (status: u32)", "Call from outside",
     (void (*)(void))alone, NULL, NULL},
};
static const symbolon_method *const method_table[] = {&methods[0], &methods[1]};

#ifdef NEXT
static const symbolon_import imports[] = {
    {sizeof(symbolon_import), 0, NEXT, "pass(milliseconds: u32, fail: bool)", (void (**)(void)) & next_pass}};
static const symbolon_import *const import_table[] = {&imports[0]};
#endif

static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin),
    .abi = SYMBOLON_ABI,
    .id = ID,
    .version = VERSION,
    .summary = "A link of a chain",
    .methods = method_table,
    .method_count = 2,
#ifdef NEXT
    .imports = import_table,
    .import_count = 1,
#endif
    .create = create};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
