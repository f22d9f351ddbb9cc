#ifndef SYMBOLON_IMPORT_H
#define SYMBOLON_IMPORT_H
/* What a plugin needs from others: another layer's method as a typed C function pointer.

     static int32_t (*ledger_balance)(symbolon_call *call, symbolon_slice account, uint64_t *amount);

   The host fills the slot before create(). The pointer finds the provider's current generation at every call, so it
   stays good when the provider is reloaded, moved or stopped (then: SYMBOLON_UNAVAILABLE). It may be used on any
   thread until destroy() returns. Pass the call you were given; outside of one, a zeroed symbolon_call with
   struct_size and error set. */
#include "abi.h"

enum {
  SYMBOLON_IMPORT_OPTIONAL = 1u << 0 /* without a provider calls return SYMBOLON_UNAVAILABLE; loading does not fail */
};

typedef struct symbolon_import {
  uint32_t struct_size;
  uint32_t flags;
  const char *plugin;    /* eg: "ledger" */
  const char *signature; /* eg: "balance(account: bytes) -> (amount: u64)"; must equal the provider's */
  void (**slot)(void);   /* filled by the host */
} symbolon_import;
#endif
