#ifndef SYMBOLON_CALL_H
#define SYMBOLON_CALL_H
/* What travels with every call and every nested call: who asks, how long, in which transaction, and the error slot.

   OWNERSHIP: the caller owns the struct and everything it points to until the call returns. A method passes the very
   pointer it was given to the imports and services it uses; the host makes the child from it. */
#include "slice.h"
#include "status.h"

/* Where the outermost call came from. */
enum {
  SYMBOLON_ORIGIN_NODE = 0,     /* the node itself: timers, start-up */
  SYMBOLON_ORIGIN_OPERATOR = 1, /* the control socket, or HTTP with the operator's token */
  SYMBOLON_ORIGIN_PUBLIC = 2,   /* HTTP without one */
  SYMBOLON_ORIGIN_ACCOUNT = 3   /* a signed transaction */
};

#define SYMBOLON_ERROR_CODE_MAX 64
#define SYMBOLON_ERROR_MESSAGE_MAX 1024

/* What went wrong, for people and programs. The status alone decides control flow. Written by the callee. */
typedef struct symbolon_error {
  uint32_t struct_size;
  int32_t status;
  char code[SYMBOLON_ERROR_CODE_MAX];       /* eg: "insufficient_funds"; zero-terminated */
  char message[SYMBOLON_ERROR_MESSAGE_MAX]; /* a sentence that says what to do; UTF-8, zero-terminated, truncated */
} symbolon_error;

typedef struct symbolon_call {
  uint32_t struct_size;
  uint32_t origin;           /* SYMBOLON_ORIGIN_… */
  const char *caller;        /* id of the plugin that called, eg: "governance"; NULL from outside */
  const uint8_t *sender;     /* 32 bytes: the account whose signed transaction this is; NULL without one */
  uint64_t transaction;      /* the ledger's handle of the running transaction; 0 = none */
  uint64_t deadline_ns;      /* on the monotonic clock of symbolon.clock/1; 0 = none */
  uint8_t trace_id[16];      /* the same in all logs that one request causes */
  symbolon_error *error;     /* never NULL in a call that the host makes */
  /* Non-zero when nobody waits for the result any more. NULL = never. [any, while the call runs] */
  uint32_t (*cancelled)(const struct symbolon_call *call);
  void *context;             /* of whoever provides `cancelled` */
  const struct symbolon_call *parent; /* the call inside which this one was made; NULL for the outermost */
} symbolon_call;

/* Fills the error slot and returns `status`, so that a method can end with `return symbolon_fail(call, …)`. */
static inline int32_t symbolon_fail(symbolon_call *call, int32_t status, const char *code, const char *message) {
  if (call && call->error) {
    size_t i = 0;
    call->error->status = status;
    for (i = 0; code && code[i] && i + 1 < SYMBOLON_ERROR_CODE_MAX; i++) call->error->code[i] = code[i];
    call->error->code[i] = 0;
    for (i = 0; message && message[i] && i + 1 < SYMBOLON_ERROR_MESSAGE_MAX; i++) call->error->message[i] = message[i];
    call->error->message[i] = 0;
  }
  return status;
}
#endif
