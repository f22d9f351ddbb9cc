#ifndef SYMBOLON_PLUGIN_H
#define SYMBOLON_PLUGIN_H
/* The one exported symbol and the life of a plugin.

     entry → create → start ⇄ stop → destroy          (entry may be called more than once: it only describes)

   A reload starts the new generation before the old one is stopped, so both are alive for a while, unless the plugin
   is SYMBOLON_PLUGIN_EXCLUSIVE: then calls wait, the old one is stopped, the new one started; if that fails, the old
   one is started again. The library is never unmapped. */
#include "abi.h"
#include "call.h"
#include "host.h"
#include "import.h"
#include "method.h"

enum {
  SYMBOLON_PLUGIN_EXCLUSIVE = 1u << 0, /* holds something that two generations cannot hold at once */
  SYMBOLON_PLUGIN_FRONT = 1u << 1      /* lets the outside in: started after all others, stopped before them */
};

typedef struct symbolon_plugin {
  uint32_t struct_size;
  uint32_t abi;         /* SYMBOLON_ABI that the plugin was built with */
  uint32_t flags;       /* SYMBOLON_PLUGIN_… */
  uint32_t reserved;    /* 0 */
  const char *id;       /* eg: "org.example.hello"; [a-z][a-z0-9_.-]*, at most 64 */
  const char *version;  /* eg: "1.2.0" */
  const char *summary;  /* one line */
  const symbolon_method *const *methods;
  const symbolon_import *const *imports;
  uint32_t method_count;
  uint32_t import_count;
  /* Makes an instance and stores it in *self; no thread, port or lock is taken yet. May be NULL (self = NULL).
     Errors: status and call->error. [control] */
  int32_t (*create)(const symbolon_host *host, symbolon_call *call, void **self);
  /* Takes resources and begins to serve. Calls may arrive before it returns. May be NULL. [control] */
  int32_t (*start)(void *self, symbolon_call *call);
  /* Gives back what start took; no call is running and none will come until the next start. May be NULL. [control] */
  void (*stop)(void *self);
  /* Frees the instance. May be NULL. [control] */
  void (*destroy)(void *self);
  /* Optional features by id, eg: "symbolon.routes/1"; NULL = not offered. May be NULL. [any] */
  const void *(*extension)(const char *id);
} symbolon_plugin;

/* Describes the plugin. Pure and fast: no side effects, at most 100 ms. `host_abi` is the host's SYMBOLON_ABI; the
   plugin answers with the one it was built with and the host decides.
   OWNERSHIP: static data of the plugin, valid for the life of the process. NULL = cannot run on this host. [control] */
SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi);
#endif
