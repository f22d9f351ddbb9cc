#ifndef SYMBOLON_SERVICES_EVENTS_H
#define SYMBOLON_SERVICES_EVENTS_H
/* News between layers: fire and forget, in order for each topic, delivered once to each live subscriber.
   Topics begin with the publisher's id ("governance.parameters"); the host's own begin with "host.". */
#include "../host.h"
#include "../slice.h"

#define SYMBOLON_EVENTS "symbolon.events/1"

typedef struct symbolon_events {
  uint32_t struct_size;
  uint32_t reserved;
  /* Queues the event. Returns SYMBOLON_RESOURCE_EXHAUSTED when 4,096 wait already. [any] */
  int32_t (*publish)(const symbolon_host *host, symbolon_slice topic, symbolon_slice json);
  /* Calls `deliver` for each later event of the topic, one at a time, until the subscriber's stop(); the slices are
     borrowed for that call. `deliver` returns soon and does not publish in a loop. [any] */
  int32_t (*subscribe)(const symbolon_host *host, symbolon_slice topic, void *context,
                       void (*deliver)(void *context, symbolon_slice topic, symbolon_slice json));
} symbolon_events;
#endif
