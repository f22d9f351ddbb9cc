/* A plugin that asks for everything and says what it got: PERMISSIONS are what it declares. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <symbolon/symbolon.h>
#include <unistd.h>

#ifndef PERMISSIONS
#define PERMISSIONS NULL
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif

static const symbolon_host *the_host;

static const char *name_of(symbolon_slice text, char *copy, size_t size) {
  size_t count = text.size < size - 1 ? (size_t)text.size : size - 1;
  memcpy(copy, text.data, count);
  copy[count] = 0;
  return copy;
}

/* offered(service: text) -> (offered: bool) */
static int32_t offered(void *self, symbolon_call *call, symbolon_slice service, uint8_t *is_offered) {
  char copy[128];
  (void)self, (void)call;
  *is_offered = the_host->service(the_host, name_of(service, copy, sizeof copy)) != NULL;
  return SYMBOLON_OK;
}

static int32_t denied(symbolon_call *call) {
  return symbolon_fail(call, SYMBOLON_PERMISSION_DENIED, "no_service", "The service is not there.");
}

/* publish(topic: text) -> (status: i32) */
static int32_t publish(void *self, symbolon_call *call, symbolon_slice topic, int32_t *status) {
  const symbolon_events *events = (const symbolon_events *)the_host->service(the_host, SYMBOLON_EVENTS);
  (void)self;
  if (!events) return denied(call);
  *status = events->publish(the_host, topic, symbolon_text("{}"));
  return SYMBOLON_OK;
}

static void hear(void *context, symbolon_slice topic, symbolon_slice json) { (void)context, (void)topic, (void)json; }

/* subscribe(topic: text) -> (status: i32) */
static int32_t subscribe(void *self, symbolon_call *call, symbolon_slice topic, int32_t *status) {
  const symbolon_events *events = (const symbolon_events *)the_host->service(the_host, SYMBOLON_EVENTS);
  (void)self;
  if (!events) return denied(call);
  *status = events->subscribe(the_host, topic, NULL, hear);
  return SYMBOLON_OK;
}

/* invoke(method: text) -> (result: json) */
static int32_t invoke(void *self, symbolon_call *call, symbolon_slice method, symbolon_sink *result) {
  const symbolon_invoke *service = (const symbolon_invoke *)the_host->service(the_host, SYMBOLON_INVOKE);
  symbolon_invocation what = {.struct_size = sizeof what, .method = method};
  (void)self;
  if (!service) return denied(call);
  return service->invoke(the_host, call, &what, result);
}

/* sign() -> (status: i32) */
static int32_t sign(void *self, symbolon_call *call, int32_t *status) {
  const symbolon_identity *identity = (const symbolon_identity *)the_host->service(the_host, SYMBOLON_IDENTITY);
  uint8_t signature[64];
  (void)self;
  if (!identity) return denied(call);
  *status = identity->sign(the_host, symbolon_text("symbolon/test"), signature);
  return SYMBOLON_OK;
}

static int32_t (*provider_version)(symbolon_call *, symbolon_sink *);

/* relay() -> (version: text): through an import */
static int32_t relay(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self;
  return provider_version(call, out);
}

static const symbolon_import import = {sizeof import, SYMBOLON_IMPORT_OPTIONAL, "provider",
                                       "version() -> (version: text)", (void (**)(void)) & provider_version};
static const symbolon_import *const import_table[] = {&import};

static const char *const permission_list[] = {PERMISSIONS};
static const symbolon_permissions permissions = {
    sizeof permissions, sizeof permission_list / sizeof permission_list[0], permission_list};

/* listening() -> (port: u32): of the socket that the host lends */
static int32_t listening(void *self, symbolon_call *call, uint32_t *port) {
  const symbolon_sockets *sockets = (const symbolon_sockets *)the_host->service(the_host, SYMBOLON_SOCKETS);
  struct sockaddr_in address = {0};
  socklen_t size = sizeof address;
  int32_t descriptor = -1;
  (void)self;
  if (!sockets) return denied(call);
  int32_t status = sockets->listening(the_host, call, &descriptor);
  if (status != SYMBOLON_OK) return status;
  if (getsockname(descriptor, (struct sockaddr *)&address, &size) == 0) *port = ntohs(address.sin_port);
  close(descriptor);
  return SYMBOLON_OK;
}

static const void *extension(const char *id) {
  return permission_list[0] && strcmp(id, SYMBOLON_PERMISSIONS) == 0 ? (const void *)&permissions : NULL;
}

static int32_t create(const symbolon_host *host, symbolon_call *call, void **self) {
  (void)call, (void)self;
  the_host = host;
  return SYMBOLON_OK;
}

#define METHOD(signature, function) \
  {sizeof(symbolon_method), SYMBOLON_READS, signature, "Ask for it", (void (*)(void))function, NULL, NULL}

static const symbolon_method methods[] = {
    METHOD("offered(service: text) -> (offered: bool)", offered), METHOD("publish(topic: text) -> (status: i32)", publish),
    METHOD("subscribe(topic: text) -> (status: i32)", subscribe), METHOD("invoke(method: text) -> (result: json)", invoke),
    METHOD("sign() -> (status: i32)", sign), METHOD("relay() -> (version: text)", relay),
    METHOD("listening() -> (port: u32)", listening)};
static const symbolon_method *const method_table[] = {&methods[0], &methods[1], &methods[2],
                                                      &methods[3], &methods[4], &methods[5], &methods[6]};

static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin), .abi = SYMBOLON_ABI, .id = "asker", .version = VERSION,
    .summary = "Asks for everything", .methods = method_table, .method_count = 7, .imports = import_table,
    .import_count = 1, .extension = extension, .create = create};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
