/* Leaves a message without its terminating zero. */
#include <symbolon/symbolon.h>

#include <string.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)question, (void)answer;
  call->error->status = SYMBOLON_INTERNAL;
  memset(call->error->message, 42, SYMBOLON_ERROR_MESSAGE_MAX);
  return SYMBOLON_INTERNAL;
}
#include "broken.h"
