/* sample: a Symbolon plugin in C. `make` builds libsample.so, `make test` runs its test and the conformance test.

   Each method is an ordinary function and one line of text. The host derives the rest: `symbolon sample greet --help`,
   POST /v1/methods/sample.greet, and its entry in /openapi.json. */
#include <stdio.h>
#include <stdlib.h>
#include <symbolon/symbolon.h>

/* What one instance knows: made in create, freed in destroy. Nothing is global, because two generations of this
   library are alive for a moment when it is replaced. */
typedef struct sample {
  const symbolon_host *host;
  const symbolon_log *log; /* NULL when the operator does not grant it */
} sample;

/* greet(name: text) -> (greeting: text) */
static int32_t greet(void *self, symbolon_call *call, symbolon_slice name, symbolon_sink *greeting) {
  char text[96];
  (void)self;
  if (name.size == 0 || name.size > 64)
    return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "bad_name", "A name has 1 to 64 bytes.");
  int length = snprintf(text, sizeof text, "Hello, ");
  for (uint64_t i = 0; i < name.size; i++) text[length++] = (char)name.data[i];
  text[length++] = '!';
  symbolon_slice message = {(const uint8_t *)text, (uint64_t)length};
  return greeting->write(greeting, message);
}

/* count(limit: u32) -> (numbers: stream<u32>): a stream ends when its receiver has gone away. */
static int32_t count(void *self, symbolon_call *call, uint32_t limit, symbolon_sink *numbers) {
  (void)self;
  for (uint32_t number = 0; number < limit; number++) {
    /* The canonical form: four bytes, most significant first. */
    uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    symbolon_slice message = {bytes, sizeof bytes};
    int32_t status = numbers->write(numbers, message);
    if (status != SYMBOLON_OK) return status;
    if (call->cancelled && call->cancelled(call))
      return symbolon_fail(call, SYMBOLON_CANCELLED, "cancelled", "Nobody waits for the numbers any more.");
  }
  return SYMBOLON_OK;
}

static int32_t create(const symbolon_host *host, symbolon_call *call, void **self) {
  sample *made = calloc(1, sizeof *made);
  if (!made) return symbolon_fail(call, SYMBOLON_RESOURCE_EXHAUSTED, "no_memory", "There is no memory for an instance.");
  made->host = host;
  made->log = (const symbolon_log *)host->service(host, SYMBOLON_LOG);
  *self = made;
  return SYMBOLON_OK;
}

static int32_t start(void *self, symbolon_call *call) {
  sample *own = (sample *)self;
  (void)call;
  if (own->log) own->log->write(own->host, SYMBOLON_LOG_INFO, symbolon_text("sample is ready"), symbolon_text("{}"));
  return SYMBOLON_OK;
}

static void destroy(void *self) { free(self); }

static const symbolon_method greet_method = {
    .struct_size = sizeof(symbolon_method), .flags = SYMBOLON_READS | SYMBOLON_PUBLIC,
    .signature = "greet(name: text) -> (greeting: text)", .summary = "Say hello", .function = (void (*)(void))greet};
static const symbolon_method count_method = {
    .struct_size = sizeof(symbolon_method), .flags = SYMBOLON_READS | SYMBOLON_STREAMS,
    .signature = "count(limit: u32) -> (numbers: stream<u32>)", .summary = "Count", .function = (void (*)(void))count,
    .defaults = "{\"limit\":3}"};
static const symbolon_method *const methods[] = {&greet_method, &count_method};

static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin), .abi = SYMBOLON_ABI, .id = "sample", .version = "0.1.0",
    .summary = "Says hello and counts", .methods = methods, .method_count = 2,
    .create = create, .start = start, .destroy = destroy};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  return host_abi >= SYMBOLON_ABI ? &plugin : NULL;
}
