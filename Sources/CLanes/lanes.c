#define _GNU_SOURCE
#include "lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The longest spin. Above the 20 µs that a sleeping peer needs to wake up and answer, so that two ends that have
   both fallen asleep find back to spinning. */
#define SPIN_MOST_NS 50000u
/* The shortest: what an end that is hardly ever called still tries. */
#define SPIN_LEAST_NS 1000u
/* A wait that took no longer would have been shorter with a spin. */
#define WORTH_SPINNING_NS 100000u

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

void symbolon_lane_pass(symbolon_lane *lane, uint32_t to) {
  uint32_t *sleeps = to == SYMBOLON_TURN_HOST ? &lane->host_sleeps : &lane->worker_sleeps;
  symbolon_lane_store(&lane->turn, to);
  /* The other announces its sleep before it looks at the turn for the last time, so one of the two sees the other. */
  if (symbolon_lane_load(sleeps)) syscall(SYS_futex, &lane->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void symbolon_lane_kill(symbolon_lane *lane) {
  symbolon_lane_store(&lane->turn, SYMBOLON_TURN_DEAD);
  syscall(SYS_futex, &lane->turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int is_over(uint32_t turn, uint32_t me) { return turn == me || turn == SYMBOLON_TURN_DEAD; }

/* Spins for at most the budget; gives back the turn. */
static uint32_t spin_for(symbolon_lane *lane, uint32_t me, uint64_t begin, uint64_t budget) {
  for (;;) {
    for (int i = 0; i < 32; i++) {
      uint32_t turn = symbolon_lane_load(&lane->turn);
      if (is_over(turn, me)) return turn;
      relax();
    }
    if (now_ns() - begin >= budget) return symbolon_lane_load(&lane->turn);
  }
}

uint32_t symbolon_lane_wait(symbolon_lane *lane, uint32_t me, symbolon_spin *spin, uint64_t timeout_ns) {
  uint32_t turn = symbolon_lane_load(&lane->turn);
  if (is_over(turn, me)) return turn;
  uint32_t *sleeps = me == SYMBOLON_TURN_HOST ? &lane->host_sleeps : &lane->worker_sleeps;
  uint64_t begin = now_ns();
  uint64_t budget = spin->budget_ns > SPIN_MOST_NS ? SPIN_MOST_NS : spin->budget_ns;
  turn = spin_for(lane, me, begin, budget);
  while (!is_over(turn, me)) {
    uint64_t passed = now_ns() - begin;
    if (timeout_ns && passed >= timeout_ns) break;
    uint64_t rest = timeout_ns - passed;
    struct timespec limit = {.tv_sec = (time_t)(rest / 1000000000u), .tv_nsec = (long)(rest % 1000000000u)};
    symbolon_lane_store(sleeps, 1);
    turn = symbolon_lane_load(&lane->turn);
    if (!is_over(turn, me)) syscall(SYS_futex, &lane->turn, FUTEX_WAIT, turn, timeout_ns ? &limit : NULL, NULL, 0);
    symbolon_lane_store(sleeps, 0);
    turn = symbolon_lane_load(&lane->turn);
  }
  uint64_t passed = now_ns() - begin;
  if (passed <= WORTH_SPINNING_NS) {
    spin->budget_ns = SPIN_MOST_NS;
  } else {
    spin->budget_ns = spin->budget_ns / 2 < SPIN_LEAST_NS ? SPIN_LEAST_NS : spin->budget_ns / 2;
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
