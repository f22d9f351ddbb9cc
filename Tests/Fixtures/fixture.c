/* One source for the plugins that the tests need: what is wrong with it is chosen by -D. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <symbolon/symbolon.h>
#include <unistd.h>

#ifndef ID
#define ID "fixture"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif

#ifndef COMMAND
#define COMMAND NULL
#endif

static const symbolon_host *the_host;

/* version() -> (version: text) */
static int32_t version(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, symbolon_text(VERSION));
}

/* slow(milliseconds: u32) -> (version: text): holds the call for a while */
static int32_t slow(void *self, symbolon_call *call, uint32_t milliseconds, symbolon_sink *out) {
  (void)self, (void)call;
  usleep(milliseconds * 1000);
  return out->write(out, symbolon_text(VERSION));
}

/* stream(count: u32, milliseconds: u32) -> (items: stream<text>) */
static int32_t stream(void *self, symbolon_call *call, uint32_t count, uint32_t milliseconds, symbolon_sink *out) {
  (void)self;
  for (uint32_t i = 0; i < count; i++) {
    int32_t status = out->write(out, symbolon_text(VERSION));
    if (status != SYMBOLON_OK) return status;
    if (call->cancelled && call->cancelled(call)) return symbolon_fail(call, SYMBOLON_CANCELLED, "gone", "Gone.");
    usleep(milliseconds * 1000);
  }
  return SYMBOLON_OK;
}

/* who() -> (caller: text) */
static int32_t who(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self;
  return out->write(out, symbolon_text(call->caller ? call->caller : "nobody"));
}

/* weigh(content: bytes, flag: bool) -> (size: u64) */
static int32_t weigh(void *self, symbolon_call *call, symbolon_slice content, uint8_t flag, uint64_t *size) {
  (void)self, (void)call, (void)flag;
  *size = content.size;
  return SYMBOLON_OK;
}

static _Atomic uint64_t heard_count;

/* Counts the events of the topic "fixture.shout". */
static void hear(void *context, symbolon_slice topic, symbolon_slice json) {
  (void)context, (void)topic;
  heard_count += json.size > 0;
}

/* shout(times: u32): publishes events */
static int32_t shout(void *self, symbolon_call *call, uint32_t times) {
  const symbolon_events *events = (const symbolon_events *)the_host->service(the_host, SYMBOLON_EVENTS);
  (void)self;
  for (uint32_t i = 0; i < times; i++)
    if (events->publish(the_host, symbolon_text("fixture.shout"), symbolon_text("{}")) != SYMBOLON_OK)
      return symbolon_fail(call, SYMBOLON_RESOURCE_EXHAUSTED, "queue_full", "Too many events wait.");
  return SYMBOLON_OK;
}

/* heard() -> (count: u64) */
static int32_t heard(void *self, symbolon_call *call, uint64_t *count) {
  (void)self, (void)call;
  *count = heard_count;
  return SYMBOLON_OK;
}

#ifdef IMPORTS
static int32_t (*provider_version)(symbolon_call *, symbolon_sink *);
static int32_t (*provider_who)(symbolon_call *, symbolon_sink *);

/* relay() -> (version: text): asks the provider */
static int32_t relay(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self;
  return provider_version(call, out);
}

static int32_t (*provider_weigh)(symbolon_call *, symbolon_slice, uint8_t, uint64_t *);

/* relay_bad(kind: u32): passes what a type forbids; 0 passes what is right */
static int32_t relay_bad(void *self, symbolon_call *call, uint32_t kind) {
  symbolon_slice content = {kind == 1 ? NULL : (const uint8_t *)"12345", 5};
  uint64_t size = 0;
  (void)self;
  return provider_weigh(call, content, kind == 2 ? 2 : 1, &size);
}

/* relay_who() -> (caller: text) */
static int32_t relay_who(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self;
  return provider_who(call, out);
}

static const symbolon_import imports[] = {
    {sizeof(symbolon_import), IMPORTS, "provider", "version() -> (version: text)", (void (**)(void)) & provider_version},
    {sizeof(symbolon_import), IMPORTS, "provider", "who() -> (caller: text)", (void (**)(void)) & provider_who},
    {sizeof(symbolon_import), IMPORTS, "provider", "weigh(content: bytes, flag: bool) -> (size: u64)",
     (void (**)(void)) & provider_weigh},
};
static const symbolon_import *const import_table[] = {&imports[0], &imports[1], &imports[2]};
#endif

