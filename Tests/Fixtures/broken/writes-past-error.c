/* Fills the error slot with more text than it holds. */
#include <symbolon/symbolon.h>

#include <string.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)question, (void)answer;
  call->error->status = SYMBOLON_NOT_FOUND;
  memset(call->error->message, 0, SYMBOLON_ERROR_MESSAGE_MAX);
  memset(call->error->code, 0, SYMBOLON_ERROR_CODE_MAX + SYMBOLON_ERROR_MESSAGE_MAX + 16);
  return SYMBOLON_NOT_FOUND;
}
#include "broken.h"
