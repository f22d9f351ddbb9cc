/* A plugin that does what plugins do, and what they must not, for the tests of workers. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <symbolon/symbolon.h>
#include <unistd.h>

#ifndef ID
#define ID "subject"
#endif
#ifndef PEER
#define PEER "peer"
#endif

static const symbolon_host *the_host;
static _Atomic uint64_t heard_count;
static char state[64] = "nothing";

#define SERVICE(type, id) ((const type *)the_host->service(the_host, id))
#define METHOD(name, flags, signature) \
  {sizeof(symbolon_method), flags, signature, "Test", (void (*)(void))name, NULL, NULL}

static int32_t types(void *self, symbolon_call *call, uint8_t flag, int32_t a, uint32_t b, int64_t c, uint64_t d,
                     double e, symbolon_slice t, symbolon_slice y, uint8_t *flag_out, int32_t *a_out, uint32_t *b_out,
                     int64_t *c_out, uint64_t *d_out, double *e_out, symbolon_sink *t_out, symbolon_sink *y_out) {
  (void)self, (void)call;
  *flag_out = flag, *a_out = a, *b_out = b, *c_out = c, *d_out = d, *e_out = e;
  int32_t status = t_out->write(t_out, t);
  return status ? status : y_out->write(y_out, y);
}

static int32_t echo(void *self, symbolon_call *call, symbolon_slice data, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, data);
}

static int32_t numbers(void *self, symbolon_call *call, uint32_t count, symbolon_sink *out) {
  (void)self, (void)call;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t big[8] = {0, 0, 0, 0, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
    int32_t status = out->write(out, (symbolon_slice){big, 8});
    if (status) return status;
  }
  return 0;
}

static int32_t nonsense(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, (symbolon_slice){(const uint8_t *)"\xff\xfe", 2});
}

/* Runs on when nobody waits any more, and says whether the caller knew that before it returned: by making the file. */
static int32_t linger(void *self, symbolon_call *call, symbolon_slice gate) {
  char path[512];
  (void)self;
  snprintf(path, sizeof path, "%.*s", (int)gate.size, (const char *)gate.data);
  while (!call->cancelled(call)) usleep(2000);
  int i = 0;
  while (i < 500 && access(path, F_OK) != 0) i++, usleep(2000);
  printf("%s %s\n", i < 500 ? "released" : "left alone", path);
  fflush(stdout);
  return SYMBOLON_CANCELLED;
}

/* Runs until nobody waits any more; says so in the log. */
static int32_t patient(void *self, symbolon_call *call) {
  (void)self;
  for (int i = 0; i < 1000; i++) {
    if (call->cancelled && call->cancelled(call)) {
      printf("noticed after %s\n", i < 900 ? "a while" : "ages");
      fflush(stdout);
      return SYMBOLON_CANCELLED;
    }
    usleep(10000);
  }
  return 0;
}

static int32_t refuse(void *self, symbolon_call *call) {
  (void)self;
  return symbolon_fail(call, SYMBOLON_NOT_FOUND, "not_here", "It is not here: look elsewhere.");
}

/* Lane heads are 128 bytes apart; each begins with the turn, and the message to the host lies at byte 88. */
static void scribble(char *memory) {
  for (int lane = 0; lane < 128; lane++) *(volatile uint32_t *)(memory + lane * 128 + 88) = 0x5afe5afe;
  for (int lane = 0; lane < 128; lane++) *(volatile uint32_t *)(memory + lane * 128) = 1;
  sleep(5);
}

static char *lanes(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  unsigned long start = 0;
  while (maps && fgets(line, sizeof line, maps))
    if (strstr(line, "symbolon-lanes")) start = strtoul(line, NULL, 16);
  if (maps) fclose(maps);
  return (char *)start;
}

static void *rest(void *context) {
  sleep(5);
  return context;
}

