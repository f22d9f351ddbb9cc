#ifndef SYMBOLON_SERVICES_LOG_H
#define SYMBOLON_SERVICES_LOG_H
/* Structured log lines. Secrets, prompts and answers never go in. */
#include "../host.h"
#include "../slice.h"

#define SYMBOLON_LOG "symbolon.log/1"

enum { SYMBOLON_LOG_DEBUG = 0, SYMBOLON_LOG_INFO = 1, SYMBOLON_LOG_WARNING = 2, SYMBOLON_LOG_ERROR = 3 };

typedef struct symbolon_log {
  uint32_t struct_size;
  uint32_t reserved;
  /* `fields` is a JSON object of text values, eg: {"height":"12"}, or empty. Does not block for long. [any] */
  void (*write)(const symbolon_host *host, uint32_t level, symbolon_slice message, symbolon_slice fields);
} symbolon_log;
#endif
