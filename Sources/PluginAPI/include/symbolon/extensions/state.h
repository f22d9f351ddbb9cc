#ifndef SYMBOLON_EXTENSIONS_STATE_H
#define SYMBOLON_EXTENSIONS_STATE_H
/* State that a plugin holds itself and hands to its next version. Ledger state needs none of this: it belongs to the
   ledger and outlives every version.

   At a reload the host drains the old generation, takes its state in a version that both know, gives it to the new
   one, takes it again from there and compares the bytes. So the written form of a state is canonical: the same state
   is always the same bytes. A downgrade goes the same way, which is why both lists usually hold older versions too. */
#include "../abi.h"
#include "../call.h"
#include "../sink.h"
#include "../slice.h"

#define SYMBOLON_STATE "symbolon.state/1"

typedef struct symbolon_state {
  uint32_t struct_size;
  uint32_t schema_version;  /* what this build works with, from 1 */
  const char *schema_id;    /* what the state is, the same in all builds, eg: "org.example.counter" */
  const uint32_t *imports;  /* versions that import_state takes, its own among them */
  const uint32_t *exports;  /* versions that export_state writes, its own among them */
  uint32_t import_count;    /* at most 64 */
  uint32_t export_count;    /* at most 64 */
  /* Writes the whole state in the form of `version`, as one or more messages that belong together. The instance goes
     on to hold it. No call runs in it. At most 256 MiB. [control & started] */
  int32_t (*export_state)(void *self, symbolon_call *call, uint32_t version, symbolon_sink *state);
  /* Takes the place of whatever state the instance has. A failure leaves the old generation serving.
     OWNERSHIP: the host's, borrowed for this call. [control & created & !started] */
  int32_t (*import_state)(void *self, symbolon_call *call, uint32_t version, symbolon_slice state);
} symbolon_state;
#endif
