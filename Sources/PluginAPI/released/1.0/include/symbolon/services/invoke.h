#ifndef SYMBOLON_SERVICES_INVOKE_H
#define SYMBOLON_SERVICES_INVOKE_H
/* Calls by name, for layers that carry other people's calls: the HTTP edge, the ledger, an executor.

   The canonical form of arguments: fixed-width big-endian scalars (bool one byte, f64 its IEEE bits), slices as u32
   length then bytes, in signature order, nothing between. */
#include "../call.h"
#include "../host.h"
#include "../sink.h"

#define SYMBOLON_INVOKE "symbolon.invoke/1"

enum {
  SYMBOLON_ENCODING_JSON = 0,     /* arguments: one object by name; results: one object, or one value a message */
  SYMBOLON_ENCODING_CANONICAL = 1 /* arguments and results in the canonical form */
};

typedef struct symbolon_invocation {
  uint32_t struct_size;
  uint32_t encoding;
  symbolon_slice method;    /* eg: "ledger.balance" */
  symbolon_slice arguments;
  uint32_t origin;          /* SYMBOLON_ORIGIN_…; used when the call has no parent */
  uint32_t allow_transition;/* non-zero: a TRANSITION method may run; `sender` and `transaction` go with it */
  const uint8_t *sender;    /* 32 bytes or NULL */
  uint64_t transaction;
} symbolon_invocation;

typedef struct symbolon_invoke {
  uint32_t struct_size;
  uint32_t reserved;
  /* Runs the method on this thread. `call` is the one this plugin is in, or one of its own with error (and cancelled)
     set. Results are messages to `sink`: a stream writes one message per item; otherwise exactly one message holds all
     results. A non-PUBLIC method called with origin PUBLIC is refused with SYMBOLON_PERMISSION_DENIED. [any] */
  int32_t (*invoke)(const symbolon_host *host, symbolon_call *call, const symbolon_invocation *what,
                    symbolon_sink *sink);
  /* Turns JSON arguments of `method` into the canonical form, with the same checks and messages. [any] */
  int32_t (*encode)(const symbolon_host *host, symbolon_call *call, symbolon_slice method, symbolon_slice json,
                    symbolon_sink *canonical);
} symbolon_invoke;
#endif
