/* Streams of every scalar, each message in canonical form: most significant byte first. */
#include <string.h>
#include <symbolon/symbolon.h>

static int32_t send(symbolon_sink *out, uint64_t value, unsigned width) {
  uint8_t bytes[8];
  for (unsigned i = 0; i < width; i++) bytes[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
  return out->write(out, (symbolon_slice){bytes, width});
}

static int32_t flags(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  int32_t status = send(out, 1, 1);
  return status ? status : send(out, 0, 1);
}

static int32_t integers(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  int32_t status = send(out, (uint32_t)-2, 4);
  return status ? status : send(out, 258, 4);
}

static int32_t counts(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  int32_t status = send(out, 0x0102030405060708, 8);
  return status ? status : send(out, UINT64_MAX, 8);
}

static int32_t fractions(void *self, symbolon_call *call, symbolon_sink *out) {
  static const double values[] = {2.5, -0.125};
  (void)self, (void)call;
  for (int i = 0; i < 2; i++) {
    uint64_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    int32_t status = send(out, bits, 8);
    if (status) return status;
  }
  return 0;
}

/* What is no value of its type, each after one that is: too short, and no truth value. */
static int32_t short_counts(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  int32_t status = send(out, 7, 8);
  return status ? status : send(out, 7, 4);
}

static int32_t odd_flags(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  int32_t status = send(out, 1, 1);
  return status ? status : send(out, 2, 1);
}

#define STREAM(name, type)                                                                                        \
  {sizeof(symbolon_method), SYMBOLON_READS | SYMBOLON_STREAMS, #name "() -> (items: stream<" type ">)", "Test", \
   (void (*)(void))name, NULL, NULL}
static const symbolon_method all[] = {
    STREAM(flags, "bool"),    STREAM(integers, "i32"),    STREAM(counts, "u64"),
    STREAM(fractions, "f64"), STREAM(short_counts, "u64"), STREAM(odd_flags, "bool")};
static const symbolon_method *const methods[] = {&all[0], &all[1], &all[2], &all[3], &all[4], &all[5]};

static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin),
    .abi = SYMBOLON_ABI,
    .id = "streams",
    .version = "1.0.0",
    .summary = "Streams of every scalar",
    .methods = methods,
    .method_count = 6};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
