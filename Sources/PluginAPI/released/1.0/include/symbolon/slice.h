#ifndef SYMBOLON_SLICE_H
#define SYMBOLON_SLICE_H
/* Borrowed bytes.

   OWNERSHIP: whoever passes a slice owns it; it is valid until the call it was passed to returns. Copy what must stay.
   `data` may be NULL only when `size` is 0. There is no terminating zero. `text` and `json` are valid UTF-8. */
#include <stddef.h>
#include <stdint.h>

typedef struct symbolon_slice {
  const uint8_t *data;
  uint64_t size; /* bytes */
} symbolon_slice;

static inline symbolon_slice symbolon_text(const char *text) {
  symbolon_slice slice = {(const uint8_t *)text, 0};
  while (text && text[slice.size]) slice.size++;
  return slice;
}
#endif
