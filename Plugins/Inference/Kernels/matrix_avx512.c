/* Matrix times vectors with AVX-512 and VNNI: a register is the sixteen output rows of a group. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "arithmetic_rules.h"
#include "groups.h"
#include "operations_internal.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 load_halves(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

INLINE __m512i load_codes(const uint8_t *p) { return _mm512_loadu_si512(p); }

/* Adds the products of unsigned codes of sixteen rows with four codes of one vector. */
INLINE __m512i add_products(__m512i sum, __m512i codes, const int8_t *q) {
  int32_t word;
  __builtin_memcpy(&word, q, 4);
  return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(word));
}

/* (x & mask) | y */
INLINE __m512i merge(__m512i x, __m512i mask, __m512i y) { return _mm512_ternarylogic_epi32(x, mask, y, 0xea); }

/* Word g of a block, unsigned: columns 4g...4g+3 and 16+4g...16+4g+3 of sixteen rows. */
INLINE void read_word(const int32_t bits, const uint8_t *codes, const int32_t g, __m512i *low, __m512i *high) {
  if (bits == 8) { /* w + 128 */
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    *low = _mm512_xor_si512(load_codes(codes + 64 * g), sign);
    *high = _mm512_xor_si512(load_codes(codes + 64 * (4 + g)), sign);
    return;
  }
  const __m512i nibble = _mm512_set1_epi8(15), raw = load_codes(codes + 64 * (bits - 4) + 64 * g);
  *low = _mm512_and_si512(raw, nibble);
  *high = _mm512_and_si512(_mm512_srli_epi16(raw, 4), nibble);
  if (bits == 5) {
    const __m512i fifth = _mm512_set1_epi8(16), h = load_codes(codes);
    *low = merge(_mm512_slli_epi16(h, (unsigned)(4 - g)), fifth, *low);
    *high = merge(_mm512_srli_epi16(h, (unsigned)g), fifth, *high);
  }
  if (bits == 6) {
    const __m512i upper = _mm512_set1_epi8(48), a = load_codes(codes), b = load_codes(codes + 64);
    const unsigned left = g < 3 ? (unsigned)(4 - 2 * g) : 0, right = g < 3 ? 0 : 2;
    *low = merge(_mm512_srli_epi16(_mm512_slli_epi16(a, left), right), upper, *low);
    *high = merge(_mm512_srli_epi16(_mm512_slli_epi16(b, left), right), upper, *high);
  }
}

/* D, M and, for Q6_K, the factors of the halves. */
typedef struct scales {
  __m512 d, m, first, second;
} scales;

INLINE __m512 load_bytes(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

INLINE __m512 load_signed_bytes(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

INLINE scales read_scales(const int32_t type, const uint8_t *group, int32_t b) {
  const symbolon_layout layout = symbolon_layout_of(type);
  const uint8_t *p = group + symbolon_scales_at(&layout, b);
  scales s = {load_halves(p), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  if (symbolon_has_minimum(type)) s.m = load_halves(p + 32);
  if (type == SYMBOLON_Q6_K) {
    s.first = load_signed_bytes(p + 32 + 32 * (b % 8));
    s.second = load_signed_bytes(p + 48 + 32 * (b % 8));
  } else if (symbolon_is_k(type)) {
    const __m512i sign = _mm512_set1_epi32((int)0x80000000u);
    s.d = _mm512_mul_ps(s.d, load_bytes(p + 64 + 32 * (b % 8)));
    s.m = _mm512_mul_ps(s.m, load_bytes(p + 80 + 32 * (b % 8)));
    s.m = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(s.m), sign));
  }
  return s;
}

/* The integer dot of the block as floats: exact. */
INLINE __m512 finish(const int32_t type, __m512i low, __m512i high, const symbolon_block *x, const scales *k) {
  if (type == SYMBOLON_Q6_K) {
    const __m512 offset = _mm512_set1_ps(32.0f);
    const __m512 a = _mm512_fnmadd_ps(offset, _mm512_set1_ps(x->first), _mm512_cvtepi32_ps(low));
    const __m512 b = _mm512_fnmadd_ps(offset, _mm512_set1_ps(x->second), _mm512_cvtepi32_ps(high));
    return _mm512_fmadd_ps(k->first, a, _mm512_fmadd_ps(k->second, b, _mm512_setzero_ps()));
  }
  const __m512 whole = _mm512_cvtepi32_ps(low);
  const int32_t offset = type == SYMBOLON_Q8_0 ? 128 : symbolon_layout_of(type).offset;
  if (offset == 0) return whole;
  return _mm512_fnmadd_ps(_mm512_set1_ps((float)offset), _mm512_set1_ps(x->a), whole);
}

/* A group times `count` vectors of quantised weights. */
INLINE void code_tile(const int32_t type, const symbolon_matrix *m, const uint8_t *group, const symbolon_vector *v,
                      const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  const symbolon_layout layout = symbolon_layout_of(type);
  const int32_t blocks = m->columns / 32;
  const symbolon_block *x[SYMBOLON_TILE];
  __m512 acc[SYMBOLON_TILE];
  for (int32_t c = 0; c < count; c++) {
    acc[c] = _mm512_setzero_ps();
    x[c] = v[c].b;
  }
  for (int32_t b = 0; b < blocks; b++) {
    const uint8_t *codes = group + symbolon_codes_at(&layout, b);
    __m512i low[SYMBOLON_TILE], high[SYMBOLON_TILE];
    for (int32_t c = 0; c < count; c++) low[c] = high[c] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int32_t g = 0; g < 4; g++) {
      __m512i first, second;
      read_word(layout.bits, codes, g, &first, &second);
      for (int32_t c = 0; c < count; c++) low[c] = add_products(low[c], first, x[c]->q + 4 * g);
      for (int32_t c = 0; c < count; c++) {
        __m512i *sum = type == SYMBOLON_Q6_K ? &high[c] : &low[c];
        *sum = add_products(*sum, second, x[c]->q + 16 + 4 * g);
      }
    }
    const scales k = read_scales(type, group, b);
    for (int32_t c = 0; c < count; c++) {
      const __m512 dot = finish(type, low[c], high[c], x[c], &k);
      const __m512 t = symbolon_has_minimum(type) ? _mm512_fmadd_ps(k.d, dot, _mm512_mul_ps(k.m, _mm512_set1_ps(x[c]->a)))
                                                  : _mm512_mul_ps(k.d, dot);
      acc[c] = _mm512_fmadd_ps(_mm512_set1_ps(x[c]->e), t, acc[c]);
      x[c]++;
    }
  }
  for (int32_t c = 0; c < count; c++) _mm512_storeu_ps(out[c], acc[c]);
}

