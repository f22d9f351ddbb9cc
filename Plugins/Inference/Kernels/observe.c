/* Keeps what operators gave. */
#include "observe.h"

#include <stdlib.h>
#include <string.h>

#include "workspace.h"

/* Values of an operator, in models that have it. */
static size_t values_of(const symbolon_model *m, int32_t operation) {
  switch (operation) {
    case SYMBOLON_OP_QUERY:
    case SYMBOLON_OP_QUERY_NORM:
    case SYMBOLON_OP_QUERY_ROTATED:
    case SYMBOLON_OP_ATTENTION: return (size_t)m->heads * (size_t)m->head_size;
    case SYMBOLON_OP_KEY:
    case SYMBOLON_OP_VALUE:
    case SYMBOLON_OP_KEY_NORM:
    case SYMBOLON_OP_KEY_ROTATED: return (size_t)m->kv_heads * (size_t)m->head_size;
    case SYMBOLON_OP_GATE:
    case SYMBOLON_OP_UP:
    case SYMBOLON_OP_GATED: return (size_t)m->feed_width;
    case SYMBOLON_OP_LOGITS: return (size_t)m->vocabulary;
    default: return (size_t)m->width;
  }
}

/* Whether a layer has an operator. */
static int32_t has(const symbolon_layer *layer, int32_t operation) {
  switch (operation) {
    case SYMBOLON_OP_QUERY_NORM: return layer->query_norm != NULL;
    case SYMBOLON_OP_KEY_NORM: return layer->key_norm != NULL;
    case SYMBOLON_OP_ATTENTION_POST_NORM: return layer->attention_post_norm != NULL;
    case SYMBOLON_OP_FEED_POST_NORM: return layer->feed_post_norm != NULL;
    default: return 1;
  }
}

/* Where an operator's values begin among those of a column: x_0, the layers, then what follows the last. */
static size_t place(const symbolon_observation *o, const symbolon_model *m, int32_t operation, int32_t l) {
  const size_t e = (size_t)m->width;
  if (operation == SYMBOLON_OP_EMBEDDING) return 0;
  if (operation < SYMBOLON_OP_OUTPUT_NORM) return e + (size_t)l * o->layer + o->offset[operation];
  return e + (size_t)m->layers * o->layer + (operation == SYMBOLON_OP_LOGITS ? e : 0);
}

int32_t symbolon_workspace_observe(symbolon_workspace *w, int32_t columns) {
  symbolon_observation *o = &w->observation;
  const symbolon_model *m = w->model;
  symbolon_observation_destroy(o);
  for (int32_t i = SYMBOLON_OP_ATTENTION_NORM; i < SYMBOLON_OP_OUTPUT_NORM; i++) {
    o->offset[i] = o->layer;
    o->layer += values_of(m, i);
  }
  o->size = (size_t)m->width * 2 + (size_t)m->layers * o->layer + (size_t)m->vocabulary;
  o->column = malloc((size_t)columns * sizeof *o->column);
  o->slot = malloc((size_t)w->most_columns * sizeof *o->slot);
  o->values = calloc((size_t)columns * o->size, sizeof *o->values);
  if (!o->column || !o->slot || !o->values) {
    symbolon_observation_destroy(o);
    return 0;
  }
  o->most = columns;
  return 1;
}

void symbolon_observation_destroy(symbolon_observation *o) {
  free(o->column);
  free(o->slot);
  free(o->values);
  memset(o, 0, sizeof *o);
}

void symbolon_observation_begin(symbolon_observation *o, const symbolon_column *columns, int32_t count) {
  o->count = 0;
  if (o->most == 0) return;
  for (int32_t t = 0; t < count; t++) {
    o->slot[t] = columns[t].wants_operators && o->count < o->most ? o->count : -1;
    if (o->slot[t] >= 0) o->column[o->count++] = t;
  }
}

void symbolon_observe(symbolon_observation *o, const symbolon_model *m, int32_t operation, int32_t l, int32_t t,
                      int32_t from, int32_t n, const float *x) {
  if (o->slot[t] < 0) return;
  const size_t at = (size_t)o->slot[t] * o->size + place(o, m, operation, l) + (size_t)from;
  memcpy(o->values + at, x, (size_t)n * sizeof *x);
}

const float *symbolon_observed(
  const symbolon_workspace *w, int32_t index, int32_t operation, int32_t l, int32_t *count) {
  const symbolon_observation *o = &w->observation;
  const symbolon_model *m = w->model;
  *count = 0;
  if (index < 0 || index >= o->count || operation <= SYMBOLON_OP_NONE || operation > SYMBOLON_OP_LOGITS) return NULL;
  if (operation >= SYMBOLON_OP_OUTPUT_NORM) {
    if (l != m->layers || w->logit_row[o->column[index]] < 0) return NULL;
  } else if (l < 0 || l >= m->layers || !has(&m->layer[l], operation)) return NULL;
  *count = (int32_t)values_of(m, operation);
  return o->values + (size_t)index * o->size + place(o, m, operation, l);
}