static int32_t fail(void *self, symbolon_call *call, symbolon_slice how) {
  (void)self, (void)call;
  if (how.size == 4 && !memcmp(how.data, "segv", 4)) *(volatile int *)8 = 1;
  if (how.size == 5 && !memcmp(how.data, "abort", 5)) abort();
  if (how.size == 4 && !memcmp(how.data, "exit", 4)) exit(3);
  if (how.size == 4 && !memcmp(how.data, "hang", 4))
    for (;;) pause();
  if (how.size == 3 && !memcmp(how.data, "hog", 3))
    for (;;) memset(malloc(1 << 20), 1, 1 << 20);
  if (how.size == 8 && !memcmp(how.data, "scribble", 8)) scribble(lanes());
  pthread_t thread;
  if (how.size == 7 && !memcmp(how.data, "threads", 7))
    for (;;) pthread_create(&thread, NULL, rest, NULL) == 0 ? 0 : sleep(1);
  return 0;
}

static int32_t open_file(void *self, symbolon_call *call, symbolon_slice path, uint8_t write, int32_t *error) {
  char name[512] = {0};
  (void)self, (void)call;
  memcpy(name, path.data, path.size < 511 ? path.size : 511);
  int file = open(name, write ? O_WRONLY | O_CREAT : O_RDONLY, 0600);
  *error = file < 0 ? errno : 0;
  if (file >= 0) close(file);
  return 0;
}

static int32_t connect_to(void *self, symbolon_call *call, uint32_t port, int32_t *error) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  (void)self, (void)call;
  int made = socket(AF_INET, SOCK_STREAM, 0);
  *error = made < 0 || connect(made, (struct sockaddr *)&address, sizeof address) != 0 ? errno : 0;
  if (made >= 0) close(made);
  return 0;
}

static int32_t start_program(void *self, symbolon_call *call, uint8_t in_place, int32_t *error) {
  char *const words[] = {"true", NULL};
  (void)self, (void)call;
  if (in_place) {
    execv("/bin/true", words);
    *error = errno;
    return 0;
  }
  pid_t child = fork();
  *error = child < 0 ? errno : 0;
  if (child == 0) _exit(0);
  return 0;
}

static int32_t signal_parent(void *self, symbolon_call *call, int32_t *error) {
  (void)self, (void)call;
  *error = kill(getppid(), 0) == 0 ? 0 : errno;
  return 0;
}

static int32_t say(void *self, symbolon_call *call, symbolon_slice text, uint32_t times) {
  (void)self, (void)call;
  for (uint32_t i = 0; i < times; i++) printf("%.*s\n", (int)text.size, (const char *)text.data);
  fflush(stdout);
  return 0;
}

static int32_t settings(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return SERVICE(symbolon_config, SYMBOLON_CONFIG)->settings(the_host, out);
}

static int32_t folder(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, symbolon_text(SERVICE(symbolon_storage, SYMBOLON_STORAGE)->folder(the_host)));
}

static int32_t note(void *self, symbolon_call *call, symbolon_slice text) {
  (void)self, (void)call;
  SERVICE(symbolon_log, SYMBOLON_LOG)->write(the_host, SYMBOLON_LOG_INFO, text, symbolon_text("{\"k\":\"v\"}"));
  return 0;
}

static int32_t invoke(void *self, symbolon_call *call, symbolon_slice method, symbolon_slice arguments,
                      symbolon_sink *out) {
  (void)self;
  const symbolon_invoke *table = SERVICE(symbolon_invoke, SYMBOLON_INVOKE);
  if (!table) return symbolon_fail(call, SYMBOLON_PERMISSION_DENIED, "no_invoke", "Invoke is not granted.");
  symbolon_invocation what = {.struct_size = sizeof what, .method = method, .arguments = arguments};
  return table->invoke(the_host, call, &what, out);
}

static void hear(void *context, symbolon_slice topic, symbolon_slice json) {
  (void)context, (void)topic, (void)json;
  heard_count++;
}

static void *publish_from_a_thread(void *context) {
  (void)context;
  SERVICE(symbolon_events, SYMBOLON_EVENTS)->publish(the_host, symbolon_text(ID ".news"), symbolon_text("{}"));
  return NULL;
}

