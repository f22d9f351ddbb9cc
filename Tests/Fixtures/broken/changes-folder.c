/* Changes the working folder of the whole process. */
#include <symbolon/symbolon.h>

#include <unistd.h>
#define ASK_FUNCTION ask
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  if (chdir("/")) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_folder", "No folder.");
  return answer->write(answer, symbolon_text("yes"));
}
#include "broken.h"
