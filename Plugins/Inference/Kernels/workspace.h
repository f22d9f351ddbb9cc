/* The buffers of a step.
 *
 * T = columns, E = width, H = heads, G = kv heads, D = head size, F = feed-forward width, V = vocabulary. */
#ifndef SYMBOLON_WORKSPACE_H
#define SYMBOLON_WORKSPACE_H

#include <stdatomic.h>

#include "arithmetic_rules.h"
#include "include/forward.h"
#include "include/operations.h"

/* Rows that one claim of a matrix stage covers: one A32 block of the next stage's input. */
enum { ROWS = 32, HEAD_ROWS = 128 };

/* Activations of T columns: f32 [T][K] and A32 [T][K]. */
typedef struct activations {
  int32_t k;
  float *x;
  int8_t *q;
  float *e;
  int32_t *a;
} activations;

struct symbolon_workspace {
  const symbolon_model *model;
  const symbolon_operations *ops;
  const symbolon_column *columns;
  int32_t threads, most_columns, most_logit_rows, stages, count, logit_count;
  int32_t *logit_column;  /* [logit rows] column of each row of logits */
  int32_t *item;          /* [T+1] first column of each attention item */
  int32_t items;
  float *residual;        /* [T][E] */
  float *query;           /* [T][H*D] after rotation */
  activations normed;     /* [T][E] */
  activations attended;   /* [T][H*D] */
  activations fed;        /* [T][F] */
  float *logits;          /* [logit rows][V] */
  float *scores;          /* [thread][6][context] */
  float *up;              /* [thread][T][32] */
  symbolon_stage *stage;  /* [stages] */
  atomic_uint fault;      /* smallest fault code, ~0 for none */
};

/* Positions of one row of scores: the context, rounded up to whole key tiles. */
static inline int32_t symbolon_padded_context(const symbolon_model *m) { return (m->context + 15) & ~15; }

#endif
