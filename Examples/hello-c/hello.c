/* A complete Symbolon plugin in C. Build it with one line:

     cc -std=c11 -fPIC -shared -fvisibility=hidden -I Sources/PluginAPI/include -o libhello.so Examples/hello-c/hello.c

   and add three lines to plugins.conf:

     [plugin.hello]
     library = "/path/to/libhello.so"
     home    = "worker"

   Then: symbolon hello greet --name Ada */
#include <stdio.h>
#include <symbolon/symbolon.h>

/* greet(name: text) -> (greeting: text) */
static int32_t greet(void *self, symbolon_call *call, symbolon_slice name, symbolon_sink *greeting) {
  char text[128];
  (void)self;
  if (name.size == 0 || name.size > 64)
    return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "bad_name", "A name has 1 to 64 bytes.");
  snprintf(text, sizeof text, "Hello, %.*s!", (int)name.size, (const char *)name.data);
  return greeting->write(greeting, symbolon_text(text));
}

/* add(a: i64, b: i64) -> (sum: i64) */
static int32_t add(void *self, symbolon_call *call, int64_t a, int64_t b, int64_t *sum) {
  (void)self;
  if (__builtin_add_overflow(a, b, sum))
    return symbolon_fail(call, SYMBOLON_OUT_OF_RANGE, "overflow", "The sum does not fit 64 bits.");
  return SYMBOLON_OK;
}

static const symbolon_method greet_method = {
    .struct_size = sizeof(symbolon_method), .flags = SYMBOLON_READS | SYMBOLON_PUBLIC,
    .signature = "greet(name: text) -> (greeting: text)", .summary = "Say hello", .function = (void (*)(void))greet};
static const symbolon_method add_method = {
    .struct_size = sizeof(symbolon_method), .flags = SYMBOLON_READS | SYMBOLON_PUBLIC,
    .signature = "add(a: i64, b: i64) -> (sum: i64)", .summary = "Add two numbers", .function = (void (*)(void))add,
    .defaults = "{\"b\":1}"};
static const symbolon_method *const method_table[] = {&greet_method, &add_method};

static const symbolon_plugin hello = {
    .struct_size = sizeof(symbolon_plugin), .abi = SYMBOLON_ABI, .id = "hello", .version = "1.0.0",
    .summary = "Says hello, in C", .methods = method_table, .method_count = 2};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  return host_abi >= SYMBOLON_ABI ? &hello : NULL;
}