static int32_t publish(void *self, symbolon_call *call, uint32_t times) {
  (void)self, (void)call;
  for (uint32_t i = 0; i < times; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, publish_from_a_thread, NULL) != 0) return SYMBOLON_INTERNAL;
    pthread_join(thread, NULL);
  }
  return 0;
}

static int32_t heard(void *self, symbolon_call *call, uint64_t *count) {
  (void)self, (void)call;
  *count = heard_count;
  return 0;
}

static int32_t (*peer_relay)(symbolon_call *, uint32_t, symbolon_sink *);
static int32_t (*peer_echo)(symbolon_call *, symbolon_slice, symbolon_sink *);
static int32_t (*peer_numbers)(symbolon_call *, uint32_t, symbolon_sink *);

struct text {
  symbolon_sink sink;
  char *bytes;
  uint64_t size;
};

static int32_t take(symbolon_sink *sink, symbolon_slice message) {
  struct text *text = (struct text *)sink;
  text->bytes = realloc(text->bytes, text->size + message.size + 1);
  memcpy(text->bytes + text->size, message.data, message.size);
  text->size += message.size;
  return 0;
}

/* relay(depth) -> path: asks the peer, which asks this one, and so on */
static int32_t relay(void *self, symbolon_call *call, uint32_t depth, symbolon_sink *out) {
  struct text text = {.sink = {.struct_size = sizeof(symbolon_sink), .write = take}};
  (void)self;
  if (depth == 0) return out->write(out, symbolon_text(ID));
  int32_t status = peer_relay(call, depth - 1, &text.sink);
  char path[2048];
  int size = snprintf(path, sizeof path, ID ">%.*s", (int)text.size, text.bytes ? text.bytes : "");
  free(text.bytes);
  return status ? status : out->write(out, (symbolon_slice){(uint8_t *)path, (uint64_t)size});
}

/* Hands its own sink to the peer. */
static int32_t relay_numbers(void *self, symbolon_call *call, uint32_t count, symbolon_sink *out) {
  (void)self;
  return peer_numbers(call, count, out);
}

/* push(bytes) -> bytes that came back the same */
static int32_t push(void *self, symbolon_call *call, uint32_t size, uint64_t *same) {
  struct text text = {.sink = {.struct_size = sizeof(symbolon_sink), .write = take}};
  uint8_t *data = malloc(size ? size : 1);
  (void)self;
  for (uint32_t i = 0; i < size; i++) data[i] = (uint8_t)(i * 31 + (i >> 8));
  int32_t status = peer_echo(call, (symbolon_slice){data, size}, &text.sink);
  *same = text.size == size && memcmp(text.bytes, data, size) == 0 ? size : 0;
  free(data);
  free(text.bytes);
  return status;
}

static int32_t remember(void *self, symbolon_call *call, symbolon_slice text) {
  (void)self, (void)call;
  snprintf(state, sizeof state, "%.*s", (int)text.size, (const char *)text.data);
  return 0;
}

static int32_t recall(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(out, symbolon_text(state));
}

static const symbolon_import imports[] = {
    {sizeof(symbolon_import), SYMBOLON_IMPORT_OPTIONAL, PEER, "relay(depth: u32) -> (path: text)",
     (void (**)(void)) & peer_relay},
    {sizeof(symbolon_import), SYMBOLON_IMPORT_OPTIONAL, PEER, "echo(data: bytes) -> (data: bytes)",
     (void (**)(void)) & peer_echo},
    {sizeof(symbolon_import), SYMBOLON_IMPORT_OPTIONAL, PEER, "numbers(count: u32) -> (numbers: stream<u64>)",
     (void (**)(void)) & peer_numbers},
};
static const symbolon_import *const import_table[] = {&imports[0], &imports[1], &imports[2]};

