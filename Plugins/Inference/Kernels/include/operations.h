/* The operations of a step, as one table a path. Every path gives the same bits; the scalar one is the text. */
#ifndef SYMBOLON_OPERATIONS_H
#define SYMBOLON_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "matrix.h"

/* The most columns one matrix call takes, and the most queries one attention call takes. */
#define SYMBOLON_TILE 8
#define SYMBOLON_QUERIES 12

/* Keys of one chain in the value sum; a page of the cache holds as many positions. */
#define SYMBOLON_CHUNK 256

/* 32 activations as A32. The three sums are whole numbers. */
typedef struct symbolon_block {
  int8_t q[32];        /* codes in -127...127 */
  float e;             /* scale */
  float a;             /* sum of the codes */
  float first, second; /* of the first and the last 16 */
} symbolon_block;
_Static_assert(sizeof(symbolon_block) == 48, "the kernels read blocks by offset");

/* One activation vector of K values: as f32 and as A32. */
typedef struct symbolon_vector {
  const float *x;          /* [K] */
  const symbolon_block *b; /* [K/32] */
} symbolon_vector;

/* The keys, or the values, of one layer and kv head of a sequence: they begin `offset` numbers into every page. */
typedef struct symbolon_strip {
  uint16_t *const *page;
  size_t offset;
} symbolon_strip;

/* The function before the product in a gated feed-forward layer; GELU in its tanh form. */
enum symbolon_gate { SYMBOLON_SILU = 0, SYMBOLON_GELU = 1 };

typedef struct symbolon_operations {
  /* A32 of n values (a multiple of 32). 1 if all are finite, else 0. */
  int32_t (*quantise)(const float *x, int32_t n, symbolon_block *blocks);
  /* The sixteen rows of one group times `count` (1...SYMBOLON_TILE) vectors: out[vector][row]. */
  void (*multiply)(const symbolon_matrix *matrix, int32_t group, const symbolon_vector *v, int32_t count,
                   float (*out)[SYMBOLON_ROWS]);
  /* y = x * 1/sqrt(mean(x^2) + epsilon) * w, n a multiple of 16. */
  void (*norm)(const float *x, const float *w, int32_t n, float epsilon, float *y);
  /* scores[i][position] = scale * q[i].k[position] for the positions of tiles first..<end of 16 keys. */
  void (*scores)(const float *const *q, int32_t count, int32_t d, symbolon_strip keys, int32_t first, int32_t end,
                 float scale, float *const *scores);
  /* Replaces scores[first..<end] by exp1(score - maximum) and zeroes the rest of their tiles of 16; returns rn(1/sum).
   * The lane of a score is its position mod 16. */
  float (*softmax)(float *scores, int32_t first, int32_t end);
  /* out[i][0..<d] = scale[i] * sum of p[i][j]*values[j] over firsts[i] <= j < ends[i]: a chain for each page, and the
   * chains added to +0 in order. d is a multiple of 16. */
  void (*values)(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale, int32_t count,
                 int32_t d, symbolon_strip values, float *const *out);
  /* g = f(g) * u, f by symbolon_gate. */
  void (*gate)(int32_t kind, float *g, const float *u, int32_t n);
  /* n values to binary16; 1 if all are finite there, else 0. */
  int32_t (*halve)(const float *x, int32_t n, uint16_t *half);
  /* weights[i] = trunc(exp1((x[i]-greatest)/temperature) * 2^30). */
  void (*weigh)(const float *x, int32_t n, float greatest, float temperature, uint32_t *weights);
} symbolon_operations;

/* The table of a path; NULL if it is not built in, or if the processor or the operating system lacks it. */
const symbolon_operations *symbolon_operations_for(int32_t path);

#endif
