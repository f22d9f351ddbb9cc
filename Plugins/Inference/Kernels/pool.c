/* A pool that spins briefly before it sleeps: a step has some 180 barriers, and a token takes a few milliseconds. */
#define _GNU_SOURCE
#include "include/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SPINS_BEFORE_YIELD = 4000, SPINS_BEFORE_SLEEP = 20000, MOST_THREADS = 64 };

typedef struct worker {
  pthread_t thread;
  symbolon_pool *pool;
  int32_t index;
} worker;

struct symbolon_pool {
  int32_t threads;
  void (*work)(void *context, int32_t thread);
  void *context;
  _Alignas(64) atomic_uint job;     /* number of the current job; odd bits mean nothing, only change does */
  _Alignas(64) atomic_int running;  /* threads that have not finished it */
  _Alignas(64) atomic_int arrived;  /* threads at the barrier */
  _Alignas(64) atomic_uint phase;   /* number of barriers passed */
  _Alignas(64) atomic_int sleepers; /* workers that wait on `wake` */
  atomic_bool stopping;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  worker workers[MOST_THREADS];
};

static inline void relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Sets round-to-nearest-even without flush-to-zero; returns what was set before. */
static inline uint64_t enter_arithmetic(void) {
#if defined(__x86_64__)
  const uint32_t before = _mm_getcsr();
  _mm_setcsr(0x1f80);
  return before;
#elif defined(__aarch64__)
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return before;
#else
  return 0;
#endif
}

static inline void leave_arithmetic(uint64_t before) {
#if defined(__x86_64__)
  _mm_setcsr((uint32_t)before);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
  (void)before;
#endif
}

/* Waits until the job number changes: spins, then sleeps. Returns the new number. */
static unsigned await_job(symbolon_pool *pool, unsigned seen) {
  for (int32_t i = 0; i < SPINS_BEFORE_SLEEP; i++) {
    const unsigned job = atomic_load_explicit(&pool->job, memory_order_acquire);
    if (job != seen) return job;
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  unsigned job;
  while ((job = atomic_load(&pool->job)) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
  return job;
}

static void *worker_main(void *argument) {
  worker *self = argument;
  symbolon_pool *pool = self->pool;
  enter_arithmetic();
  unsigned seen = 0;
  for (;;) {
    seen = await_job(pool, seen);
    if (atomic_load(&pool->stopping)) return NULL;
    pool->work(pool->context, self->index);
    atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
  }
}

/* Publishes a new job number and wakes sleepers; both sides use sequential consistency, so no wake-up is lost. */
static void announce(symbolon_pool *pool) {
  atomic_fetch_add(&pool->job, 1);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
  }
}

int32_t symbolon_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  const int32_t count = CPU_COUNT(&set);
  return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : count;
}

symbolon_pool *symbolon_pool_create(int32_t threads) {
  if (threads < 1 || threads > MOST_THREADS) return NULL;
  symbolon_pool *pool = aligned_alloc(64, (sizeof(symbolon_pool) + 63) & ~(size_t)63);
  if (!pool) return NULL;
  pool->threads = threads;
  pool->work = NULL;
  pool->context = NULL;
  atomic_init(&pool->job, 0);
  atomic_init(&pool->running, 0);
  atomic_init(&pool->arrived, 0);
  atomic_init(&pool->phase, 0);
  atomic_init(&pool->sleepers, 0);
  atomic_init(&pool->stopping, false);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  for (int32_t i = 0; i < threads - 1; i++) {
    pool->workers[i] = (worker){.pool = pool, .index = i + 1};
    if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) != 0) {
      pool->threads = i + 1;
      symbolon_pool_destroy(pool);
      return NULL;
    }
  }
  return pool;
}

void symbolon_pool_destroy(symbolon_pool *pool) {
  if (!pool) return;
  atomic_store(&pool->stopping, true);
  announce(pool);
  for (int32_t i = 0; i < pool->threads - 1; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

int32_t symbolon_pool_threads(const symbolon_pool *pool) { return pool->threads; }

void symbolon_pool_run(symbolon_pool *pool, void (*work)(void *context, int32_t thread), void *context) {
  pool->work = work;
  pool->context = context;
  atomic_store_explicit(&pool->running, pool->threads - 1, memory_order_release);
  announce(pool);
  const uint64_t before = enter_arithmetic();
  work(context, 0);
  leave_arithmetic(before);
  for (int32_t i = 0; atomic_load_explicit(&pool->running, memory_order_acquire) > 0; i++) {
    if (i < SPINS_BEFORE_YIELD) relax();
    else sched_yield();
  }
}

void symbolon_pool_barrier(symbolon_pool *pool) {
  if (pool->threads == 1) return;
  const unsigned phase = atomic_load_explicit(&pool->phase, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) == pool->threads - 1) {
    atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->phase, phase + 1, memory_order_release);
    return;
  }
  for (int32_t i = 0; atomic_load_explicit(&pool->phase, memory_order_acquire) == phase; i++) {
    if (i < SPINS_BEFORE_YIELD) relax();
    else sched_yield();
  }
}
