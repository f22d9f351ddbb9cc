/* A plugin that gives back what it gets: what a call costs when the method costs nothing. */
#include <symbolon/symbolon.h>

static int32_t echo(void *self, symbolon_call *call, symbolon_slice data, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, data);
}

static const symbolon_method method = {
    sizeof(symbolon_method), SYMBOLON_READS, "echo(data: bytes) -> (data: bytes)", "Give back", (void (*)(void))echo,
    NULL, NULL};
static const symbolon_method *const methods[] = {&method};
static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin),
    .abi = SYMBOLON_ABI,
    .id = "echo",
    .version = "1.0.0",
    .summary = "Gives back what it gets",
    .methods = methods,
    .method_count = 1};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
