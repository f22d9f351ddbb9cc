/* What a step leaves for its trace: docs/arithmetic.md, section 13. */
#ifndef SYMBOLON_LEAVES_H
#define SYMBOLON_LEAVES_H

#include "include/forward.h"

/* The digests of one step. T = columns, L = layers, G = kv heads, D = head size. */
typedef struct symbolon_leaves {
  symbolon_hash *hash; /* NULL while no column may want a leaf */
  int32_t count;       /* columns of this step that want one */
  int32_t *column;     /* [T] their numbers, ascending */
  uint8_t *digests;    /* [T][2L+1][32]: x_0, then for each layer its row of the cache and what it hands on */
  uint16_t *rows;      /* [thread][2*G*D] a row of the cache, gathered */
} symbolon_leaves;

/* Whether there is memory for it. */
int32_t symbolon_leaves_create(symbolon_leaves *leaves, const symbolon_model *model, int32_t threads, int32_t columns);
void symbolon_leaves_destroy(symbolon_leaves *leaves);

/* Finds the columns of a step that want leaves. */
void symbolon_leaves_begin(symbolon_leaves *leaves, const symbolon_column *columns, int32_t count);

/* Pieces of stages, one for each column that wants a leaf: the digest of x_`index`, [T][E], while nothing writes there,
 * and the digest of the keys and values that layer `l` put into the cache. */
void symbolon_leaves_residual(
  symbolon_leaves *leaves, const symbolon_model *model, const float *x, int32_t index, int32_t p);
void symbolon_leaves_cache(
  symbolon_leaves *leaves, const symbolon_model *model, const symbolon_column *columns, int32_t thread, int32_t l,
  int32_t p);

#endif
