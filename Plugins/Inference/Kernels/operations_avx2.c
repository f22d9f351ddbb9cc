/* The operations with AVX2, FMA and F16C: eight lanes, the same orders, the same bits. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "arithmetic_rules.h"
#include "operations_internal.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define INLINE static inline __attribute__((always_inline))

INLINE __m256 load_halves(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

INLINE int32_t sum_of(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

static int32_t quantise(const float *x, int32_t n, symbolon_block *block) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  int32_t finite = 1;
  for (int32_t b = 0; b < n / 32; b++, x += 32, block++) {
    __m256 v[4];
    __m256i magnitudes = _mm256_setzero_si256();
    for (int32_t i = 0; i < 4; i++) {
      v[i] = _mm256_loadu_ps(x + 8 * i);
      magnitudes = _mm256_max_epu32(magnitudes, _mm256_castps_si256(_mm256_and_ps(v[i], mask)));
    }
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(magnitudes), _mm256_extracti128_si256(magnitudes, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    const uint32_t magnitude = (uint32_t)_mm_cvtsi128_si32(m);
    const float amax = symbolon_from_bits(magnitude);
    if (magnitude > 0x7f7fffffu) finite = 0;
    if (amax < SYMBOLON_QUANTISE_FLOOR || magnitude > 0x7f7fffffu) {
      *block = (symbolon_block){0};
      continue;
    }
    const __m256 inverse = _mm256_set1_ps(127.0f / amax);
    __m256i c[4];
    for (int32_t i = 0; i < 4; i++) c[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    const int32_t first = sum_of(_mm256_add_epi32(c[0], c[1])), second = sum_of(_mm256_add_epi32(c[2], c[3]));
    const __m256i words = _mm256_packs_epi16(_mm256_packs_epi32(c[0], c[1]), _mm256_packs_epi32(c[2], c[3]));
    _mm256_storeu_si256((__m256i *)block->q, _mm256_permutevar8x32_epi32(words, order));
    block->e = amax / 127.0f;
    block->a = (float)(first + second);
    block->first = (float)first;
    block->second = (float)second;
  }
  return finite;
}

/* The tree 8, 4, 2, 1 over 16 lanes. */
INLINE float tree(__m256 first, __m256 second) {
  const __m256 eight = _mm256_add_ps(first, second);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static void norm(const float *x, const float *w, int32_t n, float epsilon, float *y) {
  __m256 first = _mm256_setzero_ps(), second = _mm256_setzero_ps();
  for (int32_t i = 0; i < n; i += 16) {
    const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
    first = _mm256_fmadd_ps(a, a, first);
    second = _mm256_fmadd_ps(b, b, second);
  }
  const float scale = 1.0f / __builtin_sqrtf(tree(first, second) / (float)n + epsilon);
  const __m256 s = _mm256_set1_ps(scale);
  for (int32_t i = 0; i < n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), s), _mm256_loadu_ps(w + i)));
}

INLINE __m256 exp1(__m256 x) {
  const __m256 rounder = _mm256_set1_ps(SYMBOLON_ROUNDER);
  const __m256 clamped = _mm256_min_ps(_mm256_set1_ps(87.0f), x);
  const __m256 z = _mm256_fmadd_ps(clamped, _mm256_set1_ps(SYMBOLON_EXP_LOG2E), rounder);
  const __m256 n = _mm256_sub_ps(z, rounder);
  __m256 b = _mm256_fnmadd_ps(n, _mm256_set1_ps(SYMBOLON_EXP_LN2_HIGH), clamped);
  b = _mm256_fnmadd_ps(n, _mm256_set1_ps(SYMBOLON_EXP_LN2_LOW), b);
  __m256 j = _mm256_fmadd_ps(_mm256_set1_ps(SYMBOLON_EXP_C4), b, _mm256_set1_ps(SYMBOLON_EXP_C3));
  j = _mm256_fmadd_ps(j, b, _mm256_set1_ps(SYMBOLON_EXP_C2));
  j = _mm256_fmadd_ps(j, b, _mm256_set1_ps(SYMBOLON_EXP_C1));
  j = _mm256_fmadd_ps(j, b, _mm256_set1_ps(SYMBOLON_EXP_C0));
  j = _mm256_mul_ps(j, b);
  const __m256i bits = _mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(z), 23), _mm256_set1_epi32(0x3f800000));
  const __m256 k = _mm256_castsi256_ps(bits);
  const __m256 below = _mm256_cmp_ps(x, _mm256_set1_ps(-87.0f), _CMP_LT_OQ);
  return _mm256_andnot_ps(below, _mm256_fmadd_ps(k, j, k));
}

