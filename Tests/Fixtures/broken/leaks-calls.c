/* A method that only reads keeps a little memory each time. */
#include <symbolon/symbolon.h>

#include <stdlib.h>
#define FLAGS SYMBOLON_READS
#define ASK_FUNCTION ask
static void *volatile last;
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  last = malloc(48);
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
