/* A counter that hands its state to its next version; what is wrong with it, or slow, is chosen by -D.

   It keeps the count in its folder under a name that carries the schema: what the new version writes while the old one
   still serves never takes the place of what the old one reads after a crash. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <symbolon/symbolon.h>
#include <unistd.h>

#ifndef ID
#define ID "counter"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif
#ifndef SCHEMA
#define SCHEMA 1
#endif
#ifndef SCHEMA_ID
#define SCHEMA_ID "org.example.counter"
#endif
#ifndef KNOWN
#define KNOWN 1, 2
#endif
#ifndef SLOW_CREATE
#define SLOW_CREATE 0
#endif
#ifndef SLOW_EXPORT
#define SLOW_EXPORT 0
#endif
#ifndef SLOW_IMPORT
#define SLOW_IMPORT 0
#endif
#ifndef SLOW_STOP
#define SLOW_STOP 0
#endif
#ifndef SLOW_START
#define SLOW_START 0
#endif

typedef struct counter {
  pthread_mutex_t lock;
  uint64_t value;
  char path[512];
} counter;

/* The file holds the new value, whole, when this returns. */
static int32_t keep(counter *self, symbolon_call *call) {
  char draft[600];
  snprintf(draft, sizeof draft, "%s.%p.draft", self->path, (void *)self);
  FILE *file = fopen(draft, "w");
  if (!file) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_file", "The file cannot be made.");
  int written = fprintf(file, "%llu\n", (unsigned long long)self->value);
  if (fclose(file) != 0 || written < 0 || rename(draft, self->path) != 0)
    return symbolon_fail(call, SYMBOLON_INTERNAL, "no_file", "The file cannot be written.");
  return SYMBOLON_OK;
}

/* Until somebody makes the file; for ten minutes at most, so that nothing is left running. */
static void wait_for(const char *path) {
  for (int i = 0; i < 300000 && access(path, F_OK) != 0; i++) usleep(2000);
}

static int32_t create(const symbolon_host *host, symbolon_call *call, void **out) {
  const symbolon_storage *storage = (const symbolon_storage *)host->service(host, SYMBOLON_STORAGE);
  counter *self = calloc(1, sizeof *self);
  unsigned long long value = 0;
  usleep(SLOW_CREATE * 1000);
#ifdef FAILS_TO_CREATE
  return symbolon_fail(call, SYMBOLON_FAILED_PRECONDITION, "no_luck", "It does not work out today.");
#endif
  if (!self || !storage) return symbolon_fail(call, SYMBOLON_INTERNAL, "no_memory", "No memory.");
  pthread_mutex_init(&self->lock, NULL);
  snprintf(self->path, sizeof self->path, "%s/count.%d", storage->folder(host), SCHEMA);
  FILE *file = fopen(self->path, "r");
  if (file) {
    if (fscanf(file, "%llu", &value) != 1) value = 0;
    fclose(file);
  }
  self->value = value;
  *out = self;
  return SYMBOLON_OK;
}

static int32_t start(void *self, symbolon_call *call) {
  (void)self, (void)call;
  usleep(SLOW_START * 1000);
#ifdef START_GATE
  wait_for(START_GATE);
#endif
#ifdef FAILS_TO_START
  return symbolon_fail(call, SYMBOLON_UNAVAILABLE, "no_start", "The engine does not turn over.");
#endif
#ifdef DIES_AT_START
  abort();
#endif
  return SYMBOLON_OK;
}

#ifdef DIES_AFTER_STOP
static void *die_soon(void *context) {
  usleep(100000);
  _exit(3);
  return context;
}
#endif

static void stop(void *self) {
  (void)self;
  usleep(SLOW_STOP * 1000);
#ifdef STOP_GATE
  wait_for(STOP_GATE);
#endif
#ifdef DIES_AFTER_STOP
  pthread_t thread;
  pthread_create(&thread, NULL, die_soon, NULL);
#endif
}

static void destroy(void *self) { free(self); }

/* increment() -> (value: u64) */
static int32_t increment(void *instance, symbolon_call *call, uint64_t *value) {
  counter *self = instance;
  pthread_mutex_lock(&self->lock);
  self->value++;
  int32_t status = keep(self, call);
  *value = self->value;
  pthread_mutex_unlock(&self->lock);
  return status;
}

/* count() -> (value: u64) */
static int32_t count(void *instance, symbolon_call *call, uint64_t *value) {
  counter *self = instance;
  (void)call;
  pthread_mutex_lock(&self->lock);
  *value = self->value;
  pthread_mutex_unlock(&self->lock);
  return SYMBOLON_OK;
}

