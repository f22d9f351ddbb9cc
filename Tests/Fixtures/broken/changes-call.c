/* Writes into the call that its caller owns. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)question;
  call->transaction = 7;
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
