/* Its method row forgets struct_size: the fields behind it may be anything. */
#include <symbolon/symbolon.h>

static int32_t ask(void *self, symbolon_call *call, symbolon_sink *answer) {
  (void)self, (void)call;
  return answer->write(answer, symbolon_text("yes"));
}

static const symbolon_method ask_method = {
    .signature = "ask() -> (answer: text)", .summary = "Ask", .function = (void (*)(void))ask};
static const symbolon_method *const methods[] = {&ask_method};
static const symbolon_plugin plugin = {.struct_size = sizeof(symbolon_plugin),
                                       .abi = SYMBOLON_ABI,
                                       .id = "broken",
                                       .version = "1.0.0",
                                       .summary = "Broken on purpose",
                                       .methods = methods,
                                       .method_count = 1};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
