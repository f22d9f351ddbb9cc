/* What the files of a step share: a stage is cut into pieces, and threads claim them. */
#ifndef SYMBOLON_STAGES_H
#define SYMBOLON_STAGES_H

#include <string.h>

#include "workspace.h"

/* What a stage does with piece `p` of layer `l`; `thread` picks scratch memory. */
typedef void symbolon_piece(symbolon_workspace *w, int32_t thread, int32_t l, int32_t p);

/* Fault codes: the lowest column first, then layer and operation. */
enum { OPERATIONS = 32 };

/* Keeps the smallest code, so that the fault reported does not depend on which thread was first. */
static inline void report(symbolon_workspace *w, int32_t operation, int32_t layer, int32_t column) {
  const unsigned place = (unsigned)column * (unsigned)(w->model->layers + 1) + (unsigned)layer;
  const unsigned code = place * OPERATIONS + (unsigned)operation;
  unsigned seen = atomic_load(&w->fault);
  while (code < seen && !atomic_compare_exchange_weak(&w->fault, &seen, code)) {}
}

/* A32 of n values of row `row`, from value `from`. 1 if all are finite. */
static inline int32_t quantise(symbolon_workspace *w, activations *v, int32_t row, int32_t from, int32_t n) {
  const size_t at = (size_t)row * (size_t)v->k + (size_t)from;
  return w->ops->quantise(v->x + at, n, v->b + at / 32);
}

/* The vectors of the columns from `first`, SYMBOLON_TILE at most; returns how many. */
static inline int32_t tile(const activations *v, int32_t first, int32_t count, symbolon_vector *out) {
  const int32_t n = count - first < SYMBOLON_TILE ? count - first : SYMBOLON_TILE;
  for (int32_t i = 0; i < n; i++) {
    const size_t at = (size_t)(first + i) * (size_t)v->k;
    out[i] = (symbolon_vector){v->x + at, v->b + at / 32};
  }
  return n;
}

/* Rows of a group: sixteen, or what is left of the matrix. */
static inline int32_t rows_of(const symbolon_matrix *matrix, int32_t group) {
  const int32_t rest = matrix->rows - group * SYMBOLON_ROWS;
  return rest < SYMBOLON_ROWS ? rest : SYMBOLON_ROWS;
}

/* out = W.v + bias for the rows of one group; `bias` may be NULL. */
static inline void multiply(const symbolon_workspace *w, const symbolon_matrix *matrix, const float *bias,
                            int32_t group, const symbolon_vector *v, int32_t n, float (*out)[SYMBOLON_ROWS]) {
  w->ops->multiply(matrix, group, v, n, out);
  if (!bias) return;
  const int32_t rows = rows_of(matrix, group);
  for (int32_t i = 0; i < n; i++)
    for (int32_t r = 0; r < rows; r++) out[i][r] = out[i][r] + bias[group * SYMBOLON_ROWS + r];
}

/* Keeps values from...from+n-1 of an operator of column `t`, if anybody looks. */
static inline void observe(
  symbolon_workspace *w, int32_t operation, int32_t l, int32_t t, int32_t from, int32_t n, const float *x) {
  if (w->observation.count > 0) symbolon_observe(&w->observation, w->model, operation, l, t, from, n, x);
}

/* The same for `n` columns from `first`, `rows` values of each. */
static inline void observe_tile(symbolon_workspace *w, int32_t operation, int32_t l, int32_t first, int32_t n,
                                int32_t from, int32_t rows, float (*out)[SYMBOLON_ROWS]) {
  if (w->observation.count == 0) return;
  for (int32_t i = 0; i < n; i++) observe(w, operation, l, first + i, from, rows, out[i]);
}

/* The stages of attention.c, in order. */

/* query, key, value = W.normed for two groups of rows; where no whole heads are needed, rotated and into the cache. */
symbolon_piece symbolon_project;
int32_t symbolon_project_pieces(const symbolon_workspace *w);

/* Norms and rotates the heads of one column that share a kv head, in layers that `symbolon_arranges` names. */
symbolon_piece symbolon_arrange;
int32_t symbolon_arranges(const symbolon_model *model, int32_t l);

/* attended = softmax(query.keys).values for one kv head of a few neighbouring columns of one sequence. */
symbolon_piece symbolon_attention;

/* A32 of one column of attended, where blocks of 32 reach over heads. */
symbolon_piece symbolon_attended;

#endif
