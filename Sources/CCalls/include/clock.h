/* A clock for durations: the processor's counter where it ticks evenly, else the system's monotonic clock. */
#ifndef SYMBOLON_CCALLS_CLOCK_H
#define SYMBOLON_CCALLS_CLOCK_H
#include <stdint.h>

/* Compares the processor's counter with the monotonic clock for about a millisecond; once, before threads use it.
   Until then, and where the counter is not even, ticks are nanoseconds of the monotonic clock. */
void symbolon_ticks_prepare(void);

/* Now; only differences mean something. */
uint64_t symbolon_ticks_now(void);

/* Nanoseconds since `start`, 0 when the counter seems to have run backwards. */
uint64_t symbolon_ticks_since(uint64_t start);
#endif
