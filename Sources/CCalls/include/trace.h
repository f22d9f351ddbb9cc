/* The trace id of the call that runs on this thread. */
#ifndef SYMBOLON_CCALLS_TRACE_H
#define SYMBOLON_CCALLS_TRACE_H
#include <stdint.h>

#define SYMBOLON_TRACE_BYTES 16

/* The id of the running call, or NULL. OWNERSHIP: the call's, valid until it returns. */
const uint8_t *symbolon_trace_current(void);

/* Makes `id` (or NULL) the thread's; gives back what was there, to be put back when the call has returned. */
const uint8_t *symbolon_trace_swap(const uint8_t *id);

/* Fills an id that no other call of this process has: the running call's when there is one, else a fresh one. */
void symbolon_trace_fill(uint8_t *id);
#endif
