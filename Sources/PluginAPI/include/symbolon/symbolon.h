#ifndef SYMBOLON_SYMBOLON_H
#define SYMBOLON_SYMBOLON_H
/* The Symbolon plugin contract. Read in this order; each header holds one concept.

     abi.h       version, export macro, rules of evolution, thread roles
     status.h    what a call can end with
     slice.h     borrowed bytes in          sink.h   messages out
     call.h      what travels with every call
     method.h    what a plugin offers       import.h what it needs
     plugin.h    the one exported symbol    host.h   what the host gives
     services/   what `host->service(host, id)` answers
     extensions/ what `plugin->extension(id)` may answer

   A complete plugin in C: Examples/hello-c/hello.c. */
#include "abi.h"
#include "status.h"
#include "slice.h"
#include "sink.h"
#include "call.h"
#include "method.h"
#include "import.h"
#include "host.h"
#include "plugin.h"
#include "services/catalog.h"
#include "services/clock.h"
#include "services/config.h"
#include "services/events.h"
#include "services/identity.h"
#include "services/invoke.h"
#include "services/log.h"
#include "services/random.h"
#include "services/sockets.h"
#include "services/storage.h"
#include "extensions/offline.h"
#include "extensions/permissions.h"
#include "extensions/routes.h"
#include "extensions/state.h"
#endif
