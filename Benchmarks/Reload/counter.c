/* What the load calls while it is replaced: gives back what it gets, and counts how often it ran.

   Each instance adds its count to a file when it is stopped, so that the sum over all versions can be compared with the
   number of calls: a call that was lost, or ran twice, shows. With -DSTATE the last number is handed over. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <symbolon/symbolon.h>

typedef struct counter {
  _Atomic uint64_t calls, last;
  char path[512];
} counter;

static int32_t create(const symbolon_host *host, symbolon_call *call, void **out) {
  const symbolon_storage *storage = (const symbolon_storage *)host->service(host, SYMBOLON_STORAGE);
  counter *self = calloc(1, sizeof *self);
  if (!self || !storage) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_memory", "No memory.");
  snprintf(self->path, sizeof self->path, "%s/executed", storage->folder(host));
  *out = self;
  return SYMBOLON_OK;
}

/* No call runs: what was counted is written down, once. */
static void stop(void *instance) {
  counter *self = instance;
  FILE *file = fopen(self->path, "a");
  if (!file) abort();
  fprintf(file, "%llu\n", (unsigned long long)self->calls);
  fclose(file);
  self->calls = 0;
}

static void destroy(void *instance) { free(instance); }

static int32_t take(void *instance, symbolon_call *call, uint64_t number, uint64_t *back) {
  counter *self = instance;
  (void)call;
  self->calls++;
  self->last = number;
  *back = number;
  return SYMBOLON_OK;
}

#ifdef STATE
static int32_t export_state(void *instance, symbolon_call *call, uint32_t version, symbolon_sink *out) {
  counter *self = instance;
  uint64_t last = self->last;
  (void)call, (void)version;
  return out->write(out, (symbolon_slice){(const uint8_t *)&last, sizeof last});
}

static int32_t import_state(void *instance, symbolon_call *call, uint32_t version, symbolon_slice state) {
  uint64_t last;
  (void)version;
  if (state.size != sizeof last) return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "bad_state", "No state.");
  memcpy(&last, state.data, sizeof last);
  ((counter *)instance)->last = last;
  return SYMBOLON_OK;
}

static const uint32_t versions[] = {1};
static const symbolon_state state = {sizeof(symbolon_state), 1, "org.example.bench", versions, versions, 1, 1,
                                     export_state, import_state};

static const void *extension(const char *id) { return strcmp(id, SYMBOLON_STATE) == 0 ? &state : NULL; }
#endif

static const symbolon_method method = {.struct_size = sizeof(symbolon_method),
                                       .flags = SYMBOLON_READS,
                                       .signature = "take(number: u64) -> (number: u64)",
                                       .summary = "Give a number back",
                                       .function = (void (*)(void))take};
static const symbolon_method *const methods[] = {&method};
static const symbolon_plugin plugin = {.struct_size = sizeof(symbolon_plugin),
                                       .abi = SYMBOLON_ABI,
                                       .id = "counter",
                                       .version = VERSION,
                                       .summary = "A counter for measurements",
                                       .methods = methods,
                                       .method_count = 1,
                                       .create = create,
#ifdef STATE
                                       .extension = extension,
#endif
                                       .stop = stop,
                                       .destroy = destroy};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