static int32_t create(const symbolon_host *host, symbolon_call *call, void **self) {
  (void)call;
  the_host = host;
  *self = NULL;
#ifdef FAILS_TO_CREATE
  return symbolon_fail(call, SYMBOLON_FAILED_PRECONDITION, "no_luck", "It does not work out today.");
#endif
  return SYMBOLON_OK;
}

static int32_t start(void *self, symbolon_call *call) {
  (void)self, (void)call;
#ifdef FAILS_TO_START
  return symbolon_fail(call, SYMBOLON_UNAVAILABLE, "no_start", "The engine does not turn over.");
#endif
#ifdef LISTENS
  const symbolon_events *events = (const symbolon_events *)the_host->service(the_host, SYMBOLON_EVENTS);
  return events->subscribe(the_host, symbolon_text("fixture.shout"), NULL, hear);
#else
  (void)hear;
#endif
  return SYMBOLON_OK;
}

#ifdef SYMBOLON_PERMISSIONS /* The first release of the headers has none. */
/* What it asks for: the news of all fixtures, whatever their ids. */
static const char *const permission_list[] = {"publish:fixture.*", "subscribe:fixture.*"};
static const symbolon_permissions permissions = {sizeof(symbolon_permissions), 2, permission_list};

static const void *extension(const char *id) {
  return strcmp(id, SYMBOLON_PERMISSIONS) == 0 ? (const void *)&permissions : NULL;
}
#define EXTENSION extension
#else
#define EXTENSION NULL
#endif

static const symbolon_method methods[] = {
    {sizeof(symbolon_method), SYMBOLON_READS | SYMBOLON_PUBLIC, "version() -> (version: text)", "The version",
     (void (*)(void))version, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "who() -> (caller: text)", "Who calls", (void (*)(void))who, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "slow(milliseconds: u32) -> (version: text)", "Wait",
     (void (*)(void))slow, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS | SYMBOLON_STREAMS,
     "stream(count: u32, milliseconds: u32) -> (items: stream<text>)", "Stream", (void (*)(void))stream,
     "{\"count\":3,\"milliseconds\":1}", COMMAND},
#ifdef IMPORTS
    {sizeof(symbolon_method), SYMBOLON_READS, "relay() -> (version: text)", "Ask the provider",
     (void (*)(void))relay, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "relay_bad(kind: u32)", "Pass what is forbidden",
     (void (*)(void))relay_bad, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "relay_who() -> (caller: text)", "Ask who calls",
     (void (*)(void))relay_who, NULL, NULL},
#endif
    {sizeof(symbolon_method), SYMBOLON_READS, "weigh(content: bytes, flag: bool) -> (size: u64)", "Count bytes",
     (void (*)(void))weigh, NULL, NULL},
    {sizeof(symbolon_method), 0, "shout(times: u32)", "Publish", (void (*)(void))shout, NULL, NULL},
    {sizeof(symbolon_method), SYMBOLON_READS, "heard() -> (count: u64)", "Count", (void (*)(void))heard, NULL, NULL},
#ifdef METHOD_TWICE
    {sizeof(symbolon_method), SYMBOLON_READS, "version() -> (version: text)", "Again", (void (*)(void))version, NULL,
     NULL},
#endif
#ifdef BAD_SIGNATURE
    {sizeof(symbolon_method), SYMBOLON_READS, "broken(a: u65)", "Broken", (void (*)(void))version, NULL, NULL},
#endif
};
#define COUNT (sizeof methods / sizeof methods[0])
static const symbolon_method *method_table[COUNT];

static symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin),
#ifdef NEWER_ABI
    .abi = SYMBOLON_ABI + 1,
#else
    .abi = SYMBOLON_ABI,
#endif
#ifdef EXCLUSIVE
    .flags = SYMBOLON_PLUGIN_EXCLUSIVE,
#endif
    .id = ID,
    .version = VERSION,
    .summary = "A plugin for tests",
    .methods = method_table,
    .method_count = COUNT,
#ifdef IMPORTS
    .imports = import_table,
    .import_count = 3,
#endif
    .extension = EXTENSION,
    .create = create,
    .start = start};

#ifndef NO_ENTRY
SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  for (size_t i = 0; i < COUNT; i++) method_table[i] = &methods[i];
  return &plugin;
}
#endif
