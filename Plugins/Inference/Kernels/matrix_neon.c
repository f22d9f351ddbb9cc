/* Matrix times vectors with NEON and the integer dot product: a register is four output rows, a quarter of a group. */
#if defined(__aarch64__)

#include <arm_neon.h>

#include "arithmetic_rules.h"
#include "groups.h"
#include "operations_internal.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define INLINE static inline __attribute__((always_inline))

INLINE float32x4_t load_halves(const uint8_t *p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)(const void *)p)));
}

/* Word g of a block: columns 4g...4g+3 and 16+4g...16+4g+3 of four rows, at most 63 or signed. */
INLINE void read_word(const int32_t bits, const uint8_t *codes, const int32_t g, int8x16_t *low, int8x16_t *high) {
  if (bits == 8) {
    *low = vreinterpretq_s8_u8(vld1q_u8(codes + 64 * g));
    *high = vreinterpretq_s8_u8(vld1q_u8(codes + 64 * (4 + g)));
    return;
  }
  const uint8x16_t raw = vld1q_u8(codes + 64 * (bits - 4) + 64 * g);
  uint8x16_t a = vandq_u8(raw, vdupq_n_u8(15)), b = vshrq_n_u8(raw, 4);
  if (bits == 5) {
    const uint8x16_t fifth = vdupq_n_u8(16), h = vld1q_u8(codes);
    a = vorrq_u8(a, vandq_u8(vshlq_u8(h, vdupq_n_s8((int8_t)(4 - g))), fifth));
    b = vorrq_u8(b, vandq_u8(vshlq_u8(h, vdupq_n_s8((int8_t)-g)), fifth));
  }
  if (bits == 6) {
    const uint8x16_t upper = vdupq_n_u8(48), h = vld1q_u8(codes), i = vld1q_u8(codes + 64);
    const int8x16_t shift = vdupq_n_s8((int8_t)(4 - 2 * g));
    a = vorrq_u8(a, vandq_u8(vshlq_u8(h, shift), upper));
    b = vorrq_u8(b, vandq_u8(vshlq_u8(i, shift), upper));
  }
  *low = vreinterpretq_s8_u8(a);
  *high = vreinterpretq_s8_u8(b);
}

/* D, M and, for Q6_K, the factors of the halves, of four rows. */
typedef struct scales {
  float32x4_t d, m, first, second;
} scales;

INLINE float32x4_t load_bytes(const uint8_t *p) {
  uint32_t word;
  __builtin_memcpy(&word, p, 4);
  const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word)));
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide)));
}

INLINE float32x4_t load_signed_bytes(const uint8_t *p) {
  uint32_t word;
  __builtin_memcpy(&word, p, 4);
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(word)));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}

INLINE scales read_scales(const int32_t type, const uint8_t *group, int32_t b, int32_t quarter) {
  const symbolon_layout layout = symbolon_layout_of(type);
  const uint8_t *p = group + symbolon_scales_at(&layout, b);
  scales s = {load_halves(p + 8 * quarter), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  if (symbolon_has_minimum(type)) s.m = load_halves(p + 32 + 8 * quarter);
  if (type == SYMBOLON_Q6_K) {
    const uint8_t *factors = p + 32 + 32 * (b % 8) + 4 * quarter;
    s.first = load_signed_bytes(factors);
    s.second = load_signed_bytes(factors + 16);
  } else if (symbolon_is_k(type)) {
    const uint8_t *factors = p + 64 + 32 * (b % 8) + 4 * quarter;
    s.d = vmulq_f32(s.d, load_bytes(factors));
    s.m = vnegq_f32(vmulq_f32(s.m, load_bytes(factors + 16)));
  }
  return s;
}

/* The integer dot of the block as floats: exact. */
INLINE float32x4_t finish(const int32_t type, int32x4_t low, int32x4_t high, const symbolon_block *x, const scales *k) {
  if (type == SYMBOLON_Q6_K) {
    const float32x4_t a = vsubq_f32(vcvtq_f32_s32(low), vdupq_n_f32(32.0f * x->first));
    const float32x4_t b = vsubq_f32(vcvtq_f32_s32(high), vdupq_n_f32(32.0f * x->second));
    return vfmaq_f32(vfmaq_f32(vdupq_n_f32(0), k->second, b), k->first, a);
  }
  const float32x4_t whole = vcvtq_f32_s32(vaddq_s32(low, high));
  const int32_t offset = symbolon_layout_of(type).offset;
  return offset == 0 ? whole : vsubq_f32(whole, vdupq_n_f32((float)offset * x->a));
}

/* Two quarters of a group times `count` vectors. */
INLINE void half_tile(const int32_t type, const symbolon_matrix *m, const uint8_t *group, int32_t half,
                      const symbolon_vector *v, const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  const symbolon_layout layout = symbolon_layout_of(type);
  float32x4_t acc[4][2];
  for (int32_t c = 0; c < count; c++) acc[c][0] = acc[c][1] = vdupq_n_f32(0);
  for (int32_t b = 0; b < m->columns / 32; b++) {
    const uint8_t *codes = group + symbolon_codes_at(&layout, b) + 32 * half;
    int32x4_t low[4][2], high[4][2];
    int8x16_t q[4], r[4];
    for (int32_t c = 0; c < count; c++) {
      for (int32_t u = 0; u < 2; u++) low[c][u] = high[c][u] = vdupq_n_s32(0);
      q[c] = vld1q_s8(v[c].b[b].q);
      r[c] = vld1q_s8(v[c].b[b].q + 16);
    }
#define WORD(g)                                                                       \
  for (int32_t u = 0; u < 2; u++) {                                                   \
    int8x16_t first, second;                                                          \
    read_word(layout.bits, codes + 16 * u, g, &first, &second);                       \
    for (int32_t c = 0; c < count; c++) {                                             \
      low[c][u] = vdotq_laneq_s32(low[c][u], first, q[c], g);                         \
      high[c][u] = vdotq_laneq_s32(high[c][u], second, r[c], g);                      \
    }                                                                                 \
  }
    WORD(0)
    WORD(1)
    WORD(2)
    WORD(3)
#undef WORD
    for (int32_t u = 0; u < 2; u++) {
      const scales k = read_scales(type, group, b, 2 * half + u);
      for (int32_t c = 0; c < count; c++) {
        const symbolon_block *x = &v[c].b[b];
        const float32x4_t dot = finish(type, low[c][u], high[c][u], x, &k);
        const float32x4_t t = symbolon_has_minimum(type) ? vfmaq_f32(vmulq_n_f32(k.m, x->a), k.d, dot)
                                                         : vmulq_f32(k.d, dot);
        acc[c][u] = vfmaq_n_f32(acc[c][u], t, x->e);
      }
    }
  }
  for (int32_t c = 0; c < count; c++)
    for (int32_t u = 0; u < 2; u++) vst1q_f32(out[c] + 8 * half + 4 * u, acc[c][u]);
}

INLINE float32x4_t load_weights(const int32_t type, const uint8_t *group, size_t index) {
  if (type == SYMBOLON_F16) return load_halves(group + 2 * index);
  if (type == SYMBOLON_F32) return vreinterpretq_f32_u8(vld1q_u8(group + 4 * index));
  return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(group + 2 * index)), 16));
}

