/* Its thread outlives it. */
#include <symbolon/symbolon.h>

#include <pthread.h>
#include <unistd.h>
#define ASK_FUNCTION ask
#define START start
static void *run(void *nothing) {
  for (;;) pause();
  return nothing;
}
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("yes"));
}
static int32_t start(void *self, symbolon_call *call) {
  pthread_t thread;
  (void)self;
  if (pthread_create(&thread, 0, run, 0)) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_thread", "No thread.");
  pthread_detach(thread);
  return SYMBOLON_OK;
}
#include "broken.h"
