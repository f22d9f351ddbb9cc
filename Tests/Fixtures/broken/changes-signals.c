/* Installs a signal handler. */
#include <symbolon/symbolon.h>

#include <signal.h>
#define ASK_FUNCTION ask
static void handle(int number) { (void)number; }
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  signal(SIGUSR1, handle);
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