/* Lanes are positions: a tile of 16 keys is two registers, each query two accumulators. */
INLINE void score_tile(const float *const *q, const int32_t count, int32_t d, const uint16_t *keys, int32_t first,
                       int32_t end, float scale, float *const *out) {
  const __m256 factor = _mm256_set1_ps(scale);
  for (int32_t t = first; t < end; t++) {
    const uint16_t *tile = keys + (size_t)t * (size_t)d * 16;
    __m256 acc[6][2];
    for (int32_t i = 0; i < count; i++) acc[i][0] = acc[i][1] = _mm256_setzero_ps();
    for (int32_t k = 0; k < d; k++) {
      const __m256 a = load_halves(tile + (size_t)k * 16), b = load_halves(tile + (size_t)k * 16 + 8);
      for (int32_t i = 0; i < count; i++) {
        const __m256 x = _mm256_broadcast_ss(q[i] + k);
        acc[i][0] = _mm256_fmadd_ps(x, a, acc[i][0]);
        acc[i][1] = _mm256_fmadd_ps(x, b, acc[i][1]);
      }
    }
    for (int32_t i = 0; i < count; i++) {
      _mm256_storeu_ps(out[i] + 16 * t, _mm256_mul_ps(factor, acc[i][0]));
      _mm256_storeu_ps(out[i] + 16 * t + 8, _mm256_mul_ps(factor, acc[i][1]));
    }
  }
}

/* The scores of tiles of one page. */
static void score_page(const float *const *q, int32_t count, int32_t d, const uint16_t *keys, int32_t first,
                       int32_t end, float scale, float *const *out) {
  for (; count > 6; count -= 6, q += 6, out += 6) score_tile(q, 6, d, keys, first, end, scale, out);
  switch (count) {
    case 1: score_tile(q, 1, d, keys, first, end, scale, out); break;
    case 2: score_tile(q, 2, d, keys, first, end, scale, out); break;
    case 3: score_tile(q, 3, d, keys, first, end, scale, out); break;
    case 4: score_tile(q, 4, d, keys, first, end, scale, out); break;
    case 5: score_tile(q, 5, d, keys, first, end, scale, out); break;
    default: score_tile(q, 6, d, keys, first, end, scale, out); break;
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
  __m256 greatest = _mm256_set1_ps(s[first]);
  for (int32_t j = start; j < padded; j += 8) greatest = _mm256_max_ps(greatest, _mm256_loadu_ps(s + j));
  float lanes[8], most = s[first];
  _mm256_storeu_ps(lanes, greatest);
  for (int32_t i = 0; i < 8; i++) most = lanes[i] > most ? lanes[i] : most;
  const __m256 top = _mm256_set1_ps(most);
  __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
  for (int32_t j = start; j < padded; j += 16) {
    const __m256 a = exp1(_mm256_sub_ps(_mm256_loadu_ps(s + j), top));
    const __m256 b = exp1(_mm256_sub_ps(_mm256_loadu_ps(s + j + 8), top));
    _mm256_storeu_ps(s + j, a);
    _mm256_storeu_ps(s + j + 8, b);
    low = _mm256_add_ps(low, a);
    high = _mm256_add_ps(high, b);
  }
  return 1.0f / tree(low, high);
}

/* Lanes are dimensions, 16 at a time: two registers a key, each query two accumulators. The keys that all queries see go
 * together; those before and after continue each query's own chain, in order. */
INLINE void value_tile(const float *const *p, const int32_t *from, const int32_t *to, const int32_t count, int32_t d,
                       const uint16_t *values, float *const *out) {
  int32_t begin = from[0], end = to[0];
  for (int32_t i = 1; i < count; i++) {
    begin = from[i] > begin ? from[i] : begin;
    end = to[i] < end ? to[i] : end;
  }
  for (int32_t k = 0; k < d; k += 16) {
    __m256 acc[6][2];
    for (int32_t i = 0; i < count; i++) {
      acc[i][0] = acc[i][1] = _mm256_setzero_ps();
      for (int32_t j = from[i]; j < begin && j < to[i]; j++) {
        const __m256 x = _mm256_broadcast_ss(p[i] + j);
        acc[i][0] = _mm256_fmadd_ps(x, load_halves(values + (size_t)j * (size_t)d + k), acc[i][0]);
        acc[i][1] = _mm256_fmadd_ps(x, load_halves(values + (size_t)j * (size_t)d + k + 8), acc[i][1]);
      }
    }
    for (int32_t j = begin; j < end; j++) {
      const uint16_t *row = values + (size_t)j * (size_t)d + k;
      const __m256 a = load_halves(row), b = load_halves(row + 8);
      for (int32_t i = 0; i < count; i++) {
        const __m256 x = _mm256_broadcast_ss(p[i] + j);
        acc[i][0] = _mm256_fmadd_ps(x, a, acc[i][0]);
        acc[i][1] = _mm256_fmadd_ps(x, b, acc[i][1]);
      }
    }
    for (int32_t i = 0; i < count; i++) {
      if (from[i] >= to[i]) continue;
      for (int32_t j = end > begin ? end : begin; j < to[i]; j++) {
        const __m256 x = _mm256_broadcast_ss(p[i] + j);
        acc[i][0] = _mm256_fmadd_ps(x, load_halves(values + (size_t)j * (size_t)d + k), acc[i][0]);
        acc[i][1] = _mm256_fmadd_ps(x, load_halves(values + (size_t)j * (size_t)d + k + 8), acc[i][1]);
      }
      _mm256_storeu_ps(out[i] + k, _mm256_add_ps(_mm256_loadu_ps(out[i] + k), acc[i][0]));
      _mm256_storeu_ps(out[i] + k + 8, _mm256_add_ps(_mm256_loadu_ps(out[i] + k + 8), acc[i][1]));
    }
  }
}

/* Adds the chains of one page. */
static void value_page(const float *const *p, const int32_t *from, const int32_t *to, int32_t count, int32_t d,
                       const uint16_t *v, float *const *out) {
  for (; count > 6; count -= 6, p += 6, from += 6, to += 6, out += 6) value_tile(p, from, to, 6, d, v, out);
  switch (count) {
    case 1: value_tile(p, from, to, 1, d, v, out); break;
    case 2: value_tile(p, from, to, 2, d, v, out); break;
    case 3: value_tile(p, from, to, 3, d, v, out); break;
    case 4: value_tile(p, from, to, 4, d, v, out); break;
    case 5: value_tile(p, from, to, 5, d, v, out); break;
    default: value_tile(p, from, to, 6, d, v, out); break;
  }
}

static void values(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale,
                   int32_t count, int32_t d, symbolon_strip v, float *const *out) {
  symbolon_values_by_page(value_page, p, firsts, ends, scale, count, d, v, out);
}

static void gate(int32_t kind, float *g, const float *u, int32_t n) {
  const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
  const __m256 c0 = _mm256_set1_ps(SYMBOLON_GELU_C0), c1 = _mm256_set1_ps(SYMBOLON_GELU_C1);
  int32_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 x = _mm256_loadu_ps(g + i);
    const __m256 w = kind == SYMBOLON_SILU ? x : _mm256_mul_ps(x, _mm256_fmadd_ps(c1, _mm256_mul_ps(x, x), c0));
    const __m256 y = _mm256_div_ps(x, _mm256_add_ps(one, exp1(_mm256_xor_ps(w, sign))));
    _mm256_storeu_ps(g + i, _mm256_mul_ps(y, _mm256_loadu_ps(u + i)));
  }
  for (; i < n; i++) g[i] = symbolon_gate_inline(kind, g[i]) * u[i];
}

