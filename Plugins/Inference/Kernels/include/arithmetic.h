/* Canonical arithmetic ("SCA-1"): what every path must compute, bit for bit.
 *
 * Allowed: IEEE-754 binary32 and binary64 with round-to-nearest-even and gradual underflow: + - * / sqrt, explicit fma,
 * conversions, and integers. Forbidden: libm (except fma, which is exact), estimates, flush-to-zero, contraction, and any
 * order of a sum that is not written down. The written orders:
 *
 *   A32 quantisation   per 32 values: e = amax/127, id = 127/amax, q = rne(x*id), a = sum q; all zero below 2^-100
 *   matrix times column per output row: acc = fma(e, d*I, acc), with a minimum fma(e, fma(d, I, m*a), acc), over blocks,
 *                      ascending; I = sum of code*q is an exact integer
 *   sums of one vector 16 lanes, lane = index mod 16, ascending; then the tree 8, 4, 2, 1
 *   attention          two passes: all scores, their maximum, exp1, their sum; values in chains of 256 keys
 *
 * A value that is not finite ends the run with a fault; it is never hashed or shown. */
#ifndef SYMBOLON_ARITHMETIC_H
#define SYMBOLON_ARITHMETIC_H

#include <stddef.h>
#include <stdint.h>

/* The instruction sets a path exists for. All of them give the same bits. */
enum symbolon_path {
  SYMBOLON_PATH_SCALAR = 0,
  SYMBOLON_PATH_AVX2 = 1,   /* with FMA and F16C */
  SYMBOLON_PATH_AVX512 = 2, /* F, BW, VL and VNNI */
  SYMBOLON_PATH_NEON = 3,   /* with the integer dot product */
};

/* 1 if the path is built in and both the processor and the operating system allow it. */
int32_t symbolon_path_available(int32_t path);

/* The fastest path that is available. */
int32_t symbolon_path_best(void);

/* "scalar", "avx2", "avx512", "neon"; "unknown" for other numbers. Never NULL. */
const char *symbolon_path_name(int32_t path);

/* The path of a name, -1 if there is none. */
int32_t symbolon_path_named(const char *name);

/* binary16 bits to binary32: exact. */
float symbolon_half_to_float(uint16_t half);

/* binary32 to binary16 bits, round to nearest even; beyond 65504 becomes infinity. */
uint16_t symbolon_float_to_half(float value);

/* exp1: e^x for x <= 0 and for SiLU; +0 below -87, clamped above 87; about 2 ulp, the same bits everywhere. */
float symbolon_exp1(float x);

/* Natural logarithm of a positive normal number, by the written binary64 routine. */
double symbolon_logarithm(double x);

/* inv_freq[i] = base^(-2i/dimension) for i in 0..<dimension/2, by the written binary64 routine. */
void symbolon_rope_frequencies(double base, int32_t dimension, float *inv_freq);

/* The same before they are rounded to binary32. */
void symbolon_rope_angles(double base, int32_t dimension, double *angles);

/* Cosine and sine of rn(position * inv_freq[i]), rounded from binary64: row `position` of the rotation table. */
void symbolon_rope_row(int32_t position, const float *inv_freq, int32_t pairs, float *cosines, float *sines);

/* x*y + z*w without contraction: a test compares its bits with the written order. */
float symbolon_contraction_probe(float x, float y, float z, float w);

#endif
