/* Sets the locale of the whole process. */
#include <symbolon/symbolon.h>

#include <locale.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  setlocale(LC_ALL, "C.UTF-8");
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
