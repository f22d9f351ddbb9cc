/* Believes the length that a state begins with. */
#include <symbolon/symbolon.h>

#include <stdlib.h>
#include <string.h>
#define ASK_FUNCTION ask
#define EXTENSION extension
static char kept[64];
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("yes"));
}
static int32_t export_state(void *self, symbolon_call *call, uint32_t version, symbolon_sink *state) {
  uint8_t bytes[2] = {1, 7};
  symbolon_slice slice = {bytes, 2};
  (void)self;
  if (version != 1) return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "bad_version", "Only version 1.");
  return state->write(state, slice);
}
static int32_t import_state(void *self, symbolon_call *call, uint32_t version, symbolon_slice state) {
  (void)self;
  if (version != 1) return symbolon_fail(call, SYMBOLON_INVALID_ARGUMENT, "bad_version", "Only version 1.");
  uint64_t length = 0;
  for (uint64_t i = 0; i < 8 && i < state.size; i++) length = length << 8 | state.data[i];
  if (state.size > 2) memcpy(kept, state.data + 1, length);
  return SYMBOLON_OK;
}
static const void *extension(const char *id) {
  static const uint32_t versions[] = {1};
  static const symbolon_state state = {
      sizeof(symbolon_state), 1, "broken", versions, versions, 1, 1, export_state, import_state};
  return strcmp(id, SYMBOLON_STATE) == 0 ? &state : 0;
}
#include "broken.h"
