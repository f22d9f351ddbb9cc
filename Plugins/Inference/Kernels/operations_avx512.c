/* The operations with AVX-512: sixteen lanes, the same orders, the same bits. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "arithmetic_rules.h"
#include "operations_internal.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 load_halves(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

static int32_t quantise(const float *x, int32_t n, symbolon_block *block) {
  const __m512i mask = _mm512_set1_epi32(0x7fffffff);
  int32_t finite = 1;
  for (int32_t b = 0; b < n / 32; b++, x += 32, block++) {
    const __m512 v = _mm512_loadu_ps(x), w = _mm512_loadu_ps(x + 16);
    const __m512i magnitudes = _mm512_max_epu32(
      _mm512_and_si512(_mm512_castps_si512(v), mask), _mm512_and_si512(_mm512_castps_si512(w), mask));
    const uint32_t magnitude = _mm512_reduce_max_epu32(magnitudes);
    const float amax = symbolon_from_bits(magnitude);
    if (magnitude > 0x7f7fffffu) finite = 0;
    if (amax < SYMBOLON_QUANTISE_FLOOR || magnitude > 0x7f7fffffu) {
      *block = (symbolon_block){0};
      continue;
    }
    const __m512 inverse = _mm512_set1_ps(127.0f / amax);
    const __m512i c = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse)), d = _mm512_cvtps_epi32(_mm512_mul_ps(w, inverse));
    const int32_t first = _mm512_reduce_add_epi32(c), second = _mm512_reduce_add_epi32(d);
    _mm_storeu_si128((__m128i *)block->q, _mm512_cvtepi32_epi8(c));
    _mm_storeu_si128((__m128i *)(block->q + 16), _mm512_cvtepi32_epi8(d));
    block->e = amax / 127.0f;
    block->a = (float)(first + second);
    block->first = (float)first;
    block->second = (float)second;
  }
  return finite;
}

/* The tree 8, 4, 2, 1 over 16 lanes. */
INLINE float tree(__m512 lanes) {
  const __m256 upper = _mm256_castsi256_ps(_mm512_extracti64x4_epi64(_mm512_castps_si512(lanes), 1));
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), upper);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static void norm(const float *x, const float *w, int32_t n, float epsilon, float *y) {
  __m512 sum = _mm512_setzero_ps();
  for (int32_t i = 0; i < n; i += 16) {
    const __m512 v = _mm512_loadu_ps(x + i);
    sum = _mm512_fmadd_ps(v, v, sum);
  }
  const __m512 s = _mm512_set1_ps(1.0f / __builtin_sqrtf(tree(sum) / (float)n + epsilon));
  for (int32_t i = 0; i < n; i += 16)
    _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), s), _mm512_loadu_ps(w + i)));
}

INLINE __m512 exp1(__m512 x) {
  const __m512 rounder = _mm512_set1_ps(SYMBOLON_ROUNDER);
  const __m512 clamped = _mm512_min_ps(_mm512_set1_ps(87.0f), x);
  const __m512 z = _mm512_fmadd_ps(clamped, _mm512_set1_ps(SYMBOLON_EXP_LOG2E), rounder);
  const __m512 n = _mm512_sub_ps(z, rounder);
  __m512 b = _mm512_fnmadd_ps(n, _mm512_set1_ps(SYMBOLON_EXP_LN2_HIGH), clamped);
  b = _mm512_fnmadd_ps(n, _mm512_set1_ps(SYMBOLON_EXP_LN2_LOW), b);
  __m512 j = _mm512_fmadd_ps(_mm512_set1_ps(SYMBOLON_EXP_C4), b, _mm512_set1_ps(SYMBOLON_EXP_C3));
  j = _mm512_fmadd_ps(j, b, _mm512_set1_ps(SYMBOLON_EXP_C2));
  j = _mm512_fmadd_ps(j, b, _mm512_set1_ps(SYMBOLON_EXP_C1));
  j = _mm512_fmadd_ps(j, b, _mm512_set1_ps(SYMBOLON_EXP_C0));
  j = _mm512_mul_ps(j, b);
  const __m512i bits = _mm512_add_epi32(_mm512_slli_epi32(_mm512_castps_si512(z), 23), _mm512_set1_epi32(0x3f800000));
  const __m512 k = _mm512_castsi512_ps(bits);
  const __mmask16 above = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.0f), _CMP_NLT_UQ);
  return _mm512_maskz_fmadd_ps(above, k, j, k);
}

