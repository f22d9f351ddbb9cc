#define _GNU_SOURCE /* getrandom */
#include "trace.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Functions and not inline code: a copy of the variable in each module would be another variable. */
static _Thread_local const uint8_t *current;

const uint8_t *symbolon_trace_current(void) { return current; }

const uint8_t *symbolon_trace_swap(const uint8_t *id) {
  const uint8_t *before = current;
  current = id;
  return before;
}

/* The finaliser of splitmix64: every bit of the counter reaches every bit of the result. */
static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

static _Atomic uint64_t origin, counter;

void symbolon_trace_fill(uint8_t *id) {
  if (current) {
    memcpy(id, current, SYMBOLON_TRACE_BYTES);
    return;
  }
  uint64_t seed = atomic_load_explicit(&origin, memory_order_relaxed);
  if (!seed) {
    uint64_t fresh = 0, none = 0;
    if (getrandom(&fresh, sizeof fresh, GRND_NONBLOCK) != sizeof fresh || !fresh) fresh = (uint64_t)time(NULL) | 1;
    if (atomic_compare_exchange_strong(&origin, &none, fresh)) none = fresh;
    seed = none;
  }
  uint64_t number = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
  uint64_t halves[2] = {mix(seed + number * 0x9e3779b97f4a7c15u), mix(~seed ^ number)};
  if (!halves[0] && !halves[1]) halves[0] = 1; /* All zero means that there is none. */
  memcpy(id, halves, sizeof halves);
}
