/* Sets an environment variable. */
#include <symbolon/symbolon.h>

#define _GNU_SOURCE
#include <stdlib.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  setenv("ANSWER", "yes", 1);
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
