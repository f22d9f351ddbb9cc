/* What lies in a group of 16 rows; only packing and the matrix kernels read this.
 *
 * F32, F16 and BF16 groups are [column][16 rows]. A quantised group is a row of units, so that decoding reads memory from
 * end to end, as the processor's own fetching ahead expects. A unit has the scales of its blocks, rounded up to 64 bytes,
 * then their codes, so that every load of codes is aligned. It has eight blocks of 32 columns for the K types, two where
 * scales take 32 bytes a block (an odd last block is alone), else one.
 *
 * Scales, a block of 32 columns (of 256 for the K types):
 *   Q4_0 Q5_0 Q8_0  d[16] f16                                           32 bytes
 *   Q4_1 Q5_1       d[16] f16 | m[16] f16                               64 bytes
 *   Q4_K Q5_K       d[16] f16 | dmin[16] f16 | 8 x (scale[16] u8 | minimum[16] u8)     320 bytes
 *   Q6_K            d[16] f16 | 8 x (scale of columns 0...15 [16] i8 | of 16...31 [16] i8)    288 bytes
 *
 * Codes, a block of 32 columns; a word is four columns 4g...4g+3 of one row, one byte each:
 *   4 bits  n[4 words][16 rows]: low nibbles are columns 4g+i, high nibbles columns 16+4g+i            256 bytes
 *   5 bits  h[16 rows][4 bytes], then n as above: bit g of byte i is the fifth bit of column 4g+i,
 *           bit 4+g that of column 16+4g+i                                                             320 bytes
 *   6 bits  h[2][16 rows][4 bytes], then n: bits 2g and 2g+1 of byte i of h[0] are the high bits of
 *           column 4g+i, of h[1] those of column 16+4g+i                                               384 bytes
 *   8 bits  w[8 words][16 rows]: signed                                                                512 bytes */
#ifndef SYMBOLON_GROUPS_H
#define SYMBOLON_GROUPS_H

#include "include/matrix.h"

/* How a quantised type is cut. All zero for F32, F16, BF16 and unknown types. */
typedef struct symbolon_layout {
  int32_t values;      /* columns of a GGUF block */
  int32_t bytes;       /* bytes of a GGUF block of one row */
  int32_t scale_bytes; /* of a GGUF block of 16 rows */
  int32_t code_bytes;  /* of 32 columns of 16 rows */
  int32_t bits;        /* of a code */
  int32_t offset;      /* what the unsigned code is greater by than the weight it stands for */
} symbolon_layout;

static inline symbolon_layout symbolon_layout_of(int32_t type) {
  switch (type) {
    case SYMBOLON_Q4_0: return (symbolon_layout){32, 18, 32, 256, 4, 8};
    case SYMBOLON_Q4_1: return (symbolon_layout){32, 20, 64, 256, 4, 0};
    case SYMBOLON_Q5_0: return (symbolon_layout){32, 22, 32, 320, 5, 16};
    case SYMBOLON_Q5_1: return (symbolon_layout){32, 24, 64, 320, 5, 0};
    case SYMBOLON_Q8_0: return (symbolon_layout){32, 34, 32, 512, 8, 0};
    case SYMBOLON_Q4_K: return (symbolon_layout){256, 144, 320, 256, 4, 0};
    case SYMBOLON_Q5_K: return (symbolon_layout){256, 176, 320, 320, 5, 0};
    case SYMBOLON_Q6_K: return (symbolon_layout){256, 210, 288, 384, 6, 32};
    default: return (symbolon_layout){0, 0, 0, 0, 0, 0};
  }
}

/* Blocks of a unit. */
static inline int32_t symbolon_unit_blocks(const symbolon_layout *layout) {
  return layout->values > 32 ? layout->values / 32 : layout->scale_bytes == 32 ? 2 : 1;
}

/* Bytes before the codes of a unit. */
static inline size_t symbolon_unit_scales(const symbolon_layout *layout) {
  return ((size_t)layout->scale_bytes + 63) & ~(size_t)63;
}

/* Where the unit of block `b` begins. */
static inline size_t symbolon_unit_at(const symbolon_layout *layout, int32_t b) {
  const int32_t blocks = symbolon_unit_blocks(layout);
  return (size_t)(b / blocks) * (symbolon_unit_scales(layout) + (size_t)blocks * (size_t)layout->code_bytes);
}

/* The codes of block `b` of a quantised group. */
static inline size_t symbolon_codes_at(const symbolon_layout *layout, int32_t b) {
  const int32_t place = b % symbolon_unit_blocks(layout);
  return symbolon_unit_at(layout, b) + symbolon_unit_scales(layout) + (size_t)place * (size_t)layout->code_bytes;
}

/* The scales of block `b`, for the K types those of the GGUF block that it is a part of. */
static inline size_t symbolon_scales_at(const symbolon_layout *layout, int32_t b) {
  const int32_t place = layout->values > 32 ? 0 : b % symbolon_unit_blocks(layout);
  return symbolon_unit_at(layout, b) + (size_t)place * (size_t)layout->scale_bytes;
}

/* Kinds of scales. */
static inline int32_t symbolon_has_minimum(int32_t type) {
  return type == SYMBOLON_Q4_1 || type == SYMBOLON_Q5_1 || type == SYMBOLON_Q4_K || type == SYMBOLON_Q5_K;
}
static inline int32_t symbolon_is_k(int32_t type) { return type >= SYMBOLON_Q4_K && type <= SYMBOLON_Q6_K; }

#endif
