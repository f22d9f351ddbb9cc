/* Writes its result on a thread of its own. */
#include <symbolon/symbolon.h>

#include <pthread.h>
#define ASK_FUNCTION ask
static void *run(void *sink) {
  symbolon_sink *answer = (symbolon_sink *)sink;
  answer->write(answer, symbolon_text("yes"));
  return 0;
}
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  pthread_t thread;
  (void)self, (void)call, (void)question;
  if (pthread_create(&thread, 0, run, answer)) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_thread", "No thread.");
  pthread_join(thread, 0);
  return SYMBOLON_OK;
}
#include "broken.h"