/* version() -> (version: text) */
static int32_t version(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, symbolon_text(VERSION));
}

/* hold(gate: text): keeps the call until there is a file of this name */
static int32_t hold(void *self, symbolon_call *call, symbolon_slice gate) {
  char path[512];
  (void)self, (void)call;
  snprintf(path, sizeof path, "%.*s", (int)gate.size, (const char *)gate.data);
  wait_for(path);
  return SYMBOLON_OK;
}

/* flaw(): fails, in this build */
static int32_t flaw(void *self, symbolon_call *call) {
  (void)self;
#ifdef FLAWED
  return symbolon_fail(call, SYMBOLON_INTERNAL, "flaw", "It fails.");
#else
  (void)call;
  return SYMBOLON_OK;
#endif
}

static int32_t export_state(void *instance, symbolon_call *call, uint32_t version, symbolon_sink *out) {
  counter *self = instance;
  uint64_t value = self->value;
  usleep(SLOW_EXPORT * 1000);
#ifdef FAILS_TO_EXPORT
  return symbolon_fail(call, SYMBOLON_INTERNAL, "no_export", "The state sticks.");
#endif
#ifdef DIFFERS
  value++;
#endif
  if (version == 1) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    return out->write(out, (symbolon_slice){bytes, 8});
  }
  if (version == 2) {
    char text[40];
    snprintf(text, sizeof text, "count=%llu\n", (unsigned long long)value);
    int32_t status = out->write(out, symbolon_text("counter 2\n"));
    return status != SYMBOLON_OK ? status : out->write(out, symbolon_text(text));
  }
  return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "no_version", "There is no such version.");
}

static int32_t import_state(void *instance, symbolon_call *call, uint32_t version, symbolon_slice state) {
  counter *self = instance;
  uint64_t value = 0;
  usleep(SLOW_IMPORT * 1000);
#ifdef FAILS_TO_IMPORT
  return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "no_import", "The state does not fit.");
#endif
  if (version == 1 && state.size == 8) {
    for (int i = 0; i < 8; i++) value = value << 8 | state.data[i];
  } else if (version == 2 && state.size > 16 && state.size < 60 && !memcmp(state.data, "counter 2\ncount=", 16)) {
    char text[64] = "";
    memcpy(text, state.data + 16, state.size - 16);
    value = strtoull(text, NULL, 10);
  } else {
    return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "bad_state", "This is no state of a counter.");
  }
  self->value = value;
  return keep(self, call);
}

static const uint32_t known[] = {KNOWN};
static const symbolon_state state = {
    sizeof(symbolon_state), SCHEMA, SCHEMA_ID, known, known, sizeof known / sizeof known[0],
    sizeof known / sizeof known[0], export_state, import_state};

static const void *extension(const char *id) {
#ifndef STATELESS
  if (strcmp(id, SYMBOLON_STATE) == 0) return &state;
#endif
  (void)state, (void)id;
  return NULL;
}

static const symbolon_method methods[] = {
    {sizeof(symbolon_method), 0, "increment() -> (value: u64)", "Count on", (void (*)(void))increment, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "count() -> (value: u64)", "The count", (void (*)(void))count, NULL,
     NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "version() -> (version: text)", "The version", (void (*)(void))version,
     NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "hold(gate: text)", "Wait", (void (*)(void))hold, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "flaw()", "Fail, if this build is flawed", (void (*)(void))flaw, NULL,
     NULL},
};
#define COUNT (sizeof methods / sizeof methods[0])
static const symbolon_method *method_table[COUNT];

static symbolon_plugin plugin = {.struct_size = sizeof(symbolon_plugin),
                                 .abi = SYMBOLON_ABI,
                                 .id = ID,
                                 .version = VERSION,
                                 .summary = "A counter for tests",
                                 .methods = method_table,
                                 .method_count = COUNT,
                                 .create = create,
                                 .start = start,
                                 .stop = stop,
                                 .destroy = destroy,
                                 .extension = extension};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
#ifdef DESCRIBE_CRASHES
  abort();
#endif
#ifdef DESCRIBE_HANGS
  for (;;) pause();
#endif
#ifdef DESCRIBE_EXITS
  exit(0);
#endif
  for (size_t i = 0; i < COUNT; i++) method_table[i] = &methods[i];
  return &plugin;
}
