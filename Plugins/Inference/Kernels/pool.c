/* A pool that spins briefly before it sleeps: a step has some 200 stages, and a token takes a few milliseconds. */
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

/* The door of a job: its number in the high half, the threads that entered in the low half; odd numbers are open. */
struct symbolon_pool {
  int32_t threads;
  void (*work)(void *context, int32_t thread);
  void *context;
  _Alignas(64) atomic_ullong door;
  _Alignas(64) atomic_uint left;    /* threads that entered the job and have returned from it */
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

static unsigned job_number(unsigned long long door) { return (unsigned)(door >> 32); }

/* An open job that this worker has not seen, or the end. */
static int news(symbolon_pool *pool, unsigned seen) {
  const unsigned job = job_number(atomic_load(&pool->door));
  return (job != seen && (job & 1)) || atomic_load(&pool->stopping);
}

/* Waits for news: spins, then sleeps. */
static void await_news(symbolon_pool *pool, unsigned seen) {
  for (int32_t i = 0; i < SPINS_BEFORE_SLEEP; i++) {
    if (news(pool, seen)) return;
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!news(pool, seen)) pthread_cond_wait(&pool->wake, &pool->lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *argument) {
  worker *self = argument;
  symbolon_pool *pool = self->pool;
  enter_arithmetic();
  unsigned seen = 0;
  for (;;) {
    await_news(pool, seen);
    if (atomic_load(&pool->stopping)) return NULL;
    unsigned long long door = atomic_load(&pool->door);
    if (!(job_number(door) & 1)) continue; /* closed before we came */
    if (!atomic_compare_exchange_strong(&pool->door, &door, door + 1)) continue;
    seen = job_number(door);
    pool->work(pool->context, self->index);
    atomic_fetch_add_explicit(&pool->left, 1, memory_order_release);
  }
}

/* Wakes sleepers after a change; both sides use sequential consistency, so no wake-up is lost. */
static void announce(symbolon_pool *pool) {
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
  atomic_init(&pool->door, 0);
  atomic_init(&pool->left, 0);
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

/* Spins, then lets others run: whoever we wait for may need this processor. */
static inline void pause_for(int32_t round) {
  if (round < SPINS_BEFORE_YIELD) relax();
  else sched_yield();
}

void symbolon_pool_run(symbolon_pool *pool, void (*work)(void *context, int32_t thread), void *context) {
  pool->work = work;
  pool->context = context;
  atomic_store(&pool->left, 0);
  const unsigned long long job = (unsigned long long)(job_number(atomic_load(&pool->door)) + 1) << 32;
  atomic_store(&pool->door, job);
  if (pool->threads > 1) announce(pool);
  const uint64_t before = enter_arithmetic();
  work(context, 0);
  leave_arithmetic(before);
  /* Close the door; only those who entered are waited for. */
  const unsigned long long last = atomic_exchange(&pool->door, job + (1ull << 32));
  const unsigned entered = (unsigned)last;
  for (int32_t i = 0; atomic_load_explicit(&pool->left, memory_order_acquire) < entered; i++) pause_for(i);
}

int32_t symbolon_stage_claim(symbolon_counter *claimed, int32_t threads, int32_t thread, int32_t pieces) {
  for (int32_t i = 0; i < threads; i++) {
    const int32_t owner = thread + i < threads ? thread + i : thread + i - threads;
    const int32_t first = (int32_t)((int64_t)pieces * owner / threads);
    const int32_t count = (int32_t)((int64_t)pieces * (owner + 1) / threads) - first;
    if (atomic_load_explicit(&claimed[owner].value, memory_order_relaxed) >= count) continue;
    const int32_t piece = atomic_fetch_add_explicit(&claimed[owner].value, 1, memory_order_relaxed);
    if (piece < count) return first + piece;
  }
  return -1;
}

void symbolon_stage_finish(symbolon_counter *done) { atomic_fetch_add_explicit(&done->value, 1, memory_order_release); }

void symbolon_stage_await(symbolon_counter *done, int32_t pieces) {
  for (int32_t i = 0; atomic_load_explicit(&done->value, memory_order_acquire) < pieces; i++) pause_for(i);
}