/* Lanes are positions: a tile of 16 keys is a register; `wide` tiles together keep enough chains going. */
INLINE void score_tile(const float *const *q, const int32_t count, const int32_t wide, int32_t d, const uint16_t *keys,
                       int32_t t, float scale, float *const *out) {
  const __m512 factor = _mm512_set1_ps(scale);
  const uint16_t *tile = keys + (size_t)t * (size_t)d * 16;
  __m512 acc[SYMBOLON_QUERIES][4];
  for (int32_t i = 0; i < count; i++)
    for (int32_t w = 0; w < wide; w++) acc[i][w] = _mm512_setzero_ps();
  for (int32_t k = 0; k < d; k++) {
    __m512 key[4];
    for (int32_t w = 0; w < wide; w++) key[w] = load_halves(tile + (size_t)(w * d + k) * 16);
    for (int32_t i = 0; i < count; i++) {
      const __m512 x = _mm512_set1_ps(q[i][k]);
      for (int32_t w = 0; w < wide; w++) acc[i][w] = _mm512_fmadd_ps(x, key[w], acc[i][w]);
    }
  }
  for (int32_t i = 0; i < count; i++)
    for (int32_t w = 0; w < wide; w++)
      _mm512_storeu_ps(out[i] + 16 * (t + w), _mm512_mul_ps(factor, acc[i][w]));
}

INLINE void score_tiles(const float *const *q, const int32_t count, int32_t d, const uint16_t *keys, int32_t first,
                        int32_t end, float scale, float *const *out) {
  const int32_t wide = count >= 6 ? 1 : count >= 3 ? 2 : 4;
  int32_t t = first;
  for (; t + wide <= end; t += wide) score_tile(q, count, wide, d, keys, t, scale, out);
  for (; t < end; t++) score_tile(q, count, 1, d, keys, t, scale, out);
}

/* The scores of tiles of one page. */
static void score_page(const float *const *q, int32_t count, int32_t d, const uint16_t *keys, int32_t first,
                       int32_t end, float scale, float *const *out) {
  for (; count >= 12; count -= 12, q += 12, out += 12) score_tiles(q, 12, d, keys, first, end, scale, out);
  for (; count >= 6; count -= 6, q += 6, out += 6) score_tiles(q, 6, d, keys, first, end, scale, out);
  switch (count) {
    case 1: score_tiles(q, 1, d, keys, first, end, scale, out); break;
    case 2: score_tiles(q, 2, d, keys, first, end, scale, out); break;
    case 3: score_tiles(q, 3, d, keys, first, end, scale, out); break;
    case 4: score_tiles(q, 4, d, keys, first, end, scale, out); break;
    case 5: score_tiles(q, 5, d, keys, first, end, scale, out); break;
    default: break;
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
  __m512 greatest = _mm512_set1_ps(s[first]);
  for (int32_t j = start; j < padded; j += 16) greatest = _mm512_max_ps(greatest, _mm512_loadu_ps(s + j));
  const __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(greatest));
  __m512 sum = _mm512_setzero_ps();
  for (int32_t j = start; j < padded; j += 16) {
    const __m512 p = exp1(_mm512_sub_ps(_mm512_loadu_ps(s + j), top));
    _mm512_storeu_ps(s + j, p);
    sum = _mm512_add_ps(sum, p);
  }
  return 1.0f / tree(sum);
}

/* Lanes are dimensions: `wide` registers of 16 together keep enough chains going. The keys that all queries see go
 * together; those before and after continue each query's own chain, in order. */
INLINE void value_tile(const float *const *p, const int32_t *from, const int32_t *to, const int32_t count,
                       const int32_t wide, int32_t begin, int32_t end, int32_t d, const uint16_t *values,
                       float *const *out, int32_t k) {
  __m512 acc[SYMBOLON_QUERIES][4];
  for (int32_t i = 0; i < count; i++) {
    for (int32_t w = 0; w < wide; w++) acc[i][w] = _mm512_setzero_ps();
    for (int32_t j = from[i]; j < begin && j < to[i]; j++) {
      const __m512 x = _mm512_set1_ps(p[i][j]);
      for (int32_t w = 0; w < wide; w++)
        acc[i][w] = _mm512_fmadd_ps(x, load_halves(values + (size_t)j * (size_t)d + k + 16 * w), acc[i][w]);
    }
  }
  for (int32_t j = begin; j < end; j++) {
    __m512 value[4];
    for (int32_t w = 0; w < wide; w++) value[w] = load_halves(values + (size_t)j * (size_t)d + k + 16 * w);
    for (int32_t i = 0; i < count; i++) {
      const __m512 x = _mm512_set1_ps(p[i][j]);
      for (int32_t w = 0; w < wide; w++) acc[i][w] = _mm512_fmadd_ps(x, value[w], acc[i][w]);
    }
  }
  for (int32_t i = 0; i < count; i++) {
    if (from[i] >= to[i]) continue;
    for (int32_t j = end > begin ? end : begin; j < to[i]; j++) {
      const __m512 x = _mm512_set1_ps(p[i][j]);
      for (int32_t w = 0; w < wide; w++)
        acc[i][w] = _mm512_fmadd_ps(x, load_halves(values + (size_t)j * (size_t)d + k + 16 * w), acc[i][w]);
    }
    for (int32_t w = 0; w < wide; w++) {
      float *at = out[i] + k + 16 * w;
      _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), acc[i][w]));
    }
  }
}

