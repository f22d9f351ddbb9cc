/* Gives Latin-1 as text. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("fran\xe7" "ais"));
}
#include "broken.h"
