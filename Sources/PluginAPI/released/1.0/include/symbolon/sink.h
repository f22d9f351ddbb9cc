#ifndef SYMBOLON_SINK_H
#define SYMBOLON_SINK_H
/* Where a method puts results that are not scalars.

   A `text`, `bytes` or `json` result is exactly one message. A `stream<T>` result is any number of messages, each the
   canonical form of one T (for text, bytes and json: the bare bytes). */
#include "slice.h"

typedef struct symbolon_sink {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  void *context;     /* the owner's */
  /* Takes a copy of the message. May block until the receiver has room.
     Returns SYMBOLON_OK, or another status (SYMBOLON_CANCELLED: the receiver has gone away): then stop, clean up and
     return that status. [call] */
  int32_t (*write)(struct symbolon_sink *sink, symbolon_slice message);
} symbolon_sink;
#endif
