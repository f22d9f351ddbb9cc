/* What every operator gave in columns that are observed: docs/arithmetic.md, section 12.
 *
 * The stages overwrite and merge most of these values, so each leaves a copy behind its loops. While no column is
 * observed that is one comparison for a piece of work, and nothing inside a loop over weights. */
#ifndef SYMBOLON_OBSERVE_H
#define SYMBOLON_OBSERVE_H

#include <stddef.h>

#include "include/forward.h"

/* The values of one step. T = columns of a step. */
typedef struct symbolon_observation {
  int32_t most;       /* columns of one step that may be observed; 0 until there is memory for it */
  int32_t count;      /* columns of this step that are */
  int32_t *column;    /* [most] their numbers, ascending */
  int32_t *slot;      /* [T] place of each column among them, -1 for none */
  size_t offset[SYMBOLON_OP_LOGITS + 1]; /* where the values of an operator begin among those of its layer */
  size_t layer, size; /* values of one layer, and of one column */
  float *values;      /* [most][size] */
} symbolon_observation;

void symbolon_observation_destroy(symbolon_observation *observation);

/* Finds the columns of a step that are observed. */
void symbolon_observation_begin(symbolon_observation *observation, const symbolon_column *columns, int32_t count);

/* Keeps values from...from+n-1 of an operator, if column `t` is observed. Threads write different ones. */
void symbolon_observe(symbolon_observation *observation, const symbolon_model *model, int32_t operation, int32_t l,
                      int32_t t, int32_t from, int32_t n, const float *x);

#endif
