/* Waits for something that never comes. */
#include <symbolon/symbolon.h>

#include <unistd.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question, (void)answer;
  for (;;) pause();
  return SYMBOLON_OK;
}
#include "broken.h"
