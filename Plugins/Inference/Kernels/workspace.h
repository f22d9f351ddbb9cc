/* The buffers of a step.
 *
 * T = columns, E = width, H = heads, G = kv heads, D = head size, F = feed-forward width, V = vocabulary. */
#ifndef SYMBOLON_WORKSPACE_H
#define SYMBOLON_WORKSPACE_H

#include <stdatomic.h>

#include "arithmetic_rules.h"
#include "include/forward.h"
#include "include/operations.h"
#include "leaves.h"
#include "observe.h"

/* Rows that one claim of a matrix stage covers: one A32 block of the next stage's input. */
enum { ROWS = 32, HEAD_ROWS = 128 };

/* Activations of T columns: f32 [T][K] and A32 [T][K]. */
typedef struct activations {
  int32_t k;
  float *x;
  symbolon_block *b;
} activations;

struct symbolon_workspace {
  const symbolon_model *model;
  const symbolon_operations *ops;
  const symbolon_column *columns;
  int32_t threads, most_columns, most_logit_rows, stages, count, logit_count, hidden_count;
  int32_t *logit_row;     /* [T] row of logits of each column, -1 for none */
  int32_t *hidden_row;    /* [T] hidden row of each column, -1 for none */
  int32_t *item;          /* [T+1] first column of each attention item */
  int32_t items;
  float *residual;        /* [T][E] */
  float *query;           /* [T][H*D] */
  float *key;             /* [T][G*D] before norm and rotation, where those need whole heads */
  float *product;         /* [T][E] what attention or feed-forward gave, where a norm comes before it is added */
  activations normed;     /* [T][E] */
  activations attended;   /* [T][H*D] */
  activations fed;        /* [T][F] */
  float *logits;          /* [logit rows][V] */
  float *hidden;          /* [T][E] */
  float *scores;          /* [thread][12][context] */
  float *padded;          /* [thread][12][D'] outputs of attention, where D is not a multiple of 16 */
  float *up;              /* [thread][T][32] */
  symbolon_counter *stage; /* [stages][1 + threads]: pieces that are complete, then those claimed of each share */
  symbolon_leaves leaves; /* what the trace commits to */
  symbolon_observation observation; /* what operators gave */
  atomic_uint fault;      /* smallest fault code, ~0 for none */
};

/* The strip of keys of a layer and kv head in the pages of a cache; its values follow after `symbolon_strip_keys`. */
static inline size_t symbolon_strip_keys(const symbolon_model *m) { return SYMBOLON_PAGE * (size_t)m->head_size; }

/* Numbers in one row of values: the head size, rounded up to whole vectors. */
static inline size_t symbolon_value_stride(const symbolon_model *m) { return ((size_t)m->head_size + 15) & ~(size_t)15; }

/* Numbers of keys and values that a page holds for one layer and kv head. */
static inline size_t symbolon_strip_size(const symbolon_model *m) {
  return symbolon_strip_keys(m) + SYMBOLON_PAGE * symbolon_value_stride(m);
}

/* Positions of one row of scores: the context, rounded up to whole key tiles. */
static inline int32_t symbolon_padded_context(const symbolon_model *m) { return (m->context + 15) & ~15; }

_Static_assert(SYMBOLON_PAGE == SYMBOLON_CHUNK, "a chain of the value sum is a page");

#endif
