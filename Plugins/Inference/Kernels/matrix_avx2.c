/* Matrix times vectors with AVX2, FMA and F16C: a register is eight output rows, half a group. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "arithmetic_rules.h"
#include "groups.h"
#include "operations_internal.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define INLINE static inline __attribute__((always_inline))

INLINE __m256 load_halves(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

/* Four codes, repeated for every row. */
INLINE __m256i four_codes(const int8_t *q) {
  int32_t word;
  __builtin_memcpy(&word, q, 4);
  return _mm256_set1_epi32(word);
}

INLINE __m256i load_codes(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

/* Word g of a block: columns 4g...4g+3 and 16+4g...16+4g+3 of eight rows. */
INLINE void read_word(const int32_t bits, const uint8_t *codes, int32_t g, __m256i *low, __m256i *high) {
  if (bits == 8) {
    *low = load_codes(codes + 64 * g);
    *high = load_codes(codes + 64 * (4 + g));
    return;
  }
  const __m256i nibble = _mm256_set1_epi8(15), raw = load_codes(codes + 64 * (bits - 4) + 64 * g);
  *low = _mm256_and_si256(raw, nibble);
  *high = _mm256_and_si256(_mm256_srli_epi16(raw, 4), nibble);
  if (bits == 5) {
    const __m256i fifth = _mm256_set1_epi8(16), h = load_codes(codes);
    *low = _mm256_or_si256(*low, _mm256_and_si256(_mm256_slli_epi16(h, 4 - g), fifth));
    *high = _mm256_or_si256(*high, _mm256_and_si256(_mm256_srli_epi16(h, g), fifth));
  }
  if (bits == 6) {
    const __m256i upper = _mm256_set1_epi8(48), a = load_codes(codes), b = load_codes(codes + 64);
    const __m256i c = g < 3 ? _mm256_slli_epi16(a, 4 - 2 * g) : _mm256_srli_epi16(a, 2);
    const __m256i d = g < 3 ? _mm256_slli_epi16(b, 4 - 2 * g) : _mm256_srli_epi16(b, 2);
    *low = _mm256_or_si256(*low, _mm256_and_si256(c, upper));
    *high = _mm256_or_si256(*high, _mm256_and_si256(d, upper));
  }
}

/* Sums of products of one half group and one vector while a block is read.
 *
 * 4 bits: all eight products of a lane fit 16 bits (8*2*15*127 = 30480), in `low`. 5 bits: four do (31496), so `low` and
 * `high` are apart. 6 bits: two do (32004), then they go to 32 bits. 8 bits: |w| times sign(w)*q, a pair is at most
 * 2*128*127 = 32512. */
typedef struct sums {
  __m256i low, high, wide_low, wide_high;
} sums;

INLINE void add_word(const int32_t bits, int32_t g, __m256i low, __m256i high, const int8_t *q, sums *s) {
  const __m256i ones = _mm256_set1_epi16(1), x = four_codes(q + 4 * g), y = four_codes(q + 16 + 4 * g);
  if (bits == 8) {
    const __m256i a = _mm256_maddubs_epi16(_mm256_abs_epi8(low), _mm256_sign_epi8(x, low));
    const __m256i b = _mm256_maddubs_epi16(_mm256_abs_epi8(high), _mm256_sign_epi8(y, high));
    s->wide_low = _mm256_add_epi32(s->wide_low, _mm256_madd_epi16(a, ones));
    s->wide_low = _mm256_add_epi32(s->wide_low, _mm256_madd_epi16(b, ones));
    return;
  }
  const __m256i a = _mm256_maddubs_epi16(low, x), b = _mm256_maddubs_epi16(high, y);
  if (bits == 4) {
    s->low = _mm256_add_epi16(s->low, a);
    s->low = _mm256_add_epi16(s->low, b);
    return;
  }
  s->low = _mm256_add_epi16(s->low, a);
  s->high = _mm256_add_epi16(s->high, b);
  if (bits == 6 && g % 2 == 1) {
    s->wide_low = _mm256_add_epi32(s->wide_low, _mm256_madd_epi16(s->low, ones));
    s->wide_high = _mm256_add_epi32(s->wide_high, _mm256_madd_epi16(s->high, ones));
    s->low = s->high = _mm256_setzero_si256();
  }
}

/* The integer dot of the block as floats: exact. `factors` are those of Q6_K. */
INLINE __m256 finish(const int32_t bits, const int32_t offset, sums s, const symbolon_block *x, __m256 first, __m256 second) {
  const __m256i ones = _mm256_set1_epi16(1);
  if (bits == 6) {
    const __m256 shift = _mm256_set1_ps(32.0f);
    const __m256 a = _mm256_fnmadd_ps(shift, _mm256_broadcast_ss(&x->first), _mm256_cvtepi32_ps(s.wide_low));
    const __m256 b = _mm256_fnmadd_ps(shift, _mm256_broadcast_ss(&x->second), _mm256_cvtepi32_ps(s.wide_high));
    return _mm256_fmadd_ps(first, a, _mm256_fmadd_ps(second, b, _mm256_setzero_ps()));
  }
  __m256i dot = s.wide_low;
  if (bits == 4) dot = _mm256_madd_epi16(s.low, ones);
  if (bits == 5) dot = _mm256_add_epi32(_mm256_madd_epi16(s.low, ones), _mm256_madd_epi16(s.high, ones));
  const __m256 whole = _mm256_cvtepi32_ps(dot);
  if (offset == 0) return whole;
  return _mm256_fnmadd_ps(_mm256_set1_ps((float)offset), _mm256_broadcast_ss(&x->a), whole);
}

/* D, M and, for Q6_K, the factors of the halves, of eight rows. */
typedef struct scales {
  __m256 d, m, first, second;
} scales;

INLINE __m256 load_bytes(const uint8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

INLINE __m256 load_signed_bytes(const uint8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

INLINE scales read_scales(const int32_t type, const uint8_t *group, int32_t b, int32_t half) {
  const symbolon_layout layout = symbolon_layout_of(type);
  const uint8_t *p = group + symbolon_scales_at(&layout, b);
  scales s = {load_halves(p + 16 * half), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  if (symbolon_has_minimum(type)) s.m = load_halves(p + 32 + 16 * half);
  if (type == SYMBOLON_Q6_K) {
    const uint8_t *factors = p + 32 + 32 * (b % 8) + 8 * half;
    s.first = load_signed_bytes(factors);
    s.second = load_signed_bytes(factors + 16);
  } else if (symbolon_is_k(type)) {
    const uint8_t *factors = p + 64 + 32 * (b % 8) + 8 * half;
    s.d = _mm256_mul_ps(s.d, load_bytes(factors));
    s.m = _mm256_xor_ps(_mm256_mul_ps(s.m, load_bytes(factors + 16)), _mm256_set1_ps(-0.0f));
  }
  return s;
}

/* One half of a group times `count` vectors. */
INLINE void half_tile(const int32_t type, const uint8_t *group, int32_t blocks, int32_t half,
                      const symbolon_vector *v, const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  const symbolon_layout layout = symbolon_layout_of(type);
  __m256 acc[4];
  for (int32_t c = 0; c < count; c++) acc[c] = _mm256_setzero_ps();
  for (int32_t b = 0; b < blocks; b++) {
    const uint8_t *codes = group + symbolon_codes_at(&layout, b) + 32 * half;
    sums s[4];
    for (int32_t c = 0; c < count; c++)
      s[c].low = s[c].high = s[c].wide_low = s[c].wide_high = _mm256_setzero_si256();
    /* Unrolled, four columns need more registers than there are: 72 instead of 82 GMAC/s on Zen 3. */
#pragma clang loop unroll_count(2)
    for (int32_t g = 0; g < 4; g++) {
      __m256i low, high;
      read_word(layout.bits, codes, g, &low, &high);
      for (int32_t c = 0; c < count; c++) add_word(layout.bits, g, low, high, v[c].b[b].q, &s[c]);
    }
    const scales k = read_scales(type, group, b, half);
    for (int32_t c = 0; c < count; c++) {
      const symbolon_block *x = &v[c].b[b];
      const __m256 dot = finish(layout.bits, layout.offset, s[c], x, k.first, k.second);
      const __m256 t = symbolon_has_minimum(type)
                         ? _mm256_fmadd_ps(k.d, dot, _mm256_mul_ps(k.m, _mm256_broadcast_ss(&x->a)))
                         : _mm256_mul_ps(k.d, dot);
      acc[c] = _mm256_fmadd_ps(_mm256_broadcast_ss(&x->e), t, acc[c]);
    }
  }
  for (int32_t c = 0; c < count; c++) _mm256_storeu_ps(out[c] + 8 * half, acc[c]);
}

INLINE __m256 load_weights(const int32_t type, const uint8_t *group, size_t index) {
  if (type == SYMBOLON_F16) return load_halves(group + 2 * index);
  if (type == SYMBOLON_F32) return _mm256_loadu_ps((const float *)(group + 4 * index));
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(group + 2 * index)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

INLINE void float_tile(const int32_t type, const uint8_t *group, int32_t columns, const symbolon_vector *v,
                       const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  __m256 acc[4][2];
  for (int32_t c = 0; c < count; c++) acc[c][0] = acc[c][1] = _mm256_setzero_ps();
  for (int32_t k = 0; k < columns; k++) {
    const __m256 a = load_weights(type, group, (size_t)k * 16), b = load_weights(type, group, (size_t)k * 16 + 8);
    for (int32_t c = 0; c < count; c++) {
      const __m256 x = _mm256_broadcast_ss(v[c].x + k);
      acc[c][0] = _mm256_fmadd_ps(a, x, acc[c][0]);
      acc[c][1] = _mm256_fmadd_ps(b, x, acc[c][1]);
    }
  }
  for (int32_t c = 0; c < count; c++) {
    _mm256_storeu_ps(out[c], acc[c][0]);
    _mm256_storeu_ps(out[c] + 8, acc[c][1]);
  }
}

/* The type and the width become constants in each branch. */
INLINE void tile(const int32_t type, const symbolon_matrix *m, const uint8_t *group, const symbolon_vector *v,
                 const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  if (symbolon_layout_of(type).values == 0) {
    float_tile(type, group, m->columns, v, count, out);
    return;
  }
  half_tile(type, group, m->columns / 32, 0, v, count, out);
  half_tile(type, group, m->columns / 32, 1, v, count, out);
}

#define TYPE(type)                                                                                              \
  case type:                                                                                                    \
    switch (count) {                                                                                            \
      case 1: tile(type, m, group, v, 1, out); return;                                                          \
      case 2: tile(type, m, group, v, 2, out); return;                                                          \
      case 3: tile(type, m, group, v, 3, out); return;                                                          \
      default: tile(type, m, group, v, 4, out); return;                                                         \
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

void symbolon_multiply_avx2(
  const symbolon_matrix *m, int32_t index, const symbolon_vector *v, int32_t count, float (*out)[SYMBOLON_ROWS]) {
  const uint8_t *group = m->groups + (size_t)index * symbolon_group_bytes(m->type, m->columns);
  for (int32_t c = 0; c < count; c += 4) at_most_four(m, group, v + c, count - c < 4 ? count - c : 4, out + c);
}

#pragma clang attribute pop

#else
typedef int symbolon_no_avx2_matrix_here;
#endif
