#ifndef SYMBOLON_SERVICES_SOCKETS_H
#define SYMBOLON_SERVICES_SOCKETS_H
/* Listening sockets. The host owns them, so that a reload of the edge closes no port. Granted to the edge. */
#include "../call.h"
#include "../host.h"

#define SYMBOLON_SOCKETS "symbolon.sockets/1"

typedef struct symbolon_sockets {
  uint32_t struct_size;
  uint32_t reserved;
  /* A duplicate of the bound, listening, non-blocking TCP socket of [host] listen in *descriptor; the plugin closes
     it. SYMBOLON_FAILED_PRECONDITION when plugins.conf names no address. [any] */
  int32_t (*listening)(const symbolon_host *host, symbolon_call *call, int32_t *descriptor);
} symbolon_sockets;
#endif
