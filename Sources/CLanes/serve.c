#define _GNU_SOURCE
#include "serve.h"

#include <pthread.h>
#include <string.h>
#include <symbolon/symbolon.h>

#include "direct.h"

_Static_assert(SYMBOLON_SERVED_ARGUMENTS == SYMBOLON_DIRECT_ARGUMENTS, "as many as a plan has places for");

/* More than the longest answer without slices. */
#define ANSWER_ROOM 4096u

/* A message, read from left to right. */
typedef struct reader {
  const uint8_t *next;
  uint64_t rest;
  int failed;
} reader;

static uint32_t take_u32(reader *from) {
  uint32_t value = 0;
  if (from->rest < sizeof value) return from->failed = 1, 0;
  memcpy(&value, from->next, sizeof value);
  from->next += sizeof value, from->rest -= sizeof value;
  return value;
}

static uint64_t take_u64(reader *from) {
  uint64_t value = 0;
  if (from->rest < sizeof value) return from->failed = 1, 0;
  memcpy(&value, from->next, sizeof value);
  from->next += sizeof value, from->rest -= sizeof value;
  return value;
}

static symbolon_slice take_slice(reader *from) {
  symbolon_slice slice = {from->next, take_u64(from)};
  if (from->failed || slice.size > from->rest) return from->failed = 1, (symbolon_slice){NULL, 0};
  slice.data = from->next;
  from->next += slice.size, from->rest -= slice.size;
  return slice;
}

/* A call while it runs. */
typedef struct frame {
  symbolon_arena *arena;
  pthread_mutex_t *lock;
  int is_too_large;
  symbolon_slice kept[SYMBOLON_DIRECT_ARGUMENTS]; /* results that wait for the answer, in the arena */
  symbolon_sink sinks[SYMBOLON_DIRECT_ARGUMENTS];
  uint64_t scalars[SYMBOLON_DIRECT_ARGUMENTS];
  void *places[SYMBOLON_DIRECT_ARGUMENTS];
  void *cells[SYMBOLON_DIRECT_ARGUMENTS];
  union {
    uint64_t scalar;
    symbolon_slice slice;
  } values[SYMBOLON_DIRECT_ARGUMENTS];
} frame;

static uint64_t room(const symbolon_arena *arena) {
  return arena->size - arena->top > ANSWER_ROOM ? arena->size - arena->top - ANSWER_ROOM : 0;
}

/* The one message of a result travels with the answer; a later one takes its place. A plugin may write from a thread of
   its own, while another asks the host something on this lane. */
static int32_t keep(symbolon_sink *sink, symbolon_slice message) {
  frame *call = sink->context;
  int32_t status = SYMBOLON_OK;
  if (!message.data && message.size) return SYMBOLON_INVALID_ARGUMENT;
  pthread_mutex_lock(call->lock);
  symbolon_arena *arena = call->arena;
  if (message.size > arena->message_limit || message.size > room(arena)) {
    call->is_too_large = 1;
    status = SYMBOLON_RESOURCE_EXHAUSTED;
  } else {
    uint8_t *place = arena->bytes + arena->top;
    if (message.size) memcpy(place, message.data, message.size);
    call->kept[sink - call->sinks] = (symbolon_slice){place, message.size};
    arena->top += (message.size + 15) & ~UINT64_C(15);
  }
  pthread_mutex_unlock(call->lock);
  return status;
}

static void place_arguments(frame *call, const symbolon_served_method *method, reader *from) {
  for (unsigned i = 0; i < method->parameters; i++) {
    if (method->is_slice[i]) call->values[i].slice = take_slice(from);
    else call->values[i].scalar = take_u64(from);
    call->cells[i] = &call->values[i];
  }
}

/* Scalars lie next to each other, as the answer lists them. */
static void place_results(frame *call, const symbolon_served_method *method) {
  uint64_t *scalar = call->scalars;
  for (unsigned i = 0; i < method->results; i++) {
    if (method->is_slice[method->parameters + i]) {
      call->sinks[i] = (symbolon_sink){.struct_size = sizeof(symbolon_sink), .context = call, .write = keep};
      call->kept[i].data = NULL;
      call->places[i] = &call->sinks[i];
    } else {
      *scalar = 0;
      call->places[i] = scalar++;
    }
    call->cells[method->parameters + i] = &call->places[i];
  }
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t count) {
  memcpy(to, bytes, count);
  return to + count;
}

static uint8_t *put_u32(uint8_t *to, uint32_t value) { return put(to, &value, sizeof value); }

static uint8_t *put_text(uint8_t *to, const char *text, size_t most) {
  uint64_t size = strnlen(text, most);
  return put(put(to, &size, sizeof size), text, size);
}

