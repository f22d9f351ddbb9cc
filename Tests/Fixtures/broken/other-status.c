/* Returns one status and writes another into the slot. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)question, (void)answer;
  symbolon_fail(call, SYMBOLON_NOT_FOUND, "no_answer", "Nobody knows.");
  return SYMBOLON_INTERNAL;
}
#include "broken.h"
