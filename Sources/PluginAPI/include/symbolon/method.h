#ifndef SYMBOLON_METHOD_H
#define SYMBOLON_METHOD_H
/* What a plugin offers: an ordinary typed C function and one line of text, its signature.

     int32_t f(void *self, symbolon_call *call, <arguments>, <results>)

   Signature:  transfer(from: bytes, to: bytes, amount: u64) -> (receipt: bytes)
     type                argument                 result
     bool                uint8_t (0 or 1)         uint8_t *
     i32 u32 i64 u64     int32_t … uint64_t       int32_t * … uint64_t *
     f64                 double                   double *
     text bytes json     symbolon_slice by value  symbolon_sink *, exactly one message
     stream<T>           not allowed              symbolon_sink *, any number; only as the last result

   At most 16 arguments and results together; names match [a-z][a-z0-9_]*, 48 bytes at most. The names are part of
   the signature; the method's identity is SHA-256 of the canonical signature (one space after ':' and ',', " -> ").
   The host checks number, type, UTF-8 and bool range before the function is called. */
#include "abi.h"
#include "call.h"
#include "sink.h"
#include "slice.h"

enum {
  SYMBOLON_READS = 1u << 0,      /* no effects, safe to retry */
  SYMBOLON_TRANSITION = 1u << 1, /* changes ledger state; reached only through a signed transaction */
  SYMBOLON_PUBLIC = 1u << 2,     /* offered on the HTTP edge without a permission */
  SYMBOLON_STREAMS = 1u << 3     /* the last result is a stream<T> */
};

typedef struct symbolon_method {
  uint32_t struct_size;
  uint32_t flags;        /* SYMBOLON_READS | … ; an unknown flag is refused */
  const char *signature; /* eg: "greet(name: text) -> (greeting: text)"; the name is unique in the plugin */
  const char *summary;   /* eg: "Say hello"; one line, shown in help and OpenAPI */
  void (*function)(void); /* the C function, cast */
  const char *defaults;  /* eg: "{\"limit\":50}": for CLI and HTTP callers that leave an argument out; NULL = none */
  const char *command;   /* eg: "key create": a second name on the command line; NULL = none */
  /* Since 1.1 */
  uint32_t deadline_ms;  /* how long a call may take when its caller names no deadline; 0 = none */
  uint32_t reserved;     /* 0 */
} symbolon_method;
#endif
