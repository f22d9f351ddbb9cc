/* Leaves a file open. */
#include <symbolon/symbolon.h>

#include <fcntl.h>
#define ASK_FUNCTION ask
#define START start
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("yes"));
}
static int32_t start(void *self, symbolon_call *call) {
  (void)self;
  if (open("/dev/zero", O_RDONLY) < 0) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_file", "No file.");
  return SYMBOLON_OK;
}
#include "broken.h"
