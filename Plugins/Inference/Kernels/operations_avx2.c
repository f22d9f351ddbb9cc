/* The operations with AVX2, FMA and F16C: eight lanes, the same orders, the same bits. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "arithmetic_rules.h"
#include "include/operations.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define INLINE static inline __attribute__((always_inline))

INLINE __m256 load_halves(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

/* Four codes, repeated for every row. */
INLINE __m256i four_codes(const int8_t *q) {
  int32_t word;
  __builtin_memcpy(&word, q, 4);
  return _mm256_set1_epi32(word);
}

static int32_t quantise(const float *x, int32_t n, int8_t *q, float *e, int32_t *a) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  int32_t finite = 1;
  for (int32_t b = 0; b < n / 32; b++, x += 32, q += 32) {
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
      _mm256_storeu_si256((__m256i *)q, _mm256_setzero_si256());
      e[b] = 0.0f;
      a[b] = 0;
      continue;
    }
    const __m256 inverse = _mm256_set1_ps(127.0f / amax);
    __m256i c[4];
    for (int32_t i = 0; i < 4; i++) c[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(c[0], c[1]), _mm256_add_epi32(c[2], c[3]));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    const __m256i words = _mm256_packs_epi16(_mm256_packs_epi32(c[0], c[1]), _mm256_packs_epi32(c[2], c[3]));
    _mm256_storeu_si256((__m256i *)q, _mm256_permutevar8x32_epi32(words, order));
    e[b] = amax / 127.0f;
    a[b] = _mm_cvtsi128_si32(s);
  }
  return finite;
}

/* Adds the products of 32 bytes of nibbles (columns 4g...4g+3 and 16+4g...) to each column's 16-bit sums. */
INLINE void nibble_step(
  const uint8_t *codes, int32_t g, const symbolon_vector *v, int32_t b, const int32_t count, __m256i *s) {
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i raw = _mm256_loadu_si256((const __m256i *)(codes + 32 * g));
  const __m256i first = _mm256_and_si256(raw, low);
  const __m256i second = _mm256_and_si256(_mm256_srli_epi16(raw, 4), low);
  for (int32_t c = 0; c < count; c++) {
    const int8_t *q = v[c].q + 32 * b + 4 * g;
    s[c] = _mm256_add_epi16(s[c], _mm256_maddubs_epi16(first, four_codes(q)));
    s[c] = _mm256_add_epi16(s[c], _mm256_maddubs_epi16(second, four_codes(q + 16)));
  }
}

/* Eight rows times `count` columns of nibble blocks. The eight products of a lane stay in 16 bits: 8*2*15*127 = 30480. */
INLINE void nibble_tile(const uint8_t *group, int32_t blocks, const symbolon_vector *v, const int32_t count,
                        const int32_t has_minimum, float (*out)[8]) {
  const __m256i ones = _mm256_set1_epi16(1);
  const size_t stride = has_minimum ? 160 : 144, codes = has_minimum ? 32 : 16;
  __m256 acc[SYMBOLON_TILE];
  for (int32_t c = 0; c < count; c++) acc[c] = _mm256_setzero_ps();
  for (int32_t b = 0; b < blocks; b++, group += stride) {
    __m256i s[SYMBOLON_TILE];
    for (int32_t c = 0; c < count; c++) s[c] = _mm256_setzero_si256();
    if (count < SYMBOLON_TILE) {
      for (int32_t g = 0; g < 4; g++) nibble_step(group + codes, g, v, b, count, s);
    } else {
      /* Unrolled, four columns would need more registers than there are: 72 instead of 82 GMAC/s on Zen 3. */
#pragma clang loop unroll(disable)
      for (int32_t g = 0; g < 4; g++) nibble_step(group + codes, g, v, b, count, s);
    }
    const __m256 d = load_halves(group);
    for (int32_t c = 0; c < count; c++) {
      const __m256 e = _mm256_broadcast_ss(v[c].e + b);
      __m256i dot = _mm256_madd_epi16(s[c], ones);
      if (!has_minimum) dot = _mm256_sub_epi32(dot, _mm256_set1_epi32(8 * v[c].a[b]));
      acc[c] = _mm256_fmadd_ps(_mm256_mul_ps(d, e), _mm256_cvtepi32_ps(dot), acc[c]);
      if (has_minimum) {
        const __m256 m = load_halves(group + 16);
        acc[c] = _mm256_fmadd_ps(_mm256_mul_ps(m, e), _mm256_cvtepi32_ps(_mm256_set1_epi32(v[c].a[b])), acc[c]);
      }
    }
  }
  for (int32_t c = 0; c < count; c++) _mm256_storeu_ps(out[c], acc[c]);
}

