/* The paths that are built in. */
#ifndef SYMBOLON_OPERATIONS_INTERNAL_H
#define SYMBOLON_OPERATIONS_INTERNAL_H

#include "arithmetic_rules.h"
#include "include/operations.h"

typedef void symbolon_multiply(
  const symbolon_matrix *matrix, int32_t group, const symbolon_vector *v, int32_t count, float (*out)[SYMBOLON_ROWS]);

extern const symbolon_operations symbolon_operations_scalar;
symbolon_multiply symbolon_multiply_scalar;

#if defined(__x86_64__)
extern const symbolon_operations symbolon_operations_avx2, symbolon_operations_avx512;
symbolon_multiply symbolon_multiply_avx2, symbolon_multiply_avx512;
#endif

/* Walks the pages of a strip: `page` computes the scores of tiles [first, end) of one. */
static inline __attribute__((always_inline)) void symbolon_scores_by_page(
  void (*page)(const float *const *q, int32_t count, int32_t d, const uint16_t *keys, int32_t first, int32_t end,
               float scale, float *const *scores),
  const float *const *q, int32_t count, int32_t d, symbolon_strip keys, int32_t first, int32_t end, float scale,
  float *const *scores) {
  const int32_t tiles = SYMBOLON_CHUNK / 16;
  for (int32_t n = first / tiles; n * tiles < end; n++) {
    const int32_t from = first > n * tiles ? first - n * tiles : 0, to = end - n * tiles < tiles ? end - n * tiles : tiles;
    float *out[SYMBOLON_QUERIES];
    for (int32_t i = 0; i < count; i++) out[i] = scores[i] + n * SYMBOLON_CHUNK;
    page(q, count, d, keys.page[n] + keys.offset, from, to, scale, out);
  }
}

/* Walks the pages of a strip: `page` adds to out[i] the chain of positions [from[i], to[i]) of one, if there are any. */
static inline __attribute__((always_inline)) void symbolon_values_by_page(
  void (*page)(const float *const *p, const int32_t *from, const int32_t *to, int32_t count, int32_t d,
               const uint16_t *values, float *const *out),
  const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale, int32_t count, int32_t d,
  symbolon_strip values, float *const *out) {
  int32_t first = firsts[0], end = ends[0];
  for (int32_t i = 0; i < count; i++) {
    first = firsts[i] < first ? firsts[i] : first;
    end = ends[i] > end ? ends[i] : end;
    for (int32_t k = 0; k < d; k++) out[i][k] = 0.0f;
  }
  for (int32_t n = first / SYMBOLON_CHUNK; n * SYMBOLON_CHUNK < end; n++) {
    const int32_t start = n * SYMBOLON_CHUNK;
    const float *weights[SYMBOLON_QUERIES];
    int32_t from[SYMBOLON_QUERIES], to[SYMBOLON_QUERIES];
    for (int32_t i = 0; i < count; i++) {
      weights[i] = p[i] + start;
      from[i] = firsts[i] > start ? firsts[i] - start : 0;
      to[i] = ends[i] - start < SYMBOLON_CHUNK ? ends[i] - start : SYMBOLON_CHUNK;
    }
    page(weights, from, to, count, d, values.page[n] + values.offset, out);
  }
  for (int32_t i = 0; i < count; i++)
    for (int32_t k = 0; k < d; k++) out[i][k] = out[i][k] * scale[i];
}

#if defined(__aarch64__)
extern const symbolon_operations symbolon_operations_neon;
symbolon_multiply symbolon_multiply_neon;
#endif

#endif