static int32_t halve(const float *x, int32_t n, uint16_t *half) {
  int32_t finite = 1, i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    const __m128i exponent = _mm_and_si128(h, _mm_set1_epi16(0x7c00));
    if (_mm_movemask_epi8(_mm_cmpeq_epi16(exponent, _mm_set1_epi16(0x7c00)))) finite = 0;
    _mm_storeu_si128((__m128i *)(half + i), h);
  }
  for (; i < n; i++) {
    half[i] = symbolon_float_to_half(x[i]);
    if ((half[i] & 0x7c00u) == 0x7c00u) finite = 0;
  }
  return finite;
}

static void weigh(const float *x, int32_t n, float greatest, float temperature, uint32_t *weights) {
  const __m256 top = _mm256_set1_ps(greatest), t = _mm256_set1_ps(temperature), unit = _mm256_set1_ps(0x1p30f);
  int32_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 y = exp1(_mm256_div_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), top), t));
    _mm256_storeu_si256((__m256i *)(weights + i), _mm256_cvttps_epi32(_mm256_mul_ps(y, unit)));
  }
  for (; i < n; i++) {
    const float difference = x[i] - greatest;
    weights[i] = (uint32_t)(symbolon_exp1_inline(difference / temperature) * 0x1p30f);
  }
}

#pragma clang attribute pop

const symbolon_operations symbolon_operations_avx2 = {
  .quantise = quantise, .multiply = symbolon_multiply_avx2, .norm = norm, .scores = scores, .softmax = softmax,
  .values = values, .gate = gate, .halve = halve, .weigh = weigh,
};

#else
typedef int symbolon_no_avx2_here;
#endif
