#ifndef SYMBOLON_SERVICES_CATALOG_H
#define SYMBOLON_SERVICES_CATALOG_H
/* What runs here: plugins, their methods and routes. */
#include "../host.h"
#include "../sink.h"

#define SYMBOLON_CATALOG "symbolon.catalog/1"

typedef struct symbolon_catalog {
  uint32_t struct_size;
  uint32_t reserved;
  /* Grows whenever the catalog changes; the event "host.catalog" says so too. [any] */
  uint64_t (*revision)(const symbolon_host *host);
  /* One JSON object: {"host":{"version"},"revision":n,"plugins":[{"id","version","summary","library_sha256",
     "generation","state","methods":[{"name","signature","summary","flags":["reads"],"parameters":[{"name","type",
     "default"?}],"results":[{"name","type"}],"command"?,"calls","errors"}],"routes":[{"verb","path","method"}]}]} [any] */
  int32_t (*json)(const symbolon_host *host, symbolon_sink *json);
} symbolon_catalog;
#endif
