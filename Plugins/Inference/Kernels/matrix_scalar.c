/* Matrix times vectors in plain C, the text of the arithmetic; and rows of packed matrices. */
#include "arithmetic_rules.h"
#include "groups.h"
#include "operations_internal.h"

static float half_at(const uint8_t *p) {
  uint16_t half;
  __builtin_memcpy(&half, p, 2);
  return symbolon_half_to_float(half);
}

/* The code of a row's column k of 32. */
static inline int32_t code_at(int32_t bits, const uint8_t *codes, int32_t row, int32_t k) {
  if (bits == 8) return (int8_t)codes[k / 4 * 64 + row * 4 + k % 4];
  const uint8_t *nibbles = codes + 64 * (bits - 4);
  const int32_t word = k % 16 / 4, high = k / 16;
  const int32_t nibble = (nibbles[word * 64 + row * 4 + k % 4] >> (4 * high)) & 15;
  if (bits == 4) return nibble;
  if (bits == 5) return nibble | ((codes[row * 4 + k % 4] >> (word + 4 * high)) & 1) << 4;
  return nibble | ((codes[high * 64 + row * 4 + k % 4] >> (2 * word)) & 3) << 4;
}

/* A block of 32 columns of one row: its weights stand for d*w + m, those of Q6_K for d*factor*w. */
typedef struct row_block {
  int32_t w[32];
  float d, m;
  int32_t first, second; /* factors of the two halves */
} row_block;

static void read_row_block(
  int32_t type, const symbolon_layout *layout, const uint8_t *group, int32_t b, int32_t row,
  row_block *out) {
  const uint8_t *codes = group + symbolon_codes_at(layout, b);
  for (int32_t k = 0; k < 32; k++) out->w[k] = code_at(layout->bits, codes, row, k) - layout->offset;
  const uint8_t *scales = group + symbolon_scales_at(layout, b);
  out->d = half_at(scales + 2 * row);
  out->m = symbolon_has_minimum(type) ? half_at(scales + 32 + 2 * row) : 0.0f;
  out->first = out->second = 1;
  if (type == SYMBOLON_Q6_K) {
    const int8_t *factors = (const int8_t *)scales + 32 + 32 * (b % 8);
    out->first = factors[row];
    out->second = factors[16 + row];
  } else if (symbolon_is_k(type)) {
    const uint8_t *factors = scales + 64 + 32 * (b % 8);
    out->d = out->d * (float)factors[row];
    out->m = -(out->m * (float)factors[16 + row]);
  }
}

static void multiply_quantised(
  const symbolon_matrix *m, const uint8_t *group, const symbolon_vector *v, int32_t count,
  float (*out)[SYMBOLON_ROWS]) {
  const symbolon_layout layout = symbolon_layout_of(m->type);
  const int32_t minimum = symbolon_has_minimum(m->type);
  for (int32_t r = 0; r < SYMBOLON_ROWS; r++) {
    for (int32_t c = 0; c < count; c++) out[c][r] = 0.0f;
    for (int32_t b = 0; b < m->columns / 32; b++) {
      row_block block;
      read_row_block(m->type, &layout, group, b, r, &block);
      for (int32_t c = 0; c < count; c++) {
        const symbolon_block *x = &v[c].b[b];
        int32_t first = 0, second = 0;
        for (int32_t k = 0; k < 16; k++) first += block.w[k] * x->q[k];
        for (int32_t k = 16; k < 32; k++) second += block.w[k] * x->q[k];
        const float dot = (float)(block.first * first + block.second * second); /* below 2^24: exact */
        const float t = minimum ? __builtin_fmaf(block.d, dot, block.m * x->a) : block.d * dot;
        out[c][r] = __builtin_fmaf(x->e, t, out[c][r]);
      }
    }
  }
}

static float weight_at(int32_t type, const uint8_t *group, size_t index) {
  if (type == SYMBOLON_F16) return half_at(group + 2 * index);
  uint32_t bits = 0;
  if (type == SYMBOLON_F32) {
    __builtin_memcpy(&bits, group + 4 * index, 4);
  } else {
    uint16_t upper;
    __builtin_memcpy(&upper, group + 2 * index, 2);
    bits = (uint32_t)upper << 16;
  }
  return symbolon_from_bits(bits);
}

void symbolon_multiply_scalar(
  const symbolon_matrix *m, int32_t index, const symbolon_vector *v, int32_t count, float (*out)[SYMBOLON_ROWS]) {
  const uint8_t *group = m->groups + (size_t)index * symbolon_group_bytes(m->type, m->columns);
  if (symbolon_layout_of(m->type).values != 0) {
    multiply_quantised(m, group, v, count, out);
    return;
  }
  for (int32_t c = 0; c < count; c++)
    for (int32_t r = 0; r < SYMBOLON_ROWS; r++) {
      float acc = 0.0f;
      for (int32_t k = 0; k < m->columns; k++)
        acc = __builtin_fmaf(weight_at(m->type, group, (size_t)k * SYMBOLON_ROWS + (size_t)r), v[c].x[k], acc);
      out[c][r] = acc;
    }
}

void symbolon_unpack_row(const symbolon_matrix *m, int32_t row, float *out) {
  const uint8_t *group = m->groups + (size_t)(row / SYMBOLON_ROWS) * symbolon_group_bytes(m->type, m->columns);
  const symbolon_layout layout = symbolon_layout_of(m->type);
  const int32_t r = row % SYMBOLON_ROWS;
  if (layout.values == 0) {
    for (int32_t k = 0; k < m->columns; k++)
      out[k] = weight_at(m->type, group, (size_t)k * SYMBOLON_ROWS + (size_t)r);
    return;
  }
  for (int32_t b = 0; b < m->columns / 32; b++, out += 32) {
    row_block block;
    read_row_block(m->type, &layout, group, b, r, &block);
    const float first = block.d * (float)block.first, second = block.d * (float)block.second;
    if (symbolon_has_minimum(m->type))
      for (int32_t k = 0; k < 32; k++) out[k] = __builtin_fmaf(block.d, (float)block.w[k], block.m);
    else
      for (int32_t k = 0; k < 32; k++) out[k] = (k < 16 ? first : second) * (float)block.w[k];
  }
}
