/* Packing of GGUF tensors into groups of eight rows, and single rows as f32. */
#include "arithmetic_rules.h"
#include "include/matrix.h"

#include <string.h>

/* Bytes of a block of 32 values in GGUF: scale f16 [minimum f16] codes. */
static size_t block_bytes(int32_t type) {
  switch (type) {
    case SYMBOLON_F32: return 128;
    case SYMBOLON_F16: return 64;
    case SYMBOLON_Q4_0: return 18;
    case SYMBOLON_Q4_1: return 20;
    case SYMBOLON_Q8_0: return 34;
    default: return 0;
  }
}

size_t symbolon_row_bytes(int32_t type, int32_t columns) {
  if (columns <= 0) return 0;
  if (type == SYMBOLON_F32) return (size_t)columns * 4;
  if (type == SYMBOLON_F16) return (size_t)columns * 2;
  return columns % 32 != 0 ? 0 : (size_t)(columns / 32) * block_bytes(type);
}

size_t symbolon_group_bytes(int32_t type, int32_t columns) { return symbolon_row_bytes(type, columns) * 8; }

/* Interleaves the block of one row into the group's block: scales first, then words of four bytes by row. */
static void pack_block(const uint8_t *block, int32_t scales, int32_t words, int32_t row, uint8_t *out) {
  for (int32_t s = 0; s < scales; s++) memcpy(out + 16 * s + 2 * row, block + 2 * s, 2);
  const uint8_t *codes = block + 2 * scales;
  uint8_t *target = out + 16 * scales;
  for (int32_t w = 0; w < words; w++) memcpy(target + 32 * w + 4 * row, codes + 4 * w, 4);
}

void symbolon_pack(
  int32_t type, int32_t rows, int32_t columns, const uint8_t *tensor, uint8_t *groups, int32_t first, int32_t end) {
  const size_t row_bytes = symbolon_row_bytes(type, columns), group_bytes = row_bytes * 8;
  const size_t block = block_bytes(type);
  for (int32_t g = first; g < end; g++) {
    uint8_t *group = groups + (size_t)g * group_bytes;
    const int32_t present = rows - g * 8 < 8 ? rows - g * 8 : 8;
    if (present < 8) memset(group, 0, group_bytes);
    for (int32_t r = 0; r < present; r++) {
      const uint8_t *row = tensor + (size_t)(g * 8 + r) * row_bytes;
      if (type == SYMBOLON_F32 || type == SYMBOLON_F16) {
        const size_t size = type == SYMBOLON_F32 ? 4 : 2;
        for (int32_t k = 0; k < columns; k++)
          memcpy(group + ((size_t)k * 8 + (size_t)r) * size, row + (size_t)k * size, size);
        continue;
      }
      const int32_t scales = type == SYMBOLON_Q4_1 ? 2 : 1, words = type == SYMBOLON_Q8_0 ? 8 : 4;
      for (int32_t b = 0; b < columns / 32; b++)
        pack_block(row + (size_t)b * block, scales, words, r, group + (size_t)b * block * 8);
    }
  }
}

static float half_at(const uint8_t *p) {
  uint16_t half;
  memcpy(&half, p, 2);
  return symbolon_half_to_float(half);
}

void symbolon_dequantise_row(int32_t type, int32_t columns, const uint8_t *row, float *out) {
  if (type == SYMBOLON_F32) {
    memcpy(out, row, (size_t)columns * 4);
    return;
  }
  if (type == SYMBOLON_F16) {
    for (int32_t k = 0; k < columns; k++) out[k] = half_at(row + 2 * (size_t)k);
    return;
  }
  const size_t block = block_bytes(type);
  for (int32_t b = 0; b < columns / 32; b++, row += block, out += 32) {
    const float d = half_at(row);
    if (type == SYMBOLON_Q8_0) {
      for (int32_t i = 0; i < 32; i++) out[i] = d * (float)(int8_t)row[2 + i];
      continue;
    }
    const uint8_t *codes = row + (type == SYMBOLON_Q4_1 ? 4 : 2);
    const float m = type == SYMBOLON_Q4_1 ? half_at(row + 2) : 0.0f;
    for (int32_t i = 0; i < 16; i++) {
      const int32_t low = codes[i] & 15, high = codes[i] >> 4;
      if (type == SYMBOLON_Q4_1) {
        out[i] = __builtin_fmaf(d, (float)low, m);
        out[16 + i] = __builtin_fmaf(d, (float)high, m);
      } else {
        out[i] = d * (float)(low - 8);
        out[16 + i] = d * (float)(high - 8);
      }
    }
  }
}
