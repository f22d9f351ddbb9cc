/* The rules as inline code; every file that computes includes this first. */
#ifndef SYMBOLON_ARITHMETIC_RULES_H
#define SYMBOLON_ARITHMETIC_RULES_H

#pragma STDC FP_CONTRACT OFF

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "canonical arithmetic cannot be compiled with -ffast-math or parts of it"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "canonical arithmetic needs floats that are evaluated as floats (on x86: SSE, not x87)"
#endif
#if !defined(__clang__)
#error "canonical arithmetic relies on clang: other compilers ignore STDC FP_CONTRACT"
#endif
_Static_assert(__FLT_MANT_DIG__ == 24 && __DBL_MANT_DIG__ == 53 && __FLT_RADIX__ == 2, "binary32 and binary64");
/* What the compiler folds must round as the processor does, and must not relax. */
_Static_assert(1.0f + 0x1p-24f == 1.0f && 1.0f + 0x1.8p-23f == 1.0f + 0x1p-22f, "round to nearest, ties to even");
_Static_assert((0x1p-149f + 0x1p-126f) - 0x1p-126f == 0x1p-149f, "gradual underflow");
_Static_assert((0x1p24f + 1.0f) - 0x1p24f == 0.0f, "no reassociation");

#include "include/arithmetic.h"

static inline uint32_t symbolon_to_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

static inline float symbolon_from_bits(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

/* The magnitude as bits: ordered like the floats, and above 0x7f7fffff exactly when the value is not finite. */
static inline uint32_t symbolon_magnitude(float x) { return symbolon_to_bits(x) & 0x7fffffffu; }

/* A32 blocks whose maximum is below this are all zero. */
#define SYMBOLON_QUANTISE_FLOOR 0x1p-100f

/* Round to the nearest integer, ties to even, for |x| < 2^22: adding 1.5*2^23 leaves no room for a fraction. */
#define SYMBOLON_ROUNDER 0x1.8p23f

/* exp1: x = n*ln2 + b; e^b = 1 + b*(C0 + b*(C1 + ...)), own near-minimax fit in relative error on |b| <= ln2/2. */
#define SYMBOLON_EXP_LOG2E 0x1.715476p+0f
#define SYMBOLON_EXP_LN2_HIGH 0x1.62e4p-1f
#define SYMBOLON_EXP_LN2_LOW 0x1.7f7d1cp-20f
#define SYMBOLON_EXP_C0 0x1.fffff6p-1f
#define SYMBOLON_EXP_C1 0x1.fffdc4p-2f
#define SYMBOLON_EXP_C2 0x1.555a7ep-3f
#define SYMBOLON_EXP_C3 0x1.573ad8p-5f
#define SYMBOLON_EXP_C4 0x1.0fa15cp-7f

static inline float symbolon_exp1_inline(float x) {
  if (x < -87.0f) return 0.0f;
  const float clamped = x > 87.0f ? 87.0f : x;
  const float z = __builtin_fmaf(clamped, SYMBOLON_EXP_LOG2E, SYMBOLON_ROUNDER);
  const float n = z - SYMBOLON_ROUNDER;
  float b = __builtin_fmaf(-n, SYMBOLON_EXP_LN2_HIGH, clamped);
  b = __builtin_fmaf(-n, SYMBOLON_EXP_LN2_LOW, b);
  float j = __builtin_fmaf(SYMBOLON_EXP_C4, b, SYMBOLON_EXP_C3);
  j = __builtin_fmaf(j, b, SYMBOLON_EXP_C2);
  j = __builtin_fmaf(j, b, SYMBOLON_EXP_C1);
  j = __builtin_fmaf(j, b, SYMBOLON_EXP_C0);
  j = j * b;
  const float k = symbolon_from_bits((symbolon_to_bits(z) << 23) + 0x3f800000u); /* 2^n */
  return __builtin_fmaf(k, j, k);
}

/* GELU in its tanh form, 0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x^3))), is x/(1 + e^-u) with u = x*(C0 + C1*x^2). */
#define SYMBOLON_GELU_C0 0x1.988454p+0f  /* 2*sqrt(2/pi) */
#define SYMBOLON_GELU_C1 0x1.2444f2p-4f  /* 2*sqrt(2/pi)*0.044715 */

/* The gate's function by symbolon_gate: 0 is SiLU, 1 is GELU. */
static inline float symbolon_gate_inline(int32_t kind, float x) {
  float u = x;
  if (kind != 0) {
    const float square = x * x;
    u = x * __builtin_fmaf(SYMBOLON_GELU_C1, square, SYMBOLON_GELU_C0);
  }
  return x / (1.0f + symbolon_exp1_inline(-u));
}

#endif
