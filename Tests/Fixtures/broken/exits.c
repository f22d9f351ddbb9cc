/* Ends the process when it does not know an answer. */
#include <symbolon/symbolon.h>

#include <stdlib.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question, (void)answer;
  exit(0);
}
#include "broken.h"