INLINE __m512 load_weights(const int32_t type, const uint8_t *group, size_t k) {
  if (type == SYMBOLON_F16) return load_halves(group + 32 * k);
  if (type == SYMBOLON_F32) return _mm512_loadu_ps(group + 64 * k);
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(group + 32 * k)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

INLINE void float_tile(const int32_t type, const uint8_t *group, int32_t columns, const symbolon_vector *v,
                       const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  __m512 acc[SYMBOLON_TILE];
  for (int32_t c = 0; c < count; c++) acc[c] = _mm512_setzero_ps();
  for (int32_t k = 0; k < columns; k++) {
    const __m512 w = load_weights(type, group, (size_t)k);
    for (int32_t c = 0; c < count; c++) acc[c] = _mm512_fmadd_ps(w, _mm512_set1_ps(v[c].x[k]), acc[c]);
  }
  for (int32_t c = 0; c < count; c++) _mm512_storeu_ps(out[c], acc[c]);
}

/* The type and the width become constants in each branch. */
INLINE void tile(const int32_t type, const symbolon_matrix *m, const uint8_t *group, const symbolon_vector *v,
                 const int32_t count, float (*out)[SYMBOLON_ROWS]) {
  if (symbolon_layout_of(type).values == 0) float_tile(type, group, m->columns, v, count, out);
  else code_tile(type, m, group, v, count, out);
}

/* One function a type: widths 1, 2, 3, 4 and 8; the others are made of two. */
#define TYPE(name, type)                                                                                        \
  static void name(const symbolon_matrix *m, const uint8_t *group, const symbolon_vector *v, int32_t count,     \
                   float (*out)[SYMBOLON_ROWS]) {                                                               \
    if (count == 8) {                                                                                           \
      tile(type, m, group, v, 8, out);                                                                          \
      return;                                                                                                   \
    }                                                                                                           \
    if (count >= 4) {                                                                                           \
      tile(type, m, group, v, 4, out);                                                                          \
      v += 4, out += 4, count -= 4;                                                                             \
    }                                                                                                           \
    if (count == 1) tile(type, m, group, v, 1, out);                                                            \
    if (count == 2) tile(type, m, group, v, 2, out);                                                            \
    if (count == 3) tile(type, m, group, v, 3, out);                                                            \
  }

TYPE(f32, SYMBOLON_F32)
TYPE(f16, SYMBOLON_F16)
TYPE(bf16, SYMBOLON_BF16)
TYPE(q4_0, SYMBOLON_Q4_0)
TYPE(q4_1, SYMBOLON_Q4_1)
TYPE(q5_0, SYMBOLON_Q5_0)
TYPE(q5_1, SYMBOLON_Q5_1)
TYPE(q8_0, SYMBOLON_Q8_0)
TYPE(q4_k, SYMBOLON_Q4_K)
TYPE(q5_k, SYMBOLON_Q5_K)
TYPE(q6_k, SYMBOLON_Q6_K)

void symbolon_multiply_avx512(
  const symbolon_matrix *m, int32_t index, const symbolon_vector *v, int32_t count, float (*out)[SYMBOLON_ROWS]) {
  const uint8_t *group = m->groups + (size_t)index * symbolon_group_bytes(m->type, m->columns);
  switch (m->type) {
    case SYMBOLON_F32: f32(m, group, v, count, out); return;
    case SYMBOLON_F16: f16(m, group, v, count, out); return;
    case SYMBOLON_BF16: bf16(m, group, v, count, out); return;
    case SYMBOLON_Q4_0: q4_0(m, group, v, count, out); return;
    case SYMBOLON_Q4_1: q4_1(m, group, v, count, out); return;
    case SYMBOLON_Q5_0: q5_0(m, group, v, count, out); return;
    case SYMBOLON_Q5_1: q5_1(m, group, v, count, out); return;
    case SYMBOLON_Q8_0: q8_0(m, group, v, count, out); return;
    case SYMBOLON_Q4_K: q4_k(m, group, v, count, out); return;
    case SYMBOLON_Q5_K: q5_k(m, group, v, count, out); return;
    case SYMBOLON_Q6_K: q6_k(m, group, v, count, out); return;
    default: return;
  }
}

#pragma clang attribute pop

#else
typedef int symbolon_no_avx512_matrix_here;
#endif