/* Signed bytes: |w| times sign(w)*q; a pair is at most 2*128*127 = 32512, so no saturation. */
INLINE void byte_tile(
  const uint8_t *group, int32_t blocks, const symbolon_vector *v, const int32_t count, float (*out)[8]) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256 acc[SYMBOLON_TILE];
  for (int32_t c = 0; c < count; c++) acc[c] = _mm256_setzero_ps();
  for (int32_t b = 0; b < blocks; b++, group += 272) {
    __m256i s[SYMBOLON_TILE];
    for (int32_t c = 0; c < count; c++) s[c] = _mm256_setzero_si256();
    for (int32_t g = 0; g < 8; g++) {
      const __m256i w = _mm256_loadu_si256((const __m256i *)(group + 16 + 32 * g));
      const __m256i magnitude = _mm256_abs_epi8(w);
      for (int32_t c = 0; c < count; c++) {
        const __m256i q = _mm256_sign_epi8(four_codes(v[c].q + 32 * b + 4 * g), w);
        s[c] = _mm256_add_epi32(s[c], _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, q), ones));
      }
    }
    const __m256 d = load_halves(group);
    for (int32_t c = 0; c < count; c++)
      acc[c] = _mm256_fmadd_ps(
        _mm256_mul_ps(d, _mm256_broadcast_ss(v[c].e + b)), _mm256_cvtepi32_ps(s[c]), acc[c]);
  }
  for (int32_t c = 0; c < count; c++) _mm256_storeu_ps(out[c], acc[c]);
}

INLINE void float_tile(const uint8_t *group, int32_t blocks, const symbolon_vector *v, const int32_t count,
                       const int32_t half, float (*out)[8]) {
  __m256 acc[SYMBOLON_TILE];
  for (int32_t c = 0; c < count; c++) acc[c] = _mm256_setzero_ps();
  for (int32_t k = 0; k < 32 * blocks; k++) {
    const __m256 w = half ? load_halves(group + (size_t)k * 16) : _mm256_loadu_ps((const float *)(group + (size_t)k * 32));
    for (int32_t c = 0; c < count; c++) acc[c] = _mm256_fmadd_ps(w, _mm256_broadcast_ss(v[c].x + k), acc[c]);
  }
  for (int32_t c = 0; c < count; c++) _mm256_storeu_ps(out[c], acc[c]);
}

/* One function a type; the tile width becomes a constant in each branch. */
#define TILES(name, body)                                                                                     \
  static void name(                                                                                           \
    const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]) {         \
    switch (count) {                                                                                          \
      case 1: { enum { width = 1 }; body; break; }                                                            \
      case 2: { enum { width = 2 }; body; break; }                                                            \
      case 3: { enum { width = 3 }; body; break; }                                                            \
      default: { enum { width = 4 }; body; break; }                                                           \
    }                                                                                                         \
  }
