#ifndef SYMBOLON_EXTENSIONS_PERMISSIONS_H
#define SYMBOLON_EXTENSIONS_PERMISSIONS_H
/* What a plugin asks for beyond its own folder, settings, log, clocks and random bytes. One text each:

     service:symbolon.catalog/1   a service of the host (catalog, events, identity, invoke, sockets)
     call:ledger.submit           this method, by name through symbolon.invoke/1; call:* any. Imports need no line.
     publish:news.*               events of these topics, besides those that begin with the plugin's own id
     subscribe:ledger.block       events of this topic; a last * stands for any ending
     host:api.example.org         outbound HTTP to this host through edge.fetch
     connect:5432                 outbound TCP to this port (only a worker can be held to it)
     read:/srv/models             files below this folder (only a worker can be held to it)
     write:/srv/exchange          the same, to change them as well
     memory:512                   MiB of memory, when the host's default for a worker is too little

   Whoever has symbolon.events/1 may publish and hear topics that begin with its own id and a dot, and hear the host's
   (host.*). Any publish: or subscribe: line opens that service, any call: line symbolon.invoke/1; their service: lines
   open them too, with no topic and no method of others. An import is granted by its declaration.

   An operator sees the list before a plugin runs, and what an upgrade adds before it replaces the old version; an
   operator's own list (`permissions` in plugins.conf) is the most that is granted, and when it names a call:, imports
   are held to it too. What was not granted is refused: a service is NULL, a call (also one through an import's slot) or
   an event ends with SYMBOLON_PERMISSION_DENIED. */
#include "../abi.h"

#define SYMBOLON_PERMISSIONS "symbolon.permissions/1"

typedef struct symbolon_permissions {
  uint32_t struct_size;
  uint32_t count;                 /* at most 256 */
  const char *const *permissions; /* eg: "subscribe:ledger.block" */
} symbolon_permissions;
#endif
