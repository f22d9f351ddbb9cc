/* Goes on when the receiver has gone away. */
#include <symbolon/symbolon.h>

#define SIGNATURE "ask(question: text) -> (answers: stream<text>)"
#define FLAGS SYMBOLON_STREAMS
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  for (int i = 0; i < 100; i++) answer->write(answer, symbolon_text("yes"));
  return SYMBOLON_OK;
}
#include "broken.h"
