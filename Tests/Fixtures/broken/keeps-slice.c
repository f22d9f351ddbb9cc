/* Keeps a pointer to its argument and looks at it in the next call. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static symbolon_slice last;
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  uint8_t first = last.size ? last.data[0] : 63;
  (void)self, (void)call;
  last = question;
  return answer->write(answer, first ? symbolon_text("yes") : symbolon_text("no"));
}
#include "broken.h"
