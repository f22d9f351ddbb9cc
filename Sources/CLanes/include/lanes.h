#ifndef SYMBOLON_LANES_H
#define SYMBOLON_LANES_H
/* Lanes: synchronous conversations between one thread of the host and one thread of a worker, in shared memory.

   A lane has a turn. Whoever has it writes a message into its own arena, describes it in the head and passes the turn;
   the other waits: it spins for a moment, then sleeps in the kernel. A message may be a question that comes back while
   the first one is unanswered, so the two arenas are stacks.

   The worker can write anything anywhere in this memory at any time. The host therefore reads each field of a head
   once, checks it, and copies what it names before it looks at it. The worker trusts the host and reads in place: serve.h
   is its short way from a message to a method and back. */
#include <stddef.h>
#include <stdint.h>

/* Whose turn it is. Dead: the worker has ended; written by the host for whoever still waits. */
enum {
  SYMBOLON_TURN_NOBODY = 0,
  SYMBOLON_TURN_HOST = 1,
  SYMBOLON_TURN_WORKER = 2,
  SYMBOLON_TURN_DEAD = 3
};

/* Where a message lies in the arena of its sender. */
typedef struct symbolon_lane_message {
  uint32_t kind;
  uint32_t level; /* how many questions of the asking side were open before this one, or before the one it belongs to */
  uint64_t offset;
  uint64_t length; /* bytes */
} symbolon_lane_message;

/* 128 bytes: two cache lines, the first for the turn alone. */
typedef struct symbolon_lane {
  uint32_t turn;
  uint32_t host_sleeps;
  uint32_t worker_sleeps;
  uint32_t cancelled; /* the host says: nobody waits for the result any more */
  uint32_t abandoned; /* the worker says the same of what it asked */
  uint32_t host_processor; /* where each was last seen running */
  uint32_t worker_processor;
  uint32_t reserved[9];
  symbolon_lane_message to_worker;
  symbolon_lane_message to_host;
  uint32_t padding[4];
} symbolon_lane;

_Static_assert(sizeof(symbolon_lane_message) == 24, "layout of a message");
_Static_assert(sizeof(symbolon_lane) == 128, "layout of a lane");

/* How long one end of a lane spins for a peer that sleeps; it learns from whether that was worth it. */
typedef struct symbolon_spin {
  uint32_t rest_ns;  /* so long it has yet to wait without a spin */
  uint32_t pause_ns; /* what the last spin for nothing made that */
} symbolon_spin;

/* Gives the turn to `to` and wakes it when it sleeps. */
void symbolon_lane_pass(symbolon_lane *lane, uint32_t to);

/* Waits for the turn `me`, or until the lane is dead, or for `timeout_ns` (0 = for ever); gives back the turn. */
uint32_t symbolon_lane_wait(symbolon_lane *lane, uint32_t me, symbolon_spin *spin, uint64_t timeout_ns);

/* Marks the lane dead and wakes everybody. */
void symbolon_lane_kill(symbolon_lane *lane);

uint32_t symbolon_lane_load(const uint32_t *word);
void symbolon_lane_store(uint32_t *word, uint32_t value);

/* The message to `reader`, each field read once: the other side may be writing. */
symbolon_lane_message symbolon_lane_read(const symbolon_lane *lane, uint32_t reader);
void symbolon_lane_write(symbolon_lane *lane, uint32_t reader, symbolon_lane_message message);

static inline uint32_t *symbolon_lane_cancelled(symbolon_lane *lane) { return &lane->cancelled; }
static inline uint32_t *symbolon_lane_abandoned(symbolon_lane *lane) { return &lane->abandoned; }

/* Memory of `size` bytes that can be neither shrunk nor grown, so that no mapping of it ever faults; -1 = errno. */
int symbolon_lanes_create(uint64_t size);
/* Maps it without taking memory for it; NULL = errno. */
void *symbolon_lanes_map(int descriptor, uint64_t size);
/* Bytes of it that are in memory. */
uint64_t symbolon_lanes_resident(int descriptor);

/* What the calling thread is in the middle of; NULL at first. */
void *symbolon_thread_current(void);
void symbolon_thread_set_current(void *current);

/* Datagrams of the control socket, with at most one descriptor (-1 = none). Give back the bytes, 0 at the end, or -1. */
int64_t symbolon_control_send(int socket, const void *bytes, size_t count, int descriptor);
int64_t symbolon_control_receive(int socket, void *bytes, size_t count, int *descriptor);
#endif
