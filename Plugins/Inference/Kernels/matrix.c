/* Packing of GGUF tensors into groups of sixteen rows, and single rows as f32. */
#include "arithmetic_rules.h"
#include "groups.h"

#include <string.h>

size_t symbolon_row_bytes(int32_t type, int32_t columns) {
  if (columns <= 0) return 0;
  if (type == SYMBOLON_F32) return (size_t)columns * 4;
  if (type == SYMBOLON_F16 || type == SYMBOLON_BF16) return (size_t)columns * 2;
  const symbolon_layout layout = symbolon_layout_of(type);
  if (layout.values == 0 || columns % layout.values != 0) return 0;
  return (size_t)(columns / layout.values) * (size_t)layout.bytes;
}

int32_t symbolon_groups(int32_t rows) { return rows / SYMBOLON_ROWS + (rows % SYMBOLON_ROWS != 0); }

size_t symbolon_group_bytes(int32_t type, int32_t columns) {
  const size_t row = symbolon_row_bytes(type, columns);
  if (row == 0 || columns % 32 != 0) return 0;
  const symbolon_layout layout = symbolon_layout_of(type);
  if (layout.values == 0) return row * SYMBOLON_ROWS;
  const int32_t blocks = columns / 32, rest = blocks % symbolon_unit_blocks(&layout);
  const size_t tail = rest == 0 ? 0 : symbolon_unit_scales(&layout) + (size_t)rest * (size_t)layout.code_bytes;
  return symbolon_unit_at(&layout, blocks) + tail;
}

size_t symbolon_packed_bytes(int32_t type, int32_t rows, int32_t columns) {
  return (size_t)symbolon_groups(rows) * symbolon_group_bytes(type, columns);
}

/* A block of 32 weights of one row, as GGUF stores it. */
typedef struct block {
  uint8_t code[32];
  uint16_t d, m;        /* f16 scale and minimum, of the whole GGUF block */
  uint8_t scale, least; /* Q4_K, Q5_K: 6-bit factors of d and m; Q6_K: int8 factors of d for the two halves */
} block;

/* The 6-bit scale and minimum of sub-block `s` of a Q4_K or Q5_K block. */
static void read_factors(const uint8_t *packed, int32_t s, block *out) {
  if (s < 4) {
    out->scale = packed[s] & 63;
    out->least = packed[s + 4] & 63;
  } else {
    out->scale = (uint8_t)((packed[s + 4] & 15) | (packed[s - 4] >> 6) << 4);
    out->least = (uint8_t)((packed[s + 4] >> 4) | (packed[s] >> 6) << 4);
  }
}

/* Sub-block `s` of a K block. */
static void read_k(int32_t type, const uint8_t *p, int32_t s, block *out) {
  if (type == SYMBOLON_Q6_K) {
    const uint8_t *low = p + 64 * (s / 4) + 32 * (s % 2), *high = p + 128 + 32 * (s / 4);
    const int32_t nibble = s % 4 < 2 ? 0 : 4, pair = 2 * (s % 4);
    for (int32_t i = 0; i < 32; i++)
      out->code[i] = (uint8_t)(((low[i] >> nibble) & 15) | ((high[i] >> pair) & 3) << 4);
    out->scale = p[192 + 2 * s];
    out->least = p[193 + 2 * s];
    memcpy(&out->d, p + 208, 2);
    return;
  }
  memcpy(&out->d, p, 2);
  memcpy(&out->m, p + 2, 2);
  read_factors(p + 4, s, out);
  const uint8_t *codes = p + (type == SYMBOLON_Q5_K ? 48 : 16) + 32 * (s / 2);
  const int32_t nibble = s % 2 * 4;
  for (int32_t i = 0; i < 32; i++) out->code[i] = (codes[i] >> nibble) & 15;
  if (type == SYMBOLON_Q5_K)
    for (int32_t i = 0; i < 32; i++) out->code[i] |= (uint8_t)(((p[16 + i] >> s) & 1) << 4);
}

/* Columns 32*b... of a row. */
static void read_block(int32_t type, const uint8_t *row, int32_t b, block *out) {
  const symbolon_layout layout = symbolon_layout_of(type);
  if (symbolon_is_k(type)) {
    read_k(type, row + (size_t)(b / 8) * (size_t)layout.bytes, b % 8, out);
    return;
  }
  const uint8_t *p = row + (size_t)b * (size_t)layout.bytes;
  memcpy(&out->d, p, 2);
  p += 2;
  if (symbolon_has_minimum(type)) {
    memcpy(&out->m, p, 2);
    p += 2;
  }
  if (type == SYMBOLON_Q8_0) {
    memcpy(out->code, p, 32);
    return;
  }
  uint32_t fifth = 0;
  if (layout.bits == 5) {
    memcpy(&fifth, p, 4);
    p += 4;
  }
  for (int32_t i = 0; i < 16; i++) {
    out->code[i] = p[i] & 15;
    out->code[16 + i] = p[i] >> 4;
  }
  if (layout.bits == 5)
    for (int32_t i = 0; i < 32; i++) out->code[i] |= (uint8_t)(((fifth >> i) & 1) << 4);
}

