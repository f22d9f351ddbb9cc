/* The operations with NEON: four lanes, sixteen of them in four registers; the same orders, the same bits. */
#if defined(__aarch64__)

#include <arm_neon.h>

#include "arithmetic_rules.h"
#include "operations_internal.h"

#define INLINE static inline __attribute__((always_inline))

INLINE float32x4_t load_halves(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }

static int32_t quantise(const float *x, int32_t n, symbolon_block *block) {
  int32_t finite = 1;
  for (int32_t b = 0; b < n / 32; b++, x += 32, block++) {
    float32x4_t v[8];
    uint32x4_t magnitudes = vdupq_n_u32(0);
    for (int32_t i = 0; i < 8; i++) {
      v[i] = vld1q_f32(x + 4 * i);
      magnitudes = vmaxq_u32(magnitudes, vreinterpretq_u32_f32(vabsq_f32(v[i])));
    }
    const uint32_t magnitude = vmaxvq_u32(magnitudes);
    const float amax = symbolon_from_bits(magnitude);
    if (magnitude > 0x7f7fffffu) finite = 0;
    if (amax < SYMBOLON_QUANTISE_FLOOR || magnitude > 0x7f7fffffu) {
      *block = (symbolon_block){0};
      continue;
    }
    const float inverse = 127.0f / amax;
    int32x4_t c[8];
    for (int32_t i = 0; i < 8; i++) c[i] = vcvtnq_s32_f32(vmulq_n_f32(v[i], inverse));
    int32_t sum[2];
    for (int32_t h = 0; h < 2; h++) {
      const int32x4_t *k = c + 4 * h;
      sum[h] = vaddvq_s32(vaddq_s32(vaddq_s32(k[0], k[1]), vaddq_s32(k[2], k[3])));
      const int16x8_t first = vcombine_s16(vmovn_s32(k[0]), vmovn_s32(k[1]));
      const int16x8_t second = vcombine_s16(vmovn_s32(k[2]), vmovn_s32(k[3]));
      vst1q_s8(block->q + 16 * h, vcombine_s8(vmovn_s16(first), vmovn_s16(second)));
    }
    block->e = amax / 127.0f;
    block->a = (float)(sum[0] + sum[1]);
    block->first = (float)sum[0];
    block->second = (float)sum[1];
  }
  return finite;
}

/* The tree 8, 4, 2, 1 over 16 lanes. */
INLINE float tree(const float32x4_t *lanes) {
  const float32x4_t four = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

static void norm(const float *x, const float *w, int32_t n, float epsilon, float *y) {
  float32x4_t lanes[4];
  for (int32_t u = 0; u < 4; u++) lanes[u] = vdupq_n_f32(0);
  for (int32_t i = 0; i < n; i += 16)
    for (int32_t u = 0; u < 4; u++) {
      const float32x4_t v = vld1q_f32(x + i + 4 * u);
      lanes[u] = vfmaq_f32(lanes[u], v, v);
    }
  const float scale = 1.0f / __builtin_sqrtf(tree(lanes) / (float)n + epsilon);
  for (int32_t i = 0; i < n; i += 4)
    vst1q_f32(y + i, vmulq_f32(vmulq_n_f32(vld1q_f32(x + i), scale), vld1q_f32(w + i)));
}

INLINE float32x4_t exp1(float32x4_t x) {
  const float32x4_t rounder = vdupq_n_f32(SYMBOLON_ROUNDER);
  const float32x4_t clamped = vminq_f32(x, vdupq_n_f32(87.0f)); /* NaN stays NaN */
  const float32x4_t z = vfmaq_f32(rounder, clamped, vdupq_n_f32(SYMBOLON_EXP_LOG2E));
  const float32x4_t n = vsubq_f32(z, rounder);
  float32x4_t b = vfmsq_f32(clamped, n, vdupq_n_f32(SYMBOLON_EXP_LN2_HIGH));
  b = vfmsq_f32(b, n, vdupq_n_f32(SYMBOLON_EXP_LN2_LOW));
  float32x4_t j = vfmaq_f32(vdupq_n_f32(SYMBOLON_EXP_C3), vdupq_n_f32(SYMBOLON_EXP_C4), b);
  j = vfmaq_f32(vdupq_n_f32(SYMBOLON_EXP_C2), j, b);
  j = vfmaq_f32(vdupq_n_f32(SYMBOLON_EXP_C1), j, b);
  j = vfmaq_f32(vdupq_n_f32(SYMBOLON_EXP_C0), j, b);
  j = vmulq_f32(j, b);
  const uint32x4_t bits = vaddq_u32(vshlq_n_u32(vreinterpretq_u32_f32(z), 23), vdupq_n_u32(0x3f800000u));
  const float32x4_t k = vreinterpretq_f32_u32(bits);
  const uint32x4_t below = vcltq_f32(x, vdupq_n_f32(-87.0f));
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(vfmaq_f32(k, k, j)), below));
}

