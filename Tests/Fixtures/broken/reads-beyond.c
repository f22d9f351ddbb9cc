/* Takes its argument for a text that ends with a zero. */
#include <symbolon/symbolon.h>

#include <string.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  uint64_t length = 0;
  (void)self, (void)call;
  while (question.data && question.data[length]) length++;
  return answer->write(answer, length > 3 ? symbolon_text("yes") : symbolon_text("no"));
}
#include "broken.h"
