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
  /* One JSON object: {"host":{"version"},"revision":n,"plugins":[…]}, the plugins that are loaded, in the order of
     their start. Each is

       {"id","version","summary","library_sha256","generation",
        "home":"host"|"worker","state","running_calls",
        "permissions":["subscribe:ledger.block"],            what was granted
        "confinement":{"files":true,…}|null,"restarts":n,    of a worker
        "methods":[{"name","signature","summary","flags":["reads"|"transition"|"public"|"streams"],
          "parameters":[{"name","type","default"?}],"results":[{"name","type"}],"command"?,
          "calls","errors","in_flight","latency":{"count","sum_ns","buckets":[[upper_bound_ns,cumulative_count]],
          "p50_ns"?,"p99_ns"?}}],
        "routes":[{"verb","path","method"}]}

     A state is one of running, probation, permanent, draining and failed. Calls, errors and latencies are those since
     the start of the node, over all generations. Fields may be added. [any] */
  int32_t (*json)(const symbolon_host *host, symbolon_sink *json);
} symbolon_catalog;
#endif