/* Lanes are positions: a tile of 16 keys is four registers. */
INLINE void score_tile(const float *const *q, const int32_t count, int32_t d, const uint16_t *keys, int32_t first,
                       int32_t end, float scale, float *const *out) {
  for (int32_t t = first; t < end; t++) {
    const uint16_t *tile = keys + (size_t)t * (size_t)d * 16;
    float32x4_t acc[4][4];
    for (int32_t i = 0; i < count; i++)
      for (int32_t u = 0; u < 4; u++) acc[i][u] = vdupq_n_f32(0);
    for (int32_t k = 0; k < d; k++)
      for (int32_t u = 0; u < 4; u++) {
        const float32x4_t key = load_halves(tile + (size_t)k * 16 + 4 * u);
        for (int32_t i = 0; i < count; i++) acc[i][u] = vfmaq_n_f32(acc[i][u], key, q[i][k]);
      }
    for (int32_t i = 0; i < count; i++)
      for (int32_t u = 0; u < 4; u++) vst1q_f32(out[i] + 16 * t + 4 * u, vmulq_n_f32(acc[i][u], scale));
  }
}

/* The scores of tiles of one page. */
static void score_page(const float *const *q, int32_t count, int32_t d, const uint16_t *keys, int32_t first,
                       int32_t end, float scale, float *const *out) {
  for (; count > 4; count -= 4, q += 4, out += 4) score_tile(q, 4, d, keys, first, end, scale, out);
  switch (count) {
    case 1: score_tile(q, 1, d, keys, first, end, scale, out); break;
    case 2: score_tile(q, 2, d, keys, first, end, scale, out); break;
    case 3: score_tile(q, 3, d, keys, first, end, scale, out); break;
    default: score_tile(q, 4, d, keys, first, end, scale, out); break;
  }
}

static void scores(const float *const *q, int32_t count, int32_t d, symbolon_strip keys, int32_t first, int32_t end,
                   float scale, float *const *out) {
  symbolon_scores_by_page(score_page, q, count, d, keys, first, end, scale, out);
}

static float softmax(float *s, int32_t first, int32_t end) {
  const int32_t start = first & ~15, padded = (end + 15) & ~15;
  /* What is not visible: lowest of all for the maximum, then below -87 for exp1, which makes it +0. */
  for (int32_t j = start; j < first; j++) s[j] = -__builtin_inff();
  for (int32_t j = end; j < padded; j++) s[j] = -__builtin_inff();
  float32x4_t greatest = vdupq_n_f32(s[first]), lanes[4];
  for (int32_t j = start; j < padded; j += 4) greatest = vmaxq_f32(greatest, vld1q_f32(s + j));
  const float32x4_t top = vdupq_n_f32(vmaxvq_f32(greatest));
  for (int32_t u = 0; u < 4; u++) lanes[u] = vdupq_n_f32(0);
  for (int32_t j = start; j < padded; j += 16)
    for (int32_t u = 0; u < 4; u++) {
      const float32x4_t p = exp1(vsubq_f32(vld1q_f32(s + j + 4 * u), top));
      vst1q_f32(s + j + 4 * u, p);
      lanes[u] = vaddq_f32(lanes[u], p);
    }
  return 1.0f / tree(lanes);
}

/* Lanes are dimensions, 16 at a time. The keys that all queries see go together; those before and after continue each
 * query's own chain, in order. */
