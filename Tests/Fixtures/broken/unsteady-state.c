/* The same state is other bytes each time; and any bytes are taken for a state. */
#include <symbolon/symbolon.h>

#define ASK_FUNCTION ask
#define EXTENSION extension
static int32_t ask(void *self, symbolon_call *call, symbolon_slice question, symbolon_sink *answer) {
  (void)self, (void)call, (void)question;
  return answer->write(answer, symbolon_text("yes"));
}
static int32_t export_state(void *self, symbolon_call *call, uint32_t version, symbolon_sink *state) {
  static uint8_t count;
  symbolon_slice slice = {&count, 1};
  (void)self, (void)call, (void)version;
  count++;
  return state->write(state, slice);
}
static int32_t import_state(void *self, symbolon_call *call, uint32_t version, symbolon_slice state) {
  (void)self, (void)call, (void)version, (void)state;
  return SYMBOLON_OK;
}
static const void *extension(const char *id) {
  static const uint32_t versions[] = {1};
  static const symbolon_state state = {
      sizeof(symbolon_state), 1, "broken", versions, versions, 1, 1, export_state, import_state};
  const char *own = SYMBOLON_STATE;
  while (*own && *id == *own) id++, own++;
  return *id == *own ? &state : 0;
}
#include "broken.h"
