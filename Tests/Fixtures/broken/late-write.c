/* Writes once more after it has returned. */
#include <symbolon/symbolon.h>

#include <pthread.h>
#include <unistd.h>
#define ASK_FUNCTION ask
static void *run(void *sink) {
  symbolon_sink *answer = (symbolon_sink *)sink;
  usleep(3000);
  answer->write(answer, symbolon_text("and another thing"));
  return 0;
}
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  pthread_t thread;
  (void)self, (void)call, (void)question;
  if (pthread_create(&thread, 0, run, answer)) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_thread", "No thread.");
  pthread_detach(thread);
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
