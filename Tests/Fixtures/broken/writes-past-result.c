/* Writes eight bytes where its result has four: what lies behind belongs to the caller. */
#include <symbolon/symbolon.h>

#define SIGNATURE "ask(question: text) -> (count: u32)"
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, uint64_t *count) {
  (void)self, (void)call;
  *count = question.size;
  return SYMBOLON_OK;
}
#include "broken.h"
