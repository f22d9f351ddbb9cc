/* Fails without a word. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question, (void)answer;
  return SYMBOLON_INTERNAL;
}
#include "broken.h"