INLINE void value_tiles(const float *const *p, const int32_t *from, const int32_t *to, const int32_t count, int32_t d,
                        const uint16_t *values, float *const *out) {
  const int32_t wide = count >= 6 ? 1 : count >= 3 ? 2 : 4;
  int32_t begin = from[0], end = to[0], k = 0;
  for (int32_t i = 1; i < count; i++) {
    begin = from[i] > begin ? from[i] : begin;
    end = to[i] < end ? to[i] : end;
  }
  for (; k + 16 * wide <= d; k += 16 * wide) value_tile(p, from, to, count, wide, begin, end, d, values, out, k);
  for (; k < d; k += 16) value_tile(p, from, to, count, 1, begin, end, d, values, out, k);
}

/* Adds the chains of one page. */
static void value_page(const float *const *p, const int32_t *from, const int32_t *to, int32_t count, int32_t d,
                       const uint16_t *v, float *const *out) {
  for (; count >= 12; count -= 12, p += 12, from += 12, to += 12, out += 12) value_tiles(p, from, to, 12, d, v, out);
  for (; count >= 6; count -= 6, p += 6, from += 6, to += 6, out += 6) value_tiles(p, from, to, 6, d, v, out);
  switch (count) {
    case 1: value_tiles(p, from, to, 1, d, v, out); break;
    case 2: value_tiles(p, from, to, 2, d, v, out); break;
    case 3: value_tiles(p, from, to, 3, d, v, out); break;
    case 4: value_tiles(p, from, to, 4, d, v, out); break;
    case 5: value_tiles(p, from, to, 5, d, v, out); break;
    default: break;
  }
}

static void values(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale,
                   int32_t count, int32_t d, symbolon_strip v, float *const *out) {
  symbolon_values_by_page(value_page, p, firsts, ends, scale, count, d, v, out);
}

static void gate(int32_t kind, float *g, const float *u, int32_t n) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512i sign = _mm512_set1_epi32((int)0x80000000u);
  const __m512 c0 = _mm512_set1_ps(SYMBOLON_GELU_C0), c1 = _mm512_set1_ps(SYMBOLON_GELU_C1);
  int32_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512 x = _mm512_loadu_ps(g + i);
    const __m512 w = kind == SYMBOLON_SILU ? x : _mm512_mul_ps(x, _mm512_fmadd_ps(c1, _mm512_mul_ps(x, x), c0));
    const __m512 minus = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(w), sign));
    const __m512 y = _mm512_div_ps(x, _mm512_add_ps(one, exp1(minus)));
    _mm512_storeu_ps(g + i, _mm512_mul_ps(y, _mm512_loadu_ps(u + i)));
  }
  for (; i < n; i++) g[i] = symbolon_gate_inline(kind, g[i]) * u[i];
}

static int32_t halve(const float *x, int32_t n, uint16_t *half) {
  const __m256i infinity = _mm256_set1_epi16(0x7c00);
  int32_t finite = 1, i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i h = _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    if (_mm256_cmpeq_epi16_mask(_mm256_and_si256(h, infinity), infinity)) finite = 0;
    _mm256_storeu_si256((__m256i *)(half + i), h);
  }
  for (; i < n; i++) {
    half[i] = symbolon_float_to_half(x[i]);
    if ((half[i] & 0x7c00u) == 0x7c00u) finite = 0;
  }
  return finite;
}

static void weigh(const float *x, int32_t n, float greatest, float temperature, uint32_t *weights) {
  const __m512 top = _mm512_set1_ps(greatest), t = _mm512_set1_ps(temperature), unit = _mm512_set1_ps(0x1p30f);
  int32_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512 y = exp1(_mm512_div_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), top), t));
    _mm512_storeu_si512(weights + i, _mm512_cvttps_epi32(_mm512_mul_ps(y, unit)));
  }
  for (; i < n; i++) {
    const float difference = x[i] - greatest;
    weights[i] = (uint32_t)(symbolon_exp1_inline(difference / temperature) * 0x1p30f);
  }
}

#pragma clang attribute pop

const symbolon_operations symbolon_operations_avx512 = {
  .quantise = quantise, .multiply = symbolon_multiply_avx512, .norm = norm, .scores = scores, .softmax = softmax,
  .values = values, .gate = gate, .halve = halve, .weigh = weigh,
};

#else
typedef int symbolon_no_avx512_here;
#endif
