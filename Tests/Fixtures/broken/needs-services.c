/* Takes a service for granted. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
#define CREATE create
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("yes"));
}
static int32_t create(const symbolon_host *host, symbolon_call *call, void **self) {
  const symbolon_log *log = (const symbolon_log *)host->service(host, "symbolon.log/1");
  (void)call, (void)self;
  log->write(host, SYMBOLON_LOG_INFO, symbolon_text("here I am"), symbolon_text(""));
  return SYMBOLON_OK;
}
#include "broken.h"