/* Writes the codes of one row into the block of its group. */
static void write_codes(const uint8_t *code, int32_t bits, int32_t row, uint8_t *out) {
  out += 4 * row;
  if (bits == 8) {
    for (int32_t w = 0; w < 8; w++) memcpy(out + 64 * w, code + 4 * w, 4);
    return;
  }
  for (int32_t half = 0; half < bits - 4; half++, out += 64)
    for (int32_t i = 0; i < 4; i++) {
      uint8_t high = 0;
      for (int32_t g = 0; g < 4; g++) {
        if (bits == 5) high |= (uint8_t)((code[4 * g + i] >> 4) << g | (code[16 + 4 * g + i] >> 4) << (4 + g));
        else high |= (uint8_t)((code[16 * half + 4 * g + i] >> 4) << (2 * g));
      }
      out[i] = high;
    }
  uint8_t nibbles[16];
  for (int32_t i = 0; i < 16; i++) nibbles[i] = (uint8_t)((code[i] & 15) | (code[16 + i] & 15) << 4);
  for (int32_t w = 0; w < 4; w++) memcpy(out + 64 * w, nibbles + 4 * w, 4);
}

/* Writes the scales of one row of block `b` into its group. */
static void write_scales(int32_t type, const block *from, int32_t b, int32_t row, uint8_t *group) {
  const symbolon_layout layout = symbolon_layout_of(type);
  uint8_t *out = group + symbolon_scales_at(&layout, b);
  memcpy(out + 2 * row, &from->d, 2);
  if (symbolon_has_minimum(type)) memcpy(out + 32 + 2 * row, &from->m, 2);
  if (!symbolon_is_k(type)) return;
  uint8_t *factors = out + (type == SYMBOLON_Q6_K ? 32 : 64) + 32 * (b % 8);
  factors[row] = from->scale;
  factors[16 + row] = from->least;
}

static void pack_floats(size_t size, int32_t columns, int32_t row, const uint8_t *from, uint8_t *group) {
  for (int32_t k = 0; k < columns; k++)
    memcpy(group + ((size_t)k * SYMBOLON_ROWS + (size_t)row) * size, from + (size_t)k * size, size);
}

void symbolon_pack(
  int32_t type, int32_t rows, int32_t columns, const uint8_t *tensor, uint8_t *groups, int32_t first, int32_t end) {
  const size_t row_bytes = symbolon_row_bytes(type, columns), group_bytes = symbolon_group_bytes(type, columns);
  const symbolon_layout layout = symbolon_layout_of(type);
  for (int32_t g = first; g < end; g++) {
    uint8_t *group = groups + (size_t)g * group_bytes;
    const int32_t present = rows - g * SYMBOLON_ROWS < SYMBOLON_ROWS ? rows - g * SYMBOLON_ROWS : SYMBOLON_ROWS;
    memset(group, 0, group_bytes); /* rows that are not there, and what no scale fills */
    for (int32_t r = 0; r < present; r++) {
      const uint8_t *row = tensor + (size_t)(g * SYMBOLON_ROWS + r) * row_bytes;
      if (layout.values == 0) {
        pack_floats(type == SYMBOLON_F32 ? 4 : 2, columns, r, row, group);
        continue;
      }
      for (int32_t b = 0; b < columns / 32; b++) {
        block read;
        read_block(type, row, b, &read);
        write_scales(type, &read, b, r, group);
        write_codes(read.code, layout.bits, r, group + symbolon_codes_at(&layout, b));
      }
    }
  }
}

/* The order of operations is gguf's; every product but the last sum is exact, so there is no other. */
static void dequantise_block(int32_t type, const block *from, float *out) {
  float d = symbolon_half_to_float(from->d), m = 0.0f;
  if (type == SYMBOLON_Q6_K) {
    const float first = d * (float)(int8_t)from->scale, second = d * (float)(int8_t)from->least;
    for (int32_t i = 0; i < 32; i++) out[i] = (i < 16 ? first : second) * (float)((int32_t)from->code[i] - 32);
    return;
  }
  if (type == SYMBOLON_Q8_0) {
    for (int32_t i = 0; i < 32; i++) out[i] = d * (float)(int8_t)from->code[i];
    return;
  }
  const int32_t offset = symbolon_layout_of(type).offset;
  if (!symbolon_has_minimum(type)) {
    for (int32_t i = 0; i < 32; i++) out[i] = d * (float)((int32_t)from->code[i] - offset);
    return;
  }
  m = symbolon_half_to_float(from->m);
  if (symbolon_is_k(type)) {
    d = d * (float)from->scale;
    m = -(m * (float)from->least);
  }
  for (int32_t i = 0; i < 32; i++) out[i] = __builtin_fmaf(d, (float)from->code[i], m);
}

void symbolon_dequantise_row(int32_t type, int32_t columns, const uint8_t *row, float *out) {
  if (type == SYMBOLON_F32) {
    memcpy(out, row, (size_t)columns * 4);
    return;
  }
  if (type == SYMBOLON_F16 || type == SYMBOLON_BF16) {
    for (int32_t k = 0; k < columns; k++) {
      uint16_t bits;
      memcpy(&bits, row + 2 * (size_t)k, 2);
      out[k] = type == SYMBOLON_F16 ? symbolon_half_to_float(bits) : symbolon_from_bits((uint32_t)bits << 16);
    }
    return;
  }
  for (int32_t b = 0; b < columns / 32; b++) {
    block read;
    read_block(type, row, b, &read);
    dequantise_block(type, &read, out + 32 * b);
  }
}
