#ifndef SYMBOLON_HOST_H
#define SYMBOLON_HOST_H
/* What the host gives to a plugin. One host struct per plugin generation, valid until destroy() returns. */
#include "abi.h"

typedef struct symbolon_host {
  uint32_t struct_size;
  uint32_t abi;          /* SYMBOLON_ABI of the host */
  const char *version;   /* of the host, eg: "0.1.0" */
  const char *plugin_id; /* under which plugins.conf loads this plugin */
  void *context;         /* the host's */
  /* A service by id and revision, eg: "symbolon.log/1" → const symbolon_log *. NULL when unknown or not granted.
     OWNERSHIP: the host's, valid until destroy() returns. [any] */
  const void *(*service)(const struct symbolon_host *host, const char *id);
} symbolon_host;
#endif
