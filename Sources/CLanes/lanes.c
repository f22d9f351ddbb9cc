#define _GNU_SOURCE
#include "lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The longest spin for a peer that runs. */
#define SPIN_MOST_NS 50000u
/* The longest for one that sleeps: about what it takes to wake up on an idle processor, with cold caches, and answer. */
#define SPIN_ASLEEP_NS 120000u
/* An end that span for nothing does not spin for a sleeping peer until it has waited so long, and ever longer, for
   such: what is lost stays a small part of what waiting takes anyway. */
#define PAUSE_FIRST_NS 2000000u
#define PAUSE_MOST_NS 64000000u

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

uint32_t symbolon_lane_load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

void symbolon_lane_store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }

static uint32_t *processor_of(symbolon_lane *lane, uint32_t side) {
  return side == SYMBOLON_TURN_HOST ? &lane->host_processor : &lane->worker_processor;
}

static uint32_t *sleeps_of(symbolon_lane *lane, uint32_t side) {
  return side == SYMBOLON_TURN_HOST ? &lane->host_sleeps : &lane->worker_sleeps;
}

static uint32_t other_than(uint32_t side) {
  return side == SYMBOLON_TURN_HOST ? SYMBOLON_TURN_WORKER : SYMBOLON_TURN_HOST;
}

static uint32_t note_processor(symbolon_lane *lane, uint32_t side) {
  uint32_t here = (uint32_t)sched_getcpu();
  __atomic_store_n(processor_of(lane, side), here, __ATOMIC_RELAXED);
  return here;
}

void symbolon_lane_pass(symbolon_lane *lane, uint32_t to) {
  note_processor(lane, other_than(to));
  symbolon_lane_store(&lane->turn, to);
  /* The other announces its sleep before it looks at the turn for the last time, so one of the two sees the other. */
  if (symbolon_lane_load(sleeps_of(lane, to))) syscall(SYS_futex, &lane->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void symbolon_lane_kill(symbolon_lane *lane) {
  symbolon_lane_store(&lane->turn, SYMBOLON_TURN_DEAD);
  syscall(SYS_futex, &lane->turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int is_over(uint32_t turn, uint32_t me) { return turn == me || turn == SYMBOLON_TURN_DEAD; }

/* Spins as long as it may help; gives back the turn.

   A peer that runs answers soon, unless it is waiting for the very processor that the spin takes from it. A peer that
   sleeps wakes up on an idle processor if there is one; only experience shows whether there is. */
static uint32_t spin_for(symbolon_lane *lane, uint32_t me, uint64_t begin, uint32_t asleep_budget) {
  uint32_t peer = other_than(me);
  for (;;) {
    uint32_t here = note_processor(lane, me);
    int sleeps = symbolon_lane_load(sleeps_of(lane, peer)) != 0;
    int shares = !sleeps && __atomic_load_n(processor_of(lane, peer), __ATOMIC_RELAXED) == here;
    uint64_t most = sleeps ? asleep_budget : shares ? 0 : SPIN_MOST_NS;
    if (most == 0 || now_ns() - begin >= most) return symbolon_lane_load(&lane->turn);
    for (int i = 0; i < 32; i++) {
      uint32_t turn = symbolon_lane_load(&lane->turn);
      if (is_over(turn, me)) return turn;
      relax();
    }
  }
}

static void learn(symbolon_spin *spin, int has_helped) {
  if (has_helped) {
    spin->pause_ns = 0;
    return;
  }
  spin->pause_ns = spin->pause_ns == 0 ? PAUSE_FIRST_NS : spin->pause_ns < PAUSE_MOST_NS ? spin->pause_ns * 2
                                                                                          : PAUSE_MOST_NS;
  spin->rest_ns = spin->pause_ns;
}

uint32_t symbolon_lane_wait(symbolon_lane *lane, uint32_t me, symbolon_spin *spin, uint64_t timeout_ns) {
  uint32_t turn = symbolon_lane_load(&lane->turn);
  if (is_over(turn, me)) return turn;
  uint32_t *sleeps = sleeps_of(lane, me);
  int peer_slept = symbolon_lane_load(sleeps_of(lane, other_than(me))) != 0;
  uint64_t begin = now_ns();
  uint32_t asleep_budget = peer_slept && spin->rest_ns == 0 ? SPIN_ASLEEP_NS : 0;
  turn = spin_for(lane, me, begin, asleep_budget);
  if (asleep_budget) learn(spin, is_over(turn, me));
  while (!is_over(turn, me)) {
    uint64_t passed = now_ns() - begin;
    if (timeout_ns && passed >= timeout_ns) break;
    uint64_t rest = timeout_ns - passed;
    struct timespec limit = {.tv_sec = (time_t)(rest / 1000000000u), .tv_nsec = (long)(rest % 1000000000u)};
    symbolon_lane_store(sleeps, 1);
    turn = symbolon_lane_load(&lane->turn);
    if (!is_over(turn, me)) syscall(SYS_futex, &lane->turn, FUTEX_WAIT, turn, timeout_ns ? &limit : NULL, NULL, 0);
    symbolon_lane_store(sleeps, 0);
    note_processor(lane, me);
    turn = symbolon_lane_load(&lane->turn);
  }
  if (peer_slept && spin->rest_ns) {
    uint64_t passed = now_ns() - begin;
    spin->rest_ns = passed < spin->rest_ns ? spin->rest_ns - (uint32_t)passed : 0;
  }
  return turn;
}

symbolon_lane_message symbolon_lane_read(const symbolon_lane *lane, uint32_t reader) {
  const symbolon_lane_message *message = reader == SYMBOLON_TURN_HOST ? &lane->to_host : &lane->to_worker;
  symbolon_lane_message copy;
  copy.kind = __atomic_load_n(&message->kind, __ATOMIC_RELAXED);
  copy.level = __atomic_load_n(&message->level, __ATOMIC_RELAXED);
  copy.offset = __atomic_load_n(&message->offset, __ATOMIC_RELAXED);
  copy.length = __atomic_load_n(&message->length, __ATOMIC_RELAXED);
  return copy;
}

void symbolon_lane_write(symbolon_lane *lane, uint32_t reader, symbolon_lane_message message) {
  *(reader == SYMBOLON_TURN_HOST ? &lane->to_host : &lane->to_worker) = message;
}

int symbolon_lanes_create(uint64_t size) {
  int descriptor = memfd_create("symbolon-lanes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -1;
  if (ftruncate(descriptor, (off_t)size) != 0 ||
      fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    int number = errno;
    close(descriptor);
    errno = number;
    return -1;
  }
  return descriptor;
}

void *symbolon_lanes_map(int descriptor, uint64_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

uint64_t symbolon_lanes_resident(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
}

static _Thread_local void *thread_current;

void *symbolon_thread_current(void) { return thread_current; }

void symbolon_thread_set_current(void *current) { thread_current = current; }
