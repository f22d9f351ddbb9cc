/* Returns errno as its status. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)question, (void)answer;
  return symbolon_fail(call, 110, "timed_out", "It took too long.");
}
#include "broken.h"
