/* A plugin of a later release than ours: its description and its method row are longer. What they hold there, and
   which size they claim, is chosen by -D. */
#include <symbolon/symbolon.h>

#ifndef PLUGIN_TAIL
#define PLUGIN_TAIL 0
#endif
#ifndef PLUGIN_SIZE
#define PLUGIN_SIZE sizeof(longer_plugin)
#endif
#ifndef METHOD_TAIL
#define METHOD_TAIL 0
#endif
#ifndef METHOD_SIZE
#define METHOD_SIZE sizeof(longer_method)
#endif

typedef struct longer_plugin {
  symbolon_plugin plugin;
  uint64_t tail[3];
} longer_plugin;

typedef struct longer_method {
  symbolon_method method;
  uint64_t tail[3];
} longer_method;

/* version() -> (version: text) */
static int32_t version(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, symbolon_text("later"));
}

static const longer_method method = {
    .method = {.struct_size = METHOD_SIZE,
               .flags = SYMBOLON_READS,
               .signature = "version() -> (version: text)",
               .summary = "The version",
               .function = (void (*)(void))version},
    .tail = {0, 0, METHOD_TAIL}};
static const symbolon_method *const methods[] = {&method.method};

static const longer_plugin plugin = {
    .plugin = {.struct_size = PLUGIN_SIZE,
               .abi = SYMBOLON_ABI,
               .id = "fixture",
               .version = "later",
               .summary = "A plugin of a later release",
               .methods = methods,
               .method_count = 1},
    .tail = {0, 0, PLUGIN_TAIL}};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin.plugin;
}
