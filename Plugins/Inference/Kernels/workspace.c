/* Allocation of a step's buffers. */
#include "workspace.h"

#include <stdlib.h>

static size_t rounded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static void *buffer(size_t count, size_t size) { return aligned_alloc(64, rounded(count * size + 64)); }

static int32_t activations_create(activations *v, int32_t columns, int32_t k) {
  const size_t n = (size_t)columns * (size_t)k;
  v->k = k;
  v->x = buffer(n, 4);
  v->b = buffer(n / 32, sizeof(symbolon_block));
  return v->x && v->b;
}

static void activations_free(activations *v) {
  free(v->x);
  free(v->b);
}

symbolon_workspace *symbolon_workspace_create(
  const symbolon_model *model, int32_t threads, int32_t columns, int32_t logit_rows, int32_t path) {
  symbolon_workspace *w = calloc(1, sizeof *w);
  const symbolon_operations *ops = symbolon_operations_for(path);
  if (!w || !ops) {
    free(w);
    return NULL;
  }
  const size_t t = (size_t)columns, n = (size_t)threads;
  w->model = model;
  w->ops = ops;
  w->threads = threads;
  w->most_columns = columns;
  w->most_logit_rows = logit_rows;
  w->stages = model->layers * 9 + 3;
  const size_t e = (size_t)model->width, queries = (size_t)(model->heads * model->head_size);
  w->logit_row = buffer(t, 4);
  w->hidden_row = buffer(t, 4);
  w->hidden = buffer(t * e, 4);
  w->item = buffer(t + 1, 4);
  w->residual = buffer(t * e, 4);
  w->query = buffer(t * queries, 4);
  w->key = buffer(t * (size_t)(model->kv_heads * model->head_size), 4);
  w->product = buffer(t * e, 4);
  w->logits = buffer((size_t)logit_rows * (size_t)model->vocabulary, 4);
  w->scores = buffer(n * SYMBOLON_QUERIES * (size_t)symbolon_padded_context(model), 4);
  w->padded = buffer(n * SYMBOLON_QUERIES * symbolon_value_stride(model), 4);
  w->up = buffer(n * t * ROWS, 4);
  w->stage = buffer((size_t)w->stages * (size_t)(1 + w->threads), sizeof(symbolon_counter));
  const int32_t parts = activations_create(&w->normed, columns, model->width)
                        & activations_create(&w->attended, columns, (int32_t)queries)
                        & activations_create(&w->fed, columns, model->feed_width)
                        & symbolon_leaves_create(&w->leaves, model, threads, columns);
  if (!parts || !w->logit_row || !w->hidden_row || !w->hidden || !w->item || !w->residual || !w->query || !w->key
      || !w->product || !w->logits || !w->scores || !w->padded || !w->up || !w->stage) {
    symbolon_workspace_destroy(w);
    return NULL;
  }
  return w;
}

void symbolon_workspace_destroy(symbolon_workspace *w) {
  if (!w) return;
  activations_free(&w->normed);
  activations_free(&w->attended);
  activations_free(&w->fed);
  free(w->logit_row);
  free(w->hidden_row);
  free(w->hidden);
  free(w->item);
  free(w->residual);
  free(w->query);
  free(w->key);
  free(w->product);
  free(w->logits);
  free(w->scores);
  free(w->padded);
  free(w->up);
  free(w->stage);
  symbolon_leaves_destroy(&w->leaves);
  symbolon_observation_destroy(&w->observation);
  free(w);
}

uint64_t symbolon_page_bytes(const symbolon_model *m) {
  return (uint64_t)m->layers * (uint64_t)m->kv_heads * symbolon_strip_size(m) * 2;
}

const float *symbolon_logits(const symbolon_workspace *w) { return w->logits; }

const float *symbolon_hidden(const symbolon_workspace *w) { return w->hidden; }

const uint8_t *symbolon_digests(const symbolon_workspace *w) { return w->leaves.digests; }

void symbolon_workspace_hash(symbolon_workspace *w, symbolon_hash *hash) { w->leaves.hash = hash; }
