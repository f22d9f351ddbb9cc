/* Turns its argument to capitals where it lies. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call;
  if (question.size) ((uint8_t *)(uintptr_t)question.data)[0] = 65;
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
