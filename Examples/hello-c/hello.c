/* A complete plugin: two methods, no state. Built with one line and dropped in with three:

     cc -shared -fPIC -O2 -I Sources/PluginAPI/include Examples/hello-c/hello.c -o libhello.so

     [plugin.hello]
     library = "libhello.so"
     home    = "host"                                                                                              */
#include <stdio.h>
#include <symbolon/symbolon.h>

/* Arguments come by value, a text goes out through a sink. */
static int32_t greet(void *self, symbolon_call *call, symbolon_slice name, symbolon_sink *greeting) {
  char text[256];
  (void)self;
  if (name.size == 0 || name.size > 200)
    return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "name_length", "Give a name of 1 to 200 bytes.");
  snprintf(text, sizeof text, "Hello, %.*s!", (int)name.size, (const char *)name.data);
  return greeting->write(greeting, symbolon_text(text));
}

/* A stream is any number of messages, each in canonical form; write() says when nobody reads any more. */
static int32_t countdown(void *self, symbolon_call *call, uint32_t from, symbolon_sink *numbers) {
  (void)self;
  if (from > 1000) return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "too_many", "Count from 1000 or less.");
  for (;; from--) {
    uint8_t bytes[4] = {(uint8_t)(from >> 24), (uint8_t)(from >> 16), (uint8_t)(from >> 8), (uint8_t)from};
    int32_t status = numbers->write(numbers, (symbolon_slice){bytes, sizeof bytes});
    if (status != SYMBOLON_OK || from == 0) return status;
  }
}

static const symbolon_method greet_method = {
    .struct_size = sizeof(symbolon_method),
    .flags = SYMBOLON_READS | SYMBOLON_PUBLIC,
    .signature = "greet(name: text) -> (greeting: text)",
    .summary = "Say hello",
    .function = (void (*)(void))greet,
    .defaults = "{\"name\":\"world\"}"};

static const symbolon_method countdown_method = {
    .struct_size = sizeof(symbolon_method),
    .flags = SYMBOLON_READS | SYMBOLON_PUBLIC | SYMBOLON_STREAMS,
    .signature = "countdown(from: u32) -> (numbers: stream<u32>)",
    .summary = "Count down to zero",
    .function = (void (*)(void))countdown};

static const symbolon_method *const methods[] = {&greet_method, &countdown_method};

static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin), .abi = SYMBOLON_ABI, .id = "hello", .version = "1.0.0",
    .summary = "A plugin in C", .methods = methods, .method_count = 2};

const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) { return host_abi >= SYMBOLON_ABI ? &plugin : NULL; }
