/* Digests of residuals and cache rows. */
#include "leaves.h"

#include <stdlib.h>

#include "workspace.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "hashed vectors are little-endian: this machine would have to turn them round"
#endif

enum { DIGEST = 32 };

/* Digests of one column. */
static size_t places(const symbolon_model *m) { return 2 * (size_t)m->layers + 1; }

/* Numbers of one row of keys and values. */
static size_t row_size(const symbolon_model *m) { return 2 * (size_t)m->kv_heads * (size_t)m->head_size; }

int32_t symbolon_leaves_create(symbolon_leaves *leaves, const symbolon_model *m, int32_t threads, int32_t columns) {
  leaves->column = malloc((size_t)columns * sizeof *leaves->column);
  leaves->digests = malloc((size_t)columns * places(m) * DIGEST);
  leaves->rows = malloc((size_t)threads * row_size(m) * sizeof *leaves->rows);
  return leaves->column && leaves->digests && leaves->rows;
}

void symbolon_leaves_destroy(symbolon_leaves *leaves) {
  free(leaves->column);
  free(leaves->digests);
  free(leaves->rows);
}

void symbolon_leaves_begin(symbolon_leaves *leaves, const symbolon_column *columns, int32_t count) {
  leaves->count = 0;
  if (!leaves->hash) return;
  for (int32_t t = 0; t < count; t++)
    if (columns[t].wants_leaf) leaves->column[leaves->count++] = t;
}

void symbolon_leaves_residual(
  symbolon_leaves *leaves, const symbolon_model *m, const float *x, int32_t index, int32_t p) {
  const size_t e = (size_t)m->width;
  uint8_t *digest = leaves->digests + ((size_t)p * places(m) + 2 * (size_t)index) * DIGEST;
  leaves->hash(x + (size_t)leaves->column[p] * e, e * sizeof *x, digest);
}

void symbolon_leaves_cache(
  symbolon_leaves *leaves, const symbolon_model *m, const symbolon_column *columns, int32_t thread, int32_t l,
  int32_t p) {
  const symbolon_column *column = &columns[leaves->column[p]];
  const size_t size = (size_t)m->head_size, heads = (size_t)m->kv_heads;
  const size_t position = (size_t)column->position % SYMBOLON_PAGE;
  const uint16_t *page = column->cache->page[column->position / SYMBOLON_PAGE];
  uint16_t *row = leaves->rows + (size_t)thread * row_size(m);
  for (size_t head = 0; head < heads; head++) {
    const uint16_t *keys = page + ((size_t)l * heads + head) * symbolon_strip_size(m);
    const uint16_t *values = keys + symbolon_strip_keys(m) + position * symbolon_value_stride(m);
    const uint16_t *tile = keys + (position / 16) * size * 16 + position % 16;
    for (size_t d = 0; d < size; d++) {
      row[head * size + d] = tile[d * 16];
      row[(heads + head) * size + d] = values[d];
    }
  }
  uint8_t *digest = leaves->digests + ((size_t)p * places(m) + 2 * (size_t)l + 1) * DIGEST;
  leaves->hash(row, row_size(m) * sizeof *row, digest);
}
