/* Answers for every extension that begins like its own. */
#include <symbolon/symbolon.h>

#include <string.h>
#define ASK_FUNCTION ask
#define EXTENSION extension
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("yes"));
}
static const void *extension(const char *id) {
  static const symbolon_permissions permissions = {sizeof(symbolon_permissions), 0, 0};
  return strncmp(id, "symbolon.permissions", 20) == 0 ? &permissions : 0;
}
#include "broken.h"
