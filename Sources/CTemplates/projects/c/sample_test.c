/* Calls the methods as the host does. */
#include <assert.h>
#include <string.h>

#include "sample.c"

static char heard[256];
static uint64_t heard_size;
static int messages;

static int32_t hear(symbolon_sink *sink, symbolon_slice message) {
  (void)sink;
  assert(message.size <= sizeof heard);
  memcpy(heard, message.data, message.size);
  heard_size = message.size;
  messages++;
  return messages < 5 ? SYMBOLON_OK : SYMBOLON_CANCELLED;
}

int main(void) {
  symbolon_error error = {.struct_size = sizeof error};
  symbolon_call call = {.struct_size = sizeof call, .error = &error};
  symbolon_sink sink = {.struct_size = sizeof sink, .write = hear};

  assert(greet(NULL, &call, symbolon_text("Ada"), &sink) == SYMBOLON_OK);
  assert(heard_size == 11 && memcmp(heard, "Hello, Ada!", 11) == 0);
  assert(greet(NULL, &call, symbolon_text(""), &sink) == SYMBOLON_INVALID_ARGUMENT);
  assert(strcmp(error.code, "bad_name") == 0);

  messages = 0;
  assert(count(NULL, &call, 1000000, &sink) == SYMBOLON_CANCELLED);
  assert(messages == 5);
  return 0;
}