TILES(q4_0, nibble_tile(group, blocks, v, width, 0, out))
TILES(q4_1, nibble_tile(group, blocks, v, width, 1, out))
TILES(q8_0, byte_tile(group, blocks, v, width, out))
TILES(f16, float_tile(group, blocks, v, width, 1, out))
TILES(f32, float_tile(group, blocks, v, width, 0, out))

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
  const __m256 clamped = _mm256_min_ps(_mm256_set1_ps(87.0f), x); /* in this order NaN stays NaN */
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
INLINE void score_tile(const float *const *q, const int32_t count, int32_t d, symbolon_strip strip, int32_t first,
                       int32_t end, float scale, float *const *out) {
  const __m256 factor = _mm256_set1_ps(scale);
  for (int32_t t = first; t < end; t++) {
    const uint16_t *keys = strip.page[t / 16] + strip.offset + (size_t)(t % 16) * (size_t)d * 16;
    __m256 acc[SYMBOLON_QUERIES][2];
    for (int32_t i = 0; i < count; i++) acc[i][0] = acc[i][1] = _mm256_setzero_ps();
    for (int32_t k = 0; k < d; k++) {
      const __m256 a = load_halves(keys + (size_t)k * 16), b = load_halves(keys + (size_t)k * 16 + 8);
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

static void scores(const float *const *q, int32_t count, int32_t d, symbolon_strip keys, int32_t first, int32_t end,
                   float scale, float *const *out) {
  switch (count) {
    case 1: score_tile(q, 1, d, keys, first, end, scale, out); break;
    case 2: score_tile(q, 2, d, keys, first, end, scale, out); break;
    case 3: score_tile(q, 3, d, keys, first, end, scale, out); break;
    case 4: score_tile(q, 4, d, keys, first, end, scale, out); break;
    case 5: score_tile(q, 5, d, keys, first, end, scale, out); break;
    default: score_tile(q, 6, d, keys, first, end, scale, out); break;
  }
}

static float softmax(float *s, int32_t first, int32_t end) {
  const int32_t start = first & ~15, padded = (end + 15) & ~15;
  for (int32_t j = start; j < first; j++) s[j] = -__builtin_inff(); /* not the maximum, and becomes +0 */
  for (int32_t j = end; j < padded; j++) s[j] = -__builtin_inff();
  __m256 m = _mm256_loadu_ps(s + start);
  for (int32_t j = start + 8; j < padded; j += 8) m = _mm256_max_ps(_mm256_loadu_ps(s + j), m);
  float lanes[8], greatest;
  _mm256_storeu_ps(lanes, m);
  greatest = lanes[0];
  for (int32_t i = 1; i < 8; i++) greatest = lanes[i] > greatest ? lanes[i] : greatest;
  const __m256 top = _mm256_set1_ps(greatest);
  __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
  for (int32_t j = start; j < padded; j += 16) {
    const __m256 a = exp1(_mm256_sub_ps(_mm256_loadu_ps(s + j), top));
    const __m256 b = exp1(_mm256_sub_ps(_mm256_loadu_ps(s + j + 8), top));
    _mm256_storeu_ps(s + j, a);
    _mm256_storeu_ps(s + j + 8, b);
    low = _mm256_add_ps(low, a);
    high = _mm256_add_ps(high, b);
  }
  for (int32_t j = start; j < first; j++) s[j] = 0.0f;
  for (int32_t j = end; j < padded; j++) s[j] = 0.0f;
  return 1.0f / tree(low, high);
}

/* Adds the values of the keys from..<to, 16 dimensions of each, to the chains of `count` queries. */
INLINE void value_chain(const float *const *p, const int32_t count, const uint16_t *rows, int32_t d, int32_t from,
                        int32_t to, __m256 (*acc)[2]) {
  for (int32_t j = from; j < to; j++) {
    const uint16_t *row = rows + (size_t)j * (size_t)d;
    const __m256 a = load_halves(row), b = load_halves(row + 8);
    for (int32_t i = 0; i < count; i++) {
      const __m256 x = _mm256_broadcast_ss(p[i] + j);
      acc[i][0] = _mm256_fmadd_ps(x, a, acc[i][0]);
      acc[i][1] = _mm256_fmadd_ps(x, b, acc[i][1]);
    }
  }
}

static int32_t lesser(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t greater(int32_t a, int32_t b) { return a > b ? a : b; }

/* Lanes are dimensions, 16 at a time: two registers a key, each query two accumulators. The keys that all queries see go
 * together; those before and after them continue each query's own chain. */
INLINE void value_tile(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale,
                       const int32_t count, int32_t d, symbolon_strip strip, float *const *out) {
  int32_t first = firsts[0], last_first = firsts[0], first_end = ends[0], end = ends[0];
  for (int32_t i = 1; i < count; i++) {
    first = lesser(first, firsts[i]);
    last_first = greater(last_first, firsts[i]);
    first_end = lesser(first_end, ends[i]);
    end = greater(end, ends[i]);
  }
  for (int32_t k = 0; k < d; k += 16) {
    __m256 total[SYMBOLON_QUERIES][2];
    for (int32_t i = 0; i < count; i++) total[i][0] = total[i][1] = _mm256_setzero_ps();
    for (int32_t page = first / SYMBOLON_CHUNK; page * SYMBOLON_CHUNK < end; page++) {
      const int32_t start = page * SYMBOLON_CHUNK, stop = lesser(start + SYMBOLON_CHUNK, end);
      const int32_t from = lesser(greater(last_first, start), stop), to = lesser(greater(first_end, from), stop);
      const uint16_t *rows = strip.page[page] + strip.offset + k;
      const float *at[SYMBOLON_QUERIES];
      __m256 acc[SYMBOLON_QUERIES][2];
      for (int32_t i = 0; i < count; i++) {
        at[i] = p[i] + start;
        acc[i][0] = acc[i][1] = _mm256_setzero_ps();
        value_chain(at + i, 1, rows, d, greater(firsts[i], start) - start, lesser(ends[i], from) - start, acc + i);
      }
      value_chain(at, count, rows, d, from - start, to - start, acc);
      for (int32_t i = 0; i < count; i++) {
        value_chain(at + i, 1, rows, d, greater(firsts[i], to) - start, lesser(ends[i], stop) - start, acc + i);
        total[i][0] = _mm256_add_ps(total[i][0], acc[i][0]);
        total[i][1] = _mm256_add_ps(total[i][1], acc[i][1]);
      }
    }
    for (int32_t i = 0; i < count; i++) {
      _mm256_storeu_ps(out[i] + k, _mm256_mul_ps(total[i][0], _mm256_set1_ps(scale[i])));
      _mm256_storeu_ps(out[i] + k + 8, _mm256_mul_ps(total[i][1], _mm256_set1_ps(scale[i])));
    }
  }
}

static void values(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale,
                   int32_t count, int32_t d, symbolon_strip v, float *const *out) {
  switch (count) {
    case 1: value_tile(p, firsts, ends, scale, 1, d, v, out); break;
    case 2: value_tile(p, firsts, ends, scale, 2, d, v, out); break;
    case 3: value_tile(p, firsts, ends, scale, 3, d, v, out); break;
    case 4: value_tile(p, firsts, ends, scale, 4, d, v, out); break;
    case 5: value_tile(p, firsts, ends, scale, 5, d, v, out); break;
    default: value_tile(p, firsts, ends, scale, 6, d, v, out); break;
  }
}

static void gate(float *g, const float *u, int32_t n) {
  const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
  int32_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 x = _mm256_loadu_ps(g + i);
    const __m256 silu = _mm256_div_ps(x, _mm256_add_ps(one, exp1(_mm256_xor_ps(x, sign))));
    _mm256_storeu_ps(g + i, _mm256_mul_ps(silu, _mm256_loadu_ps(u + i)));
  }
  for (; i < n; i++) {
    const float silu = g[i] / (1.0f + symbolon_exp1_inline(-g[i]));
    g[i] = silu * u[i];
  }
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
  .quantise = quantise, .q4_0 = q4_0, .q4_1 = q4_1, .q8_0 = q8_0, .f16 = f16, .f32 = f32, .norm = norm,
  .scores = scores, .softmax = softmax, .values = values, .gate = gate, .halve = halve, .weigh = weigh,
};

#else
typedef int symbolon_no_avx2_here;
#endif