INLINE void float_tile(const int32_t type, const uint8_t *group, int32_t columns, const symbolon_vector *v,
                       const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  float32x4_t acc[4][4];
  for (int32_t c = 0; c < count; c++)
    for (int32_t u = 0; u < 4; u++) acc[c][u] = vdupq_n_f32(0);
  for (int32_t k = 0; k < columns; k++)
    for (int32_t u = 0; u < 4; u++) {
      const float32x4_t w = load_weights(type, group, (size_t)k * 16 + 4 * (size_t)u);
      for (int32_t c = 0; c < count; c++) acc[c][u] = vfmaq_n_f32(acc[c][u], w, v[c].x[k]);
    }
  for (int32_t c = 0; c < count; c++)
    for (int32_t u = 0; u < 4; u++) vst1q_f32(out[c] + 4 * u, acc[c][u]);
}

/* The type and the width become constants in each branch. */
INLINE void tile(const int32_t type, const symbolon_matrix *m, const uint8_t *group, const symbolon_vector *v,
                 const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  if (symbolon_layout_of(type).values == 0) {
    float_tile(type, group, m->columns, v, count, out);
    return;
  }
  half_tile(type, m, group, 0, v, count, out);
  half_tile(type, m, group, 1, v, count, out);
}

#define TYPE(type)                                                     \
  case type:                                                           \
    switch (count) {                                                   \
      case 1: tile(type, m, group, v, 1, out); return;                 \
      case 2: tile(type, m, group, v, 2, out); return;                 \
      case 3: tile(type, m, group, v, 3, out); return;                 \
      default: tile(type, m, group, v, 4, out); return;                \
    }

static void at_most_four(const symbolon_matrix *m, const uint8_t *group, const symbolon_vector *v, int32_t count,
                         float (*out)[SYMBOLON_ROWS]) {
  switch (m->type) {
    TYPE(SYMBOLON_F32)
    TYPE(SYMBOLON_F16)
    TYPE(SYMBOLON_BF16)
    TYPE(SYMBOLON_Q4_0)
    TYPE(SYMBOLON_Q4_1)
    TYPE(SYMBOLON_Q5_0)
    TYPE(SYMBOLON_Q5_1)
    TYPE(SYMBOLON_Q8_0)
    TYPE(SYMBOLON_Q4_K)
    TYPE(SYMBOLON_Q5_K)
    TYPE(SYMBOLON_Q6_K)
    default: return;
  }
}

void symbolon_multiply_neon(
  const symbolon_matrix *m, int32_t index, const symbolon_vector *v, int32_t count, float (*out)[SYMBOLON_ROWS]) {
  const uint8_t *group = m->groups + (size_t)index * symbolon_group_bytes(m->type, m->columns);
  for (int32_t c = 0; c < count; c += 4) at_most_four(m, group, v + c, count - c < 4 ? count - c : 4, out + c);
}

#pragma clang attribute pop

#else
typedef int symbolon_no_neon_matrix_here;
#endif
