/* Writes to standard output. */
#include <symbolon/symbolon.h>

#include <stdio.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  printf("somebody asked\n");
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
