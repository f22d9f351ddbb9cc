#define _GNU_SOURCE /* clock_gettime; strict C11 hides it */
#include "clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

/* Nanoseconds a tick, times 2^32; 0 while ticks are nanoseconds. */
static _Atomic uint64_t scale;

static uint64_t monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)

/* The counter runs at one rate in all states of the processor. */
static int is_invariant(void) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d >> 8 & 1);
}

static uint64_t measure(uint64_t window_ns) {
  uint64_t start_ns = monotonic(), start = __rdtsc(), now_ns, now;
  do {
    now_ns = monotonic();
    now = __rdtsc();
  } while (now_ns - start_ns < window_ns);
  if (now <= start) return 0;
  return (uint64_t)(((unsigned __int128)(now_ns - start_ns) << 32) / (now - start));
}

static void prepare(void) {
  if (!is_invariant()) return;
  /* Another process may take the processor between the two readings: two windows must agree within 1 in 500. */
  for (int attempt = 0; attempt < 3; attempt++) {
    uint64_t first = measure(400000), second = measure(400000);
    uint64_t apart = first > second ? first - second : second - first;
    if (first && second && apart < first / 500) {
      atomic_store_explicit(&scale, (first + second) / 2, memory_order_relaxed);
      return;
    }
  }
}

/* Decided once: a duration that began in one unit must not end in the other. */
void symbolon_ticks_prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare);
}

uint64_t symbolon_ticks_now(void) {
  return atomic_load_explicit(&scale, memory_order_relaxed) ? __rdtsc() : monotonic();
}

#else

void symbolon_ticks_prepare(void) {}
uint64_t symbolon_ticks_now(void) { return monotonic(); }

#endif

uint64_t symbolon_ticks_since(uint64_t start) {
  uint64_t factor = atomic_load_explicit(&scale, memory_order_relaxed), now = symbolon_ticks_now();
  if (now <= start) return 0;
  return factor ? (uint64_t)(((unsigned __int128)(now - start) * factor) >> 32) : now - start;
}