#define ALL "flag: bool, a: i32, b: u32, c: i64, d: u64, e: f64, t: text, y: bytes"
static const symbolon_method methods[] = {
    METHOD(types, 0, "types(" ALL ") -> (" ALL ")"),
    METHOD(echo, 0, "echo(data: bytes) -> (data: bytes)"),
    METHOD(echo, 0, "same(value: json) -> (value: json)"),
    METHOD(numbers, SYMBOLON_STREAMS, "numbers(count: u32) -> (numbers: stream<u64>)"),
    METHOD(relay_numbers, SYMBOLON_STREAMS, "relay_numbers(count: u32) -> (numbers: stream<u64>)"),
    METHOD(nonsense, 0, "nonsense() -> (text: text)"),
    METHOD(linger, 0, "linger(gate: text)"),
    METHOD(patient, 0, "patient()"),
    METHOD(refuse, 0, "refuse()"),
    METHOD(fail, 0, "fail(how: text)"),
    METHOD(open_file, 0, "open_file(path: text, write: bool) -> (error: i32)"),
    METHOD(connect_to, 0, "connect_to(port: u32) -> (error: i32)"),
    METHOD(start_program, 0, "start_program(in_place: bool) -> (error: i32)"),
    METHOD(signal_parent, 0, "signal_parent() -> (error: i32)"),
    METHOD(say, 0, "say(text: text, times: u32)"),
    METHOD(settings, 0, "settings() -> (settings: json)"),
    METHOD(folder, 0, "folder() -> (path: text)"),
    METHOD(note, 0, "note(text: text)"),
    METHOD(invoke, 0, "invoke(method: text, arguments: text) -> (answer: json)"),
    METHOD(publish, 0, "publish(times: u32)"),
    METHOD(heard, 0, "heard() -> (count: u64)"),
    METHOD(relay, 0, "relay(depth: u32) -> (path: text)"),
    METHOD(push, 0, "push(size: u32) -> (same: u64)"),
    METHOD(remember, 0, "remember(text: text)"),
    METHOD(recall, 0, "recall() -> (text: text)"),
};
#define COUNT (sizeof methods / sizeof methods[0])
static const symbolon_method *method_table[COUNT];

static int32_t create(const symbolon_host *host, symbolon_call *call, void **self) {
  (void)call, (void)self;
  the_host = host;
  return 0;
}

static int32_t start(void *self, symbolon_call *call) {
  (void)self, (void)call;
  const symbolon_events *events = SERVICE(symbolon_events, SYMBOLON_EVENTS);
  return events ? events->subscribe(the_host, symbolon_text(ID ".news"), NULL, hear) : 0;
}

static int32_t export_state(void *self, symbolon_call *call, uint32_t version, symbolon_sink *out) {
  (void)self, (void)call, (void)version;
  return out->write(out, symbolon_text(state));
}

static int32_t import_state(void *self, symbolon_call *call, uint32_t version, symbolon_slice text) {
  (void)self, (void)call, (void)version;
  snprintf(state, sizeof state, "%.*s", (int)text.size, (const char *)text.data);
  return 0;
}

static const uint32_t versions[] = {1};
static const symbolon_state state_table = {sizeof(symbolon_state), 1, "subject.state", versions, versions, 1, 1,
                                           export_state, import_state};
static const char *const asked[] = {"service:symbolon.events/1", "service:symbolon.invoke/1", "call:*",
                                    "publish:" ID ".news", "subscribe:" ID ".news",
#ifdef ASKS
                                    ASKS
#endif
};
static const symbolon_permissions permissions = {sizeof(symbolon_permissions), sizeof asked / sizeof asked[0], asked};

static const void *extension(const char *id) {
  if (!strcmp(id, SYMBOLON_PERMISSIONS)) return &permissions;
  return strcmp(id, SYMBOLON_STATE) ? NULL : &state_table;
}

#ifndef VERSION
#define VERSION "1.0.0"
#endif
static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin),
    .abi = SYMBOLON_ABI,
    .id = ID,
    .version = VERSION,
    .summary = "A plugin for tests of workers",
    .methods = method_table,
    .method_count = COUNT,
    .imports = import_table,
    .import_count = 3,
    .create = create,
    .start = start,
    .extension = extension};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  for (size_t i = 0; i < COUNT; i++) method_table[i] = &methods[i];
  return &plugin;
}
