/* Its destroy forgets what create made. */
#include <symbolon/symbolon.h>

#include <stdlib.h>
#define ASK_FUNCTION ask
#define CREATE create
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("yes"));
}
static int32_t create(const symbolon_host *host, symbolon_call *call, void **self) {
  (void)host, (void)call;
  *self = malloc(100);
  return *self ? SYMBOLON_OK : SYMBOLON_RESOURCE_EXHAUSTED;
}
#include "broken.h"
