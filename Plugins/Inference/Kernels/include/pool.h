/* Threads that stay, and share the work of one job at a time by claiming pieces of it.
 *
 * Nobody waits for a thread that has not come: a job is begun by its caller at once, helped by every thread that arrives in
 * time, and finished by whoever is there. On a machine that does other things too, this is the difference between losing
 * a share of the speed and losing nearly all of it.
 *
 * Every thread of a job computes with round-to-nearest-even and gradual underflow, whatever a library set before. */
#ifndef SYMBOLON_POOL_H
#define SYMBOLON_POOL_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct symbolon_pool symbolon_pool;

/* The processors this process may use, 1...64. */
int32_t symbolon_processors(void);

/* Starts `threads - 1` threads (1...64); the caller of `run` is the last. NULL if the system refuses. */
symbolon_pool *symbolon_pool_create(int32_t threads);

/* Stops and joins the threads. No job may be running. NULL is allowed. */
void symbolon_pool_destroy(symbolon_pool *pool);

int32_t symbolon_pool_threads(const symbolon_pool *pool);

/* Calls `work(context, thread)` on the calling thread (number 0) and on those that come in time, each at most once, and
 * returns when all who came have returned. `work` must claim its pieces. One caller at a time. */
void symbolon_pool_run(symbolon_pool *pool, void (*work)(void *context, int32_t thread), void *context);

/* A counter with a cache line of its own; begins with zero. A stage of a job has one of pieces that are complete, and one
 * a thread of pieces that were claimed of its share. */
typedef struct symbolon_counter {
  _Alignas(64) _Atomic(int32_t) value;
} symbolon_counter;

/* The number of a piece that is now the caller's to do, or -1 when none is left.
 *
 * Each of the threads has neighbouring pieces, in order, so that it reads memory from end to end; who has done his own takes
 * from the others. `claimed` is [threads]. */
int32_t symbolon_stage_claim(symbolon_counter *claimed, int32_t threads, int32_t thread, int32_t pieces);

/* Says that a claimed piece is complete. */
void symbolon_stage_finish(symbolon_counter *done);

/* Waits until all pieces are complete; what they wrote is then visible. */
void symbolon_stage_await(symbolon_counter *done, int32_t pieces);

#endif
