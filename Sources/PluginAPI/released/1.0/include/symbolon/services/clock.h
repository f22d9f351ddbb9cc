#ifndef SYMBOLON_SERVICES_CLOCK_H
#define SYMBOLON_SERVICES_CLOCK_H
/* Time. Never used in a transition: consensus code has no clock. */
#include "../host.h"

#define SYMBOLON_CLOCK "symbolon.clock/1"

typedef struct symbolon_clock {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t (*unix_ms)(const symbolon_host *host);      /* since 1970-01-01 UTC [any] */
  uint64_t (*monotonic_ns)(const symbolon_host *host); /* never goes back; the clock of deadlines [any] */
} symbolon_clock;
#endif
