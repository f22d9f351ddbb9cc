/* A plugin that fetches what it is told to; -DGRANT='"host:example.org"' is what it asks the operator for. */
#include <string.h>
#include <symbolon/symbolon.h>

static int32_t (*edge_fetch)(symbolon_call *call, symbolon_slice request, symbolon_sink *out);

/* get(request: json) -> (response: json) */
static int32_t get(void *self, symbolon_call *call, symbolon_slice request, symbolon_sink *out) {
  (void)self;
  return edge_fetch(call, request, out);
}

static const symbolon_import import = {sizeof(symbolon_import), SYMBOLON_IMPORT_OPTIONAL, "edge",
                                       "fetch(request: json) -> (response: json)", (void (**)(void)) & edge_fetch};
static const symbolon_import *const imports[] = {&import};
static const symbolon_method method = {
    sizeof(symbolon_method), 0, "get(request: json) -> (response: json)", "Fetch", (void (*)(void))get, NULL, NULL};
static const symbolon_method *const methods[] = {&method};

static const void *extension(const char *id) {
#ifdef GRANT
  static const char *const list[] = {GRANT};
  static const symbolon_permissions permissions = {sizeof(symbolon_permissions), 1, list};
  if (strcmp(id, SYMBOLON_PERMISSIONS) == 0) return &permissions;
#endif
  (void)id;
  return NULL;
}

static const symbolon_plugin plugin = {.struct_size = sizeof(symbolon_plugin),
                                       .abi = SYMBOLON_ABI,
                                       .id = "fetcher",
                                       .version = "1.0.0",
                                       .summary = "Fetches",
                                       .methods = methods,
                                       .imports = imports,
                                       .method_count = 1,
                                       .import_count = 1,
                                       .extension = extension};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
