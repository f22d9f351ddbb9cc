#ifndef SYMBOLON_SERVE_H
#define SYMBOLON_SERVE_H
/* The short way of a call through a worker: from the message to the method and back to the answer, without an allocation
   and through as little code as can be, because most of what a call into an idle worker costs is memory that is not in
   the processor's caches. What it does not know, it leaves untouched for the long way (CalleeFrame.swift). */
#include <stdint.h>

#include "lanes.h"

/* Types of other modules are named as what they are to a reader alone: Swift would take them for this module's own. */
#define SYMBOLON_SERVED_ARGUMENTS 16

/* Where one side of a lane writes. */
typedef struct symbolon_arena {
  uint8_t *bytes;
  uint64_t size;
  uint64_t message_limit;
  uint64_t top; /* bytes in use */
} symbolon_arena;

/* What is known of a method before it is called. */
typedef struct symbolon_served_method {
  const void *plan; /* a symbolon_direct (CCalls) */
  void (*function)(void);
  uint8_t is_short; /* it has a plan and no stream */
  uint8_t parameters;
  uint8_t results;
  uint8_t scalars; /* results that are no slices */
  uint8_t is_slice[SYMBOLON_SERVED_ARGUMENTS]; /* of parameters, then of results */
} symbolon_served_method;

typedef struct symbolon_server {
  symbolon_served_method *methods;
  uint32_t count;
  uint32_t message_method; /* the kinds of messages, as Message.swift numbers them */
  uint32_t message_result;
  void *instance;
  void (*cancelled)(void); /* what goes into symbolon_call.cancelled */
  /* Fills the symbolon_error of a method whose result was too large for a lane. */
  int32_t (*too_large)(void *context, uint32_t method, void *error);
  void *context;
} symbolon_server;

/* What `call->context` points to in a worker. */
typedef struct symbolon_worker_call {
  const uint32_t *cancelled; /* the host's word that nobody waits any more */
  uint64_t id;
} symbolon_worker_call;

/* Serves calls on a lane until a message comes that goes the long way, or the lane is dead; gives back the turn. The
   lock, a pthread_mutex_t, is held while the outgoing arena is written. */
uint32_t symbolon_lane_serve(const symbolon_server *server, symbolon_lane *lane, const symbolon_arena *incoming,
                             symbolon_arena *outgoing, void *lock, symbolon_spin *spin);
#endif