static uint8_t *put_results(uint8_t *to, const frame *call, const symbolon_served_method *method) {
  to = put_u32(to, method->scalars);
  to = put(to, call->scalars, method->scalars * sizeof call->scalars[0]);
  uint8_t *number = to;
  uint32_t count = 0;
  to = put_u32(to, 0);
  for (uint32_t i = 0; i < method->results; i++) {
    if (!method->is_slice[method->parameters + i] || !call->kept[i].data) continue;
    uint64_t offset = (uint64_t)(call->kept[i].data - call->arena->bytes);
    to = put_u32(to, i);
    to = put(to, &offset, sizeof offset);
    to = put(to, &call->kept[i].size, sizeof offset);
    count++;
  }
  put_u32(number, count);
  return to;
}

static void answer(const symbolon_server *server, symbolon_lane *lane, const frame *call,
                   const symbolon_served_method *method, int32_t status, const symbolon_error *error) {
  uint8_t *start = call->arena->bytes + call->arena->top;
  uint8_t *end = put_u32(start, (uint32_t)status);
  int has_error = status != SYMBOLON_OK && error->status == status;
  end = put_u32(end, has_error ? 1 : 0);
  if (has_error) {
    end = put_text(end, error->code, sizeof error->code);
    end = put_text(end, error->message, sizeof error->message);
  }
  end = status == SYMBOLON_OK ? put_results(end, call, method) : put_u32(put_u32(end, 0), 0);
  symbolon_lane_message message = {.kind = server->message_result,
                                   .offset = (uint64_t)(start - call->arena->bytes),
                                   .length = (uint64_t)(end - start)};
  symbolon_lane_write(lane, SYMBOLON_TURN_HOST, message);
}

/* Calls the method of a message and writes the answer; 0 when the message goes the long way. */
static int serve(const symbolon_server *server, symbolon_lane *lane, const symbolon_arena *incoming,
                 symbolon_arena *outgoing, pthread_mutex_t *lock) {
  symbolon_lane_message message = symbolon_lane_read(lane, SYMBOLON_TURN_WORKER);
  if (message.kind != server->message_method || message.offset > incoming->size ||
      message.length > incoming->size - message.offset || room(outgoing) == 0)
    return 0;
  reader from = {incoming->bytes + message.offset, message.length, 0};
  uint32_t index = take_u32(&from);
  if (index >= server->count || !server->methods[index].is_short) return 0;
  const symbolon_served_method *method = &server->methods[index];
  symbolon_worker_call context = {symbolon_lane_cancelled(lane), take_u64(&from)};
  symbolon_error error;
  error.struct_size = sizeof error;
  error.status = SYMBOLON_OK;
  error.code[0] = error.message[0] = 0;
  symbolon_call call = {.struct_size = sizeof call, .error = &error};
  call.cancelled = (uint32_t (*)(const symbolon_call *))server->cancelled;
  call.context = &context;
  call.origin = take_u32(&from);
  call.transaction = take_u64(&from);
  call.deadline_ns = take_u64(&from);
  uint64_t trace[2] = {take_u64(&from), 0};
  trace[1] = take_u64(&from);
  memcpy(call.trace_id, trace, sizeof trace);
  symbolon_slice sender = take_slice(&from), caller = take_slice(&from);
  call.sender = sender.size == 32 ? sender.data : NULL;
  call.caller = caller.size ? (const char *)caller.data : NULL;
  frame frame;
  frame.arena = outgoing;
  frame.lock = lock;
  frame.is_too_large = 0;
  place_arguments(&frame, method, &from);
  if (from.failed || from.rest) return 0;
  place_results(&frame, method);
  uint64_t mark = outgoing->top;
  int32_t status = symbolon_direct_call(method->plan, method->function, server->instance, &call, frame.cells);
  if (status == SYMBOLON_OK && frame.is_too_large) status = server->too_large(server->context, index, &error);
  answer(server, lane, &frame, method, status, &error);
  outgoing->top = mark;
  return 1;
}

uint32_t symbolon_lane_serve(const symbolon_server *server, symbolon_lane *lane, const symbolon_arena *incoming,
                             symbolon_arena *outgoing, void *lock, symbolon_spin *spin) {
  for (;;) {
    uint32_t turn = symbolon_lane_wait(lane, SYMBOLON_TURN_WORKER, spin, 0);
    if (turn != SYMBOLON_TURN_WORKER || !serve(server, lane, incoming, outgoing, lock)) return turn;
    symbolon_lane_pass(lane, SYMBOLON_TURN_HOST);
  }
}
