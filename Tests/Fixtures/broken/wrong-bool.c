/* Gives 2 as a truth value. */
#include <symbolon/symbolon.h>

#define SIGNATURE "ask(question: text) -> (yes: bool)"
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, uint8_t *yes) {
  (void)self, (void)call, (void)question;
  *yes = 2;
  return SYMBOLON_OK;
}
#include "broken.h"
