/* Threads that stay: one job at a time, run by all of them, with barriers inside.
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

/* Runs `work(context, thread)` once on every thread and returns when all have returned. One caller at a time. */
void symbolon_pool_run(symbolon_pool *pool, void (*work)(void *context, int32_t thread), void *context);

/* Waits until every thread of the running job is here. Called only from inside a job. */
void symbolon_pool_barrier(symbolon_pool *pool);

#endif
