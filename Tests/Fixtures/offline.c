/* A plugin with a command that needs no node: it gives its argument back. */
#include <stdio.h>
#include <string.h>
#include <symbolon/symbolon.h>

static int32_t send(symbolon_sink *out, const char *text) { return out->write(out, symbolon_text(text)); }

static int contains(symbolon_slice slice, const char *word) {
  size_t length = strlen(word);
  for (uint64_t at = 0; at + length <= slice.size; at++)
    if (memcmp(slice.data + at, word, length) == 0) return 1;
  return 0;
}

/* repeat(request: json) -> (messages: stream<json>) */
static int32_t repeat(void *self, symbolon_call *call, symbolon_slice request, symbolon_sink *out) {
  char result[2048];
  (void)self;
  if (call->origin != SYMBOLON_ORIGIN_OPERATOR || call->caller)
    return symbolon_fail(call, SYMBOLON_INTERNAL, "other_caller", "A command's call comes from the operator.");
  if (contains(request, "\"refuse\":true"))
    return symbolon_fail(call, SYMBOLON_NOT_FOUND, "not_here", "It is not here: look elsewhere.");
  if (contains(request, "\"wait\":true"))
    while (!call->cancelled(call)) {}
  if (send(out, "{\"type\":\"progress\",\"what\":\"Work\",\"done\":1,\"total\":2}")) return SYMBOLON_CANCELLED;
  if (send(out, "{\"type\":\"text\",\"text\":\"one \"}")) return SYMBOLON_CANCELLED;
  if (send(out, "{\"type\":\"text\",\"text\":\"two\"}")) return SYMBOLON_CANCELLED;
  snprintf(result, sizeof result, "{\"type\":\"result\",\"ok\":%s,\"request\":%.*s}",
           contains(request, "\"fail\":true") ? "false" : "true", (int)request.size, (const char *)request.data);
  return send(out, result);
}

/* add(a: u64, b: u64) -> (sum: u64) */
static int32_t add(void *self, symbolon_call *call, uint64_t a, uint64_t b, uint64_t *sum) {
  (void)self, (void)call;
  *sum = a + b;
  return 0;
}

#define MEMBER(name, type, flags, summary) \
  &(const symbolon_offline_member) { sizeof(symbolon_offline_member), flags, name, type, summary }
static const symbolon_offline_member *const members[] = {
    MEMBER("word", "text", SYMBOLON_MEMBER_REQUIRED | SYMBOLON_MEMBER_POSITIONAL, "Any text"),
    MEMBER("max_count", "integer", 0, "How often"),
    MEMBER("share", "number", 0, "A share"),
    MEMBER("more", "texts", 0, "More texts"),
    MEMBER("file", "path", 0, "A file"),
    MEMBER("document", "document", 0, "A JSON file"),
    MEMBER("refuse", "flag", 0, "Refuse"),
    MEMBER("fail", "flag", 0, "Say that it is not right"),
    MEMBER("wait", "flag", 0, "Wait until it is cancelled"),
};
static const symbolon_offline_method repeat_row = {
    sizeof repeat_row, sizeof members / sizeof members[0], "repeat", members};
static const symbolon_offline_method add_row = {sizeof add_row, 0, "add", 0};
static const symbolon_offline_method *const offline_rows[] = {&repeat_row, &add_row};
static const symbolon_offline offline = {sizeof offline, 2, offline_rows};

static const void *extension(const char *id) { return strcmp(id, SYMBOLON_OFFLINE) == 0 ? &offline : 0; }

static const symbolon_method methods[] = {
    {.struct_size = sizeof(symbolon_method), .flags = SYMBOLON_STREAMS, .summary = "Give the argument back",
     .signature = "repeat(request: json) -> (messages: stream<json>)", .function = (void (*)(void))repeat,
     .command = "fixture again"},
    {.struct_size = sizeof(symbolon_method), .flags = SYMBOLON_READS, .summary = "Add two numbers",
     .signature = "add(a: u64, b: u64) -> (sum: u64)", .function = (void (*)(void))add},
};
static const symbolon_method *const method_rows[] = {&methods[0], &methods[1]};

static const symbolon_plugin plugin = {
    .struct_size = sizeof(symbolon_plugin), .abi = SYMBOLON_ABI, .id = "fixture", .version = "1.0.0",
    .summary = "A command that needs no node", .methods = method_rows, .method_count = 2, .extension = extension};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
