#define _GNU_SOURCE /* process_vm_readv */
#include "running.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEPTH 16 /* deeper calls are counted, not listed */

/* The calls of one thread; written by it alone, read by all, never freed, used again by a later thread. */
typedef struct thread_calls {
  struct thread_calls *next;
  _Atomic uint32_t in_use;
  _Atomic uint32_t depth;
  struct {
    _Atomic(const void *) method;
    _Atomic(const char *) caller;
    _Atomic uint64_t start;
  } frames[DEPTH];
} thread_calls;

static _Atomic(thread_calls *) all;
static _Thread_local thread_calls *mine;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void give_back(void *calls) {
  atomic_store_explicit(&((thread_calls *)calls)->depth, 0, memory_order_release);
  atomic_store_explicit(&((thread_calls *)calls)->in_use, 0, memory_order_release);
}

static void make_key(void) { pthread_key_create(&key, give_back); }

static thread_calls *take(void) {
  pthread_once(&once, make_key);
  for (thread_calls *found = atomic_load(&all); found; found = found->next) {
    uint32_t none = 0;
    if (atomic_compare_exchange_strong(&found->in_use, &none, 1)) {
      pthread_setspecific(key, found);
      return mine = found;
    }
  }
  thread_calls *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  made->in_use = 1;
  made->next = atomic_load(&all);
  while (!atomic_compare_exchange_weak(&all, &made->next, made)) {}
  pthread_setspecific(key, made);
  return mine = made;
}

void symbolon_running_enter(const void *method, const char *caller, uint64_t start) {
  thread_calls *calls = mine ? mine : take();
  if (!calls) return;
  uint32_t depth = atomic_load_explicit(&calls->depth, memory_order_relaxed);
  if (depth < DEPTH) {
    atomic_store_explicit(&calls->frames[depth].method, method, memory_order_relaxed);
    atomic_store_explicit(&calls->frames[depth].caller, caller, memory_order_relaxed);
    atomic_store_explicit(&calls->frames[depth].start, start, memory_order_relaxed);
  }
  atomic_store_explicit(&calls->depth, depth + 1, memory_order_release);
}

void symbolon_running_leave(void) {
  thread_calls *calls = mine;
  if (!calls) return;
  uint32_t depth = atomic_load_explicit(&calls->depth, memory_order_relaxed);
  if (depth > 0) atomic_store_explicit(&calls->depth, depth - 1, memory_order_release);
}

/* The call may have returned by now and its caller's name be gone: the kernel reads what is there, or says no. */
static void copy_name(char *name, size_t size, const char *from) {
  name[0] = 0;
  if (!from) return;
  for (size_t done = 0; done + 1 < size; done++) {
    struct iovec here = {name + done, 1}, there = {(void *)(uintptr_t)(from + done), 1};
    if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != 1) {
      name[done] = 0;
      return;
    }
    if (!name[done]) return;
  }
  name[size - 1] = 0;
}

uint32_t symbolon_running_list(symbolon_running *rows, uint32_t limit) {
  uint32_t count = 0;
  for (thread_calls *calls = atomic_load(&all); calls; calls = calls->next) {
    uint32_t depth = atomic_load_explicit(&calls->depth, memory_order_acquire);
    for (uint32_t i = 0; i < depth && i < DEPTH && count < limit; i++, count++) {
      rows[count].method = atomic_load_explicit(&calls->frames[i].method, memory_order_relaxed);
      rows[count].start = atomic_load_explicit(&calls->frames[i].start, memory_order_relaxed);
      copy_name(rows[count].caller, sizeof rows[count].caller,
                atomic_load_explicit(&calls->frames[i].caller, memory_order_relaxed));
    }
  }
  return count;
}
