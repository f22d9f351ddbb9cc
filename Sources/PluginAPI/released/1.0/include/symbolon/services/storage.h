#ifndef SYMBOLON_SERVICES_STORAGE_H
#define SYMBOLON_SERVICES_STORAGE_H
/* A folder of the plugin's own, mode 0700, the same for all generations. */
#include "../host.h"

#define SYMBOLON_STORAGE "symbolon.storage/1"

typedef struct symbolon_storage {
  uint32_t struct_size;
  uint32_t reserved;
  /* Absolute path without a trailing slash; exists. OWNERSHIP: the host's, until destroy() returns. [any] */
  const char *(*folder)(const symbolon_host *host);
} symbolon_storage;
#endif
