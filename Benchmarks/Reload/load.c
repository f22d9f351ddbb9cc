/* Calls counter.take through an import at a steady rate, from two threads, and keeps what happened to the calls. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <symbolon/symbolon.h>
#include <time.h>

#define THREADS 2

static int32_t (*target)(symbolon_call *, uint64_t, uint64_t *);

typedef struct worker {
  symbolon_call *call;
  uint64_t end, pause, calls, failed, wrong, longest;
} worker;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *work(void *context) {
  worker *self = context;
  uint64_t next = now();
  while (next < self->end) {
    symbolon_error error = {.struct_size = sizeof error};
    symbolon_call call = *self->call;
    uint64_t back = 0, begin = now();
    call.error = &error;
    if (target(&call, begin, &back) != SYMBOLON_OK)
      self->failed++;
    else if (back != begin)
      self->wrong++;
    uint64_t took = now() - begin;
    if (took > self->longest) self->longest = took;
    self->calls++;
    next += self->pause;
    if (next > now()) {
      struct timespec at = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
  }
  return NULL;
}

static int32_t run(void *self, symbolon_call *call, uint32_t milliseconds, uint32_t rate, uint64_t *calls,
                   uint64_t *failed, uint64_t *wrong, uint64_t *longest) {
  pthread_t threads[THREADS];
  worker workers[THREADS];
  (void)self;
  if (rate < THREADS || milliseconds > 600000) return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "rate", "No.");
  *calls = *failed = *wrong = *longest = 0;
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker){.call = call, .end = now() + milliseconds * 1000000ull, .pause = 1000000000ull * THREADS / rate};
    if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) abort();
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    *calls += workers[i].calls;
    *failed += workers[i].failed;
    *wrong += workers[i].wrong;
    if (workers[i].longest > *longest) *longest = workers[i].longest;
  }
  *longest /= 1000;
  return SYMBOLON_OK;
}

static const symbolon_import import = {sizeof(symbolon_import), 0, "counter", "take(number: u64) -> (number: u64)",
                                       (void (**)(void)) & target};
static const symbolon_import *const imports[] = {&import};
static const symbolon_method method = {
    .struct_size = sizeof(symbolon_method),
    .flags = SYMBOLON_READS,
    .signature = "run(milliseconds: u32, rate: u32) -> (calls: u64, failed: u64, wrong: u64, longest_us: u64)",
    .summary = "Call at a steady rate",
    .function = (void (*)(void))run};
static const symbolon_method *const methods[] = {&method};
static const symbolon_plugin plugin = {.struct_size = sizeof(symbolon_plugin), .abi = SYMBOLON_ABI, .id = "load",
                                       .version = "1.0.0", .summary = "Load for measurements", .methods = methods,
                                       .method_count = 1, .imports = imports, .import_count = 1};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
