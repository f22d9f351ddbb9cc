/* Which calls run now, for the one question that an operator has when a plugin does not come to rest. */
#ifndef SYMBOLON_CCALLS_RUNNING_H
#define SYMBOLON_CCALLS_RUNNING_H
#include <stdint.h>

/* One call that runs. */
typedef struct symbolon_running {
  const void *method;  /* what enter was given */
  uint64_t start;      /* ticks */
  char caller[72];     /* a plugin's id; empty when no plugin calls */
} symbolon_running;

/* Notes a call on this thread: three stores into memory of the thread's own. `method` is only compared, never read;
   `caller` (or NULL) as long as the call. */
void symbolon_running_enter(const void *method, const char *caller, uint64_t start);

/* The last noted call of this thread has returned. */
void symbolon_running_leave(void);

/* Copies what runs on all threads, at most `limit` rows; a call that begins or ends meanwhile may be missing. */
uint32_t symbolon_running_list(symbolon_running *rows, uint32_t limit);
#endif
