#ifndef SYMBOLON_SERVICES_RANDOM_H
#define SYMBOLON_SERVICES_RANDOM_H
/* Unpredictable bytes, fit for keys. Never used in a transition. */
#include "../host.h"

#define SYMBOLON_RANDOM "symbolon.random/1"

typedef struct symbolon_random {
  uint32_t struct_size;
  uint32_t reserved;
  void (*fill)(const symbolon_host *host, uint8_t *bytes, uint64_t count); /* [any] */
} symbolon_random;
#endif
