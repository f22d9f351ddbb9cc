/* Writes its one result in two messages. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  answer->write(answer, symbolon_text("ye"));
  return answer->write(answer, symbolon_text("s"));
}
#include "broken.h"