INLINE void value_tile(const float *const *p, const int32_t *from, const int32_t *to, const int32_t count, int32_t d,
                       const uint16_t *values, float *const *out) {
  int32_t begin = from[0], end = to[0];
  for (int32_t i = 1; i < count; i++) {
    begin = from[i] > begin ? from[i] : begin;
    end = to[i] < end ? to[i] : end;
  }
  for (int32_t k = 0; k < d; k += 16) {
    const uint16_t *column = values + k;
    float32x4_t acc[4][4];
    for (int32_t i = 0; i < count; i++) {
      for (int32_t u = 0; u < 4; u++) acc[i][u] = vdupq_n_f32(0);
      for (int32_t j = from[i]; j < begin && j < to[i]; j++)
        for (int32_t u = 0; u < 4; u++)
          acc[i][u] = vfmaq_n_f32(acc[i][u], load_halves(column + (size_t)j * (size_t)d + 4 * u), p[i][j]);
    }
    for (int32_t j = begin; j < end; j++)
      for (int32_t u = 0; u < 4; u++) {
        const float32x4_t value = load_halves(column + (size_t)j * (size_t)d + 4 * u);
        for (int32_t i = 0; i < count; i++) acc[i][u] = vfmaq_n_f32(acc[i][u], value, p[i][j]);
      }
    for (int32_t i = 0; i < count; i++) {
      if (from[i] >= to[i]) continue;
      for (int32_t j = end > begin ? end : begin; j < to[i]; j++)
        for (int32_t u = 0; u < 4; u++)
          acc[i][u] = vfmaq_n_f32(acc[i][u], load_halves(column + (size_t)j * (size_t)d + 4 * u), p[i][j]);
      for (int32_t u = 0; u < 4; u++) {
        float *at = out[i] + k + 4 * u;
        vst1q_f32(at, vaddq_f32(vld1q_f32(at), acc[i][u]));
      }
    }
  }
}

/* Adds the chains of one page. */
static void value_page(const float *const *p, const int32_t *from, const int32_t *to, int32_t count, int32_t d,
                       const uint16_t *v, float *const *out) {
  for (; count > 4; count -= 4, p += 4, from += 4, to += 4, out += 4) value_tile(p, from, to, 4, d, v, out);
  switch (count) {
    case 1: value_tile(p, from, to, 1, d, v, out); break;
    case 2: value_tile(p, from, to, 2, d, v, out); break;
    case 3: value_tile(p, from, to, 3, d, v, out); break;
    default: value_tile(p, from, to, 4, d, v, out); break;
  }
}

static void values(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale,
                   int32_t count, int32_t d, symbolon_strip v, float *const *out) {
  symbolon_values_by_page(value_page, p, firsts, ends, scale, count, d, v, out);
}

static void gate(int32_t kind, float *g, const float *u, int32_t n) {
  const float32x4_t one = vdupq_n_f32(1.0f), c0 = vdupq_n_f32(SYMBOLON_GELU_C0), c1 = vdupq_n_f32(SYMBOLON_GELU_C1);
  int32_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const float32x4_t x = vld1q_f32(g + i);
    const float32x4_t w = kind == SYMBOLON_SILU ? x : vmulq_f32(x, vfmaq_f32(c0, c1, vmulq_f32(x, x)));
    const float32x4_t y = vdivq_f32(x, vaddq_f32(one, exp1(vnegq_f32(w))));
    vst1q_f32(g + i, vmulq_f32(y, vld1q_f32(u + i)));
  }
  for (; i < n; i++) g[i] = symbolon_gate_inline(kind, g[i]) * u[i];
}

static int32_t halve(const float *x, int32_t n, uint16_t *half) {
  int32_t finite = 1, i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint16x4_t h = vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + i)));
    if (vmaxv_u16(vand_u16(h, vdup_n_u16(0x7c00))) == 0x7c00) finite = 0;
    vst1_u16(half + i, h);
  }
  for (; i < n; i++) {
    half[i] = symbolon_float_to_half(x[i]);
    if ((half[i] & 0x7c00u) == 0x7c00u) finite = 0;
  }
  return finite;
}

static void weigh(const float *x, int32_t n, float greatest, float temperature, uint32_t *weights) {
  const float32x4_t top = vdupq_n_f32(greatest), t = vdupq_n_f32(temperature);
  int32_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const float32x4_t y = exp1(vdivq_f32(vsubq_f32(vld1q_f32(x + i), top), t));
    vst1q_u32(weights + i, vcvtq_u32_f32(vmulq_n_f32(y, 0x1p30f)));
  }
  for (; i < n; i++) {
    const float difference = x[i] - greatest;
    weights[i] = (uint32_t)(symbolon_exp1_inline(difference / temperature) * 0x1p30f);
  }
}

const symbolon_operations symbolon_operations_neon = {
  .quantise = quantise, .multiply = symbolon_multiply_neon, .norm = norm, .scores = scores, .softmax = softmax,
  .values = values, .gate = gate, .halve = halve, .weigh = weigh,
};

#else
typedef int symbolon_no_neon_here;
#endif
