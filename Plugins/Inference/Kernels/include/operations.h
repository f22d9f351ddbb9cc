/* The operations of a step, as one table a path. Every path gives the same bits; the portable one is the text. */
#ifndef SYMBOLON_OPERATIONS_H
#define SYMBOLON_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "matrix.h"

/* The most columns one matrix call takes, and the most queries one attention call takes. */
#define SYMBOLON_TILE 4
#define SYMBOLON_QUERIES 6

/* Keys of one chain in the value sum; a page of the cache holds as many positions. */
#define SYMBOLON_CHUNK 256

/* One activation vector of K values: as f32 and as A32. */
typedef struct symbolon_vector {
  const float *x;   /* [K] */
  const int8_t *q;  /* [K] codes in -127...127 */
  const float *e;   /* [K/32] scales */
  const int32_t *a; /* [K/32] sums of codes */
} symbolon_vector;

/* The keys, or the values, of one layer and kv head of a sequence: they begin `offset` numbers into every page. */
typedef struct symbolon_strip {
  uint16_t *const *page;
  size_t offset;
} symbolon_strip;

typedef struct symbolon_operations {
  /* A32 of n values (a multiple of 32). 1 if all are finite, else 0. */
  int32_t (*quantise)(const float *x, int32_t n, int8_t *q, float *e, int32_t *a);
  /* Eight rows times `count` (1...4) vectors of 32*blocks values. */
  void (*q4_0)(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]);
  void (*q4_1)(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]);
  void (*q8_0)(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]);
  void (*f16)(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]);
  void (*f32)(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]);
  /* y = x * 1/sqrt(mean(x^2) + epsilon) * w, n a multiple of 16. */
  void (*norm)(const float *x, const float *w, int32_t n, float epsilon, float *y);
  /* scores[i][j] = scale * q[i].k[j] for all positions j of the key tiles first..<end; a page has 16 tiles [d][16]. */
  void (*scores)(const float *const *q, int32_t count, int32_t d, symbolon_strip keys, int32_t first, int32_t end,
                 float scale, float *const *scores);
  /* Replaces scores first..<end by exp1(score - maximum), zeroes the rest of their tiles of 16, returns rn(1/sum). */
  float (*softmax)(float *scores, int32_t first, int32_t end);
  /* out[i][0..<d] = scale[i] * sum of p[i][j]*v[j][...] over firsts[i] <= j < ends[i], a chain for each page [256][d];
   * d is a multiple of 16. */
  void (*values)(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale, int32_t count,
                 int32_t d, symbolon_strip values, float *const *out);
  /* g = g/(1+exp1(-g)) * u. */
  void (*gate)(float *g, const float *u, int32_t n);
  /* n values to binary16; 1 if all are finite there, else 0. */
  int32_t (*halve)(const float *x, int32_t n, uint16_t *half);
  /* weights[i] = trunc(exp1((x[i]-greatest)/temperature) * 2^30). */
  void (*weigh)(const float *x, int32_t n, float greatest, float temperature, uint32_t *weights);
} symbolon_operations;

extern const symbolon_operations symbolon_operations_portable;
#if defined(__x86_64__)
extern const symbolon_operations symbolon_operations_avx2;
#endif

/* The table of a path; the portable one if the path is not built in. */
const symbolon_operations *symbolon_operations_for(int32_t path);

#endif
