#ifndef SYMBOLON_SERVICES_IDENTITY_H
#define SYMBOLON_SERVICES_IDENTITY_H
/* The node's Ed25519 key. The secret half stays with the host. */
#include "../call.h"
#include "../host.h"

#define SYMBOLON_IDENTITY "symbolon.identity/1"

typedef struct symbolon_identity {
  uint32_t struct_size;
  uint32_t reserved;
  void (*public_key)(const symbolon_host *host, uint8_t key[32]); /* [any] */
  /* Signs a message that begins with a domain tag "symbolon/…\0"; others are refused. Granted to the ledger. [any] */
  int32_t (*sign)(const symbolon_host *host, symbolon_slice message, uint8_t signature[64]);
} symbolon_identity;
#endif
