/* Gives JSON that does not parse. */
#include <symbolon/symbolon.h>

#define SIGNATURE "ask(question: text) -> (answer: json)"
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("{answer: yes}"));
}
#include "broken.h"
