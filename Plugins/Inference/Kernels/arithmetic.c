/* The scalar rules: conversions, exp1, and the rotation table. */
#include "arithmetic_rules.h"

float symbolon_half_to_float(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u, fraction = half & 1023u;
  if (exponent == 31) return symbolon_from_bits(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) { /* zero and subnormals: fraction * 2^-24, exact */
    const float magnitude = (float)fraction * 0x1p-24f;
    return symbolon_from_bits(sign | symbolon_to_bits(magnitude));
  }
  return symbolon_from_bits(sign | ((exponent + 112u) << 23) | (fraction << 13));
}

uint16_t symbolon_float_to_half(float value) {
  const uint32_t bits = symbolon_to_bits(value), sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
  if (magnitude < 0x38800000u) { /* below 2^-14: adding 1/2 leaves the subnormal, rounded to even, in the low bits */
    const float shifted = symbolon_from_bits(magnitude) + 0.5f;
    return (uint16_t)(sign | (symbolon_to_bits(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return (uint16_t)(sign | ((rounded >> 13) - 0x1c000u));
}

float symbolon_exp1(float x) { return symbolon_exp1_inline(x); }

float symbolon_contraction_probe(float x, float y, float z, float w) { return x * y + z * w; }

/* ln 2 and friends in two parts: the high part has 32 trailing zero bits, so n*high is exact. */
static const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;

/* Natural logarithm of a positive normal number: z = (m-1)/(m+1), ln m = 2(z + z^3/3 + z^5/5 + ...). */
double symbolon_logarithm(double x) {
  uint64_t bits;
  __builtin_memcpy(&bits, &x, 8);
  int64_t exponent = (int64_t)(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  __builtin_memcpy(&m, &bits, 8);
  if (m > 0x1.6a09e667f3bcdp0) { /* keep m within [1/sqrt 2, sqrt 2] */
    m *= 0.5;
    exponent += 1;
  }
  const double z = (m - 1.0) / (m + 1.0), z2 = z * z;
  double series = 0.0;
  for (int n = 27; n >= 1; n -= 2) series = series * z2 + 1.0 / (double)n;
  return (double)exponent * ln2_high + ((double)exponent * ln2_low + 2.0 * z * series);
}

/* e^x for |x| < 700, by 2^n times the Taylor series of the rest. */
static double exponential(double x) {
  const double n = (x * 0x1.71547652b82fep0 + 0x1.8p52) - 0x1.8p52;
  const double r = (x - n * ln2_high) - n * ln2_low;
  double series = 1.0;
  for (int k = 18; k >= 1; k--) series = 1.0 + series * r / (double)k;
  const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
  double scale;
  __builtin_memcpy(&scale, &bits, 8);
  return series * scale;
}

/* base^(-2i/dimension), before it is rounded to binary32. */
static double rope_angle(double log_base, int32_t dimension, int32_t i) {
  return i == 0 ? 1.0 : exponential(-((double)(2 * i) / (double)dimension) * log_base);
}

void symbolon_rope_angles(double base, int32_t dimension, double *angles) {
  const double log_base = symbolon_logarithm(base);
  for (int32_t i = 0; i < dimension / 2; i++) angles[i] = rope_angle(log_base, dimension, i);
}

void symbolon_rope_frequencies(double base, int32_t dimension, float *inv_freq) {
  const double log_base = symbolon_logarithm(base);
  for (int32_t i = 0; i < dimension / 2; i++) inv_freq[i] = (float)rope_angle(log_base, dimension, i);
}

/* Sine on [-pi/4, pi/4]: odd polynomial (coefficients of FreeBSD's k_sin.c). */
static double sine_kernel(double r) {
  const double z = r * r;
  double p = 1.58969099521155010221e-10;
  p = p * z - 2.50507602534068634195e-08;
  p = p * z + 2.75573137070700676789e-06;
  p = p * z - 1.98412698298579493134e-04;
  p = p * z + 8.33333333332248946124e-03;
  p = p * z - 1.66666666666666324348e-01;
  return r + r * z * p;
}

/* Cosine on [-pi/4, pi/4]: even polynomial (coefficients of FreeBSD's k_cos.c). */
static double cosine_kernel(double r) {
  const double z = r * r;
  double p = -1.13596475577881948265e-11;
  p = p * z + 2.08757232129817482790e-09;
  p = p * z - 2.75573143513906633035e-07;
  p = p * z + 2.48015872894767294178e-05;
  p = p * z - 1.38888888888741095749e-03;
  p = p * z + 4.16666666666666019037e-02;
  return 1.0 - (0.5 * z - z * z * p);
}

void symbolon_rope_row(int32_t position, const float *inv_freq, int32_t pairs, float *cosines, float *sines) {
  for (int32_t i = 0; i < pairs; i++) {
    const float angle = (float)position * inv_freq[i];
    const double x = (double)angle;
    /* n = nearest multiple of pi/2; pi/2 in 33-bit parts, so each n*part is exact for n < 2^20. */
    const double n = (x * 0x1.45f306dc9c883p-1 + 0x1.8p52) - 0x1.8p52;
    double r = x - n * 1.57079632673412561417e+00;
    r -= n * 6.07710050630396597660e-11;
    r -= n * 2.02226624879595063154e-21;
    const float s = (float)sine_kernel(r), c = (float)cosine_kernel(r);
    switch ((int64_t)n & 3) {
      case 0: cosines[i] = c; sines[i] = s; break;
      case 1: cosines[i] = -s; sines[i] = c; break;
      case 2: cosines[i] = -c; sines[i] = -s; break;
      default: cosines[i] = s; sines[i] = -c; break;
    }
  }
}
