/* One step: embedding, layers, head. Threads claim the pieces of a stage; the next begins when all are complete.
 *
 * T = columns, E = width, H = heads, G = kv heads, D = head size, F = feed-forward width, V = vocabulary. */
#include "stages.h"

/* Does what can be claimed of a stage, then waits for the rest. */
static void run(symbolon_workspace *w, int32_t stage, symbolon_piece *work, int32_t pieces, int32_t thread, int32_t l) {
  symbolon_counter *done = &w->stage[stage * (1 + w->threads)];
  for (int32_t p; (p = symbolon_stage_claim(done + 1, w->threads, thread, pieces)) >= 0;) {
    work(w, thread, l, p);
    symbolon_stage_finish(done);
  }
  symbolon_stage_await(done, pieces);
}

static int32_t all_finite(const float *x, int32_t n) {
  uint32_t greatest = 0;
  for (int32_t i = 0; i < n; i++) {
    const uint32_t magnitude = symbolon_magnitude(x[i]);
    greatest = magnitude > greatest ? magnitude : greatest;
  }
  return greatest <= 0x7f7fffffu;
}

/* residual[t] = the row of the token, scaled. */
static void embed(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread, (void)l;
  const symbolon_model *m = w->model;
  const uint8_t *row = m->embedding + (size_t)w->columns[t].token * symbolon_row_bytes(m->embedding_type, m->width);
  float *x = w->residual + (size_t)t * (size_t)m->width;
  symbolon_dequantise_row(m->embedding_type, m->width, row, x);
  if (m->embedding_scale != 1.0f)
    for (int32_t i = 0; i < m->width; i++) x[i] = x[i] * m->embedding_scale;
  observe(w, SYMBOLON_OP_EMBEDDING, 0, t, 0, m->width, x);
}

/* residual[t] += norm(product[t]), where the family norms what it adds; else it was added before. `operation` is that of
 * the norm, and the next is that of the residual. */
static void settle(symbolon_workspace *w, int32_t t, int32_t l, int32_t operation, const float *weight) {
  const int32_t e = w->model->width;
  float *x = w->residual + (size_t)t * (size_t)e, *y = w->product + (size_t)t * (size_t)e;
  if (weight) {
    w->ops->norm(y, weight, e, w->model->epsilon, y);
    observe(w, operation, l, t, 0, e, y);
    for (int32_t i = 0; i < e; i++) x[i] = x[i] + y[i];
  }
  observe(w, operation + 1, l, t, 0, e, x);
}

/* normed[row] = norm(residual[t]), as f32 and A32; whether all are finite. */
static int32_t normalise(
  symbolon_workspace *w, int32_t t, int32_t row, int32_t l, int32_t operation, const float *weight) {
  const size_t e = (size_t)w->model->width;
  float *y = w->normed.x + (size_t)row * e;
  w->ops->norm(w->residual + (size_t)t * e, weight, (int32_t)e, w->model->epsilon, y);
  observe(w, operation, l, t, 0, (int32_t)e, y);
  return quantise(w, &w->normed, row, 0, (int32_t)e);
}

/* Reports what is wrong with x_l, [E], or with its norm: a residual that is not finite never has a finite norm. */
static void blame(symbolon_workspace *w, int32_t t, int32_t l, int32_t norm) {
  if (all_finite(w->residual + (size_t)t * (size_t)w->model->width, w->model->width)) report(w, norm, l, t);
  else if (l == 0) report(w, SYMBOLON_OP_EMBEDDING, 0, t);
  else report(w, SYMBOLON_OP_FEED_RESIDUAL, l - 1, t);
}

static void attention_norm(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread;
  const symbolon_layer *layer = &w->model->layer[l];
  if (l > 0) settle(w, t, l - 1, SYMBOLON_OP_FEED_POST_NORM, layer[-1].feed_post_norm);
  if (!normalise(w, t, t, l, SYMBOLON_OP_ATTENTION_NORM, layer->attention_norm))
    blame(w, t, l, SYMBOLON_OP_ATTENTION_NORM);
}

static void feed_norm(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread;
  const symbolon_layer *layer = &w->model->layer[l];
  settle(w, t, l, SYMBOLON_OP_ATTENTION_POST_NORM, layer->attention_post_norm);
  if (!normalise(w, t, t, l, SYMBOLON_OP_FEED_NORM, layer->feed_norm)) report(w, SYMBOLON_OP_FEED_NORM, l, t);
}

/* The last norm of column t, into its row of normed, and into its hidden row. */
static void last_norm(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread;
  const symbolon_model *m = w->model;
  settle(w, t, l - 1, SYMBOLON_OP_FEED_POST_NORM, m->layer[l - 1].feed_post_norm);
  const int32_t row = w->logit_row[t], hidden = w->hidden_row[t];
  if (row >= 0 && !normalise(w, t, row, l, SYMBOLON_OP_OUTPUT_NORM, m->output_norm))
    blame(w, t, l, SYMBOLON_OP_OUTPUT_NORM);
  if (hidden < 0) return;
  float *y = w->hidden + (size_t)hidden * (size_t)m->width;
  w->ops->norm(w->residual + (size_t)t * (size_t)m->width, m->output_norm, m->width, m->epsilon, y);
  if (!all_finite(y, m->width)) blame(w, t, l, SYMBOLON_OP_OUTPUT_NORM);
}

/* residual += W.input + bias for 32 rows, or product = that, where a norm comes between. */
static void add(symbolon_workspace *w, const symbolon_matrix *matrix, const float *bias, const activations *input,
                int32_t settles, int32_t operation, int32_t l, int32_t c) {
  const size_t e = (size_t)w->model->width;
  for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
    symbolon_vector v[SYMBOLON_TILE];
    const int32_t n = tile(input, t, w->count, v);
    for (int32_t row = c * ROWS; row < (c + 1) * ROWS; row += SYMBOLON_ROWS) {
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      multiply(w, matrix, bias, row / SYMBOLON_ROWS, v, n, out);
      observe_tile(w, operation, l, t, n, row, SYMBOLON_ROWS, out);
      for (int32_t i = 0; i < n; i++) {
        const size_t at = (size_t)(t + i) * e + (size_t)row;
        if (settles) {
          memcpy(w->product + at, out[i], sizeof out[i]);
          continue;
        }
        float *x = w->residual + at;
        for (int32_t r = 0; r < SYMBOLON_ROWS; r++) x[r] = x[r] + out[i][r];
      }
    }
  }
}

static void output(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  const symbolon_layer *layer = &w->model->layer[l];
  const int32_t settles = layer->attention_post_norm != NULL;
  add(w, &layer->output, layer->output_bias, &w->attended, settles, SYMBOLON_OP_ATTENTION_OUTPUT, l, c);
}

static void down(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  const symbolon_layer *layer = &w->model->layer[l];
  add(w, &layer->down, layer->down_bias, &w->fed, layer->feed_post_norm != NULL, SYMBOLON_OP_DOWN, l, c);
}

/* fed = f(gate.normed) * up.normed for 32 rows, as f32 and A32. */
static void feed(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  if (c < w->leaves.count) return symbolon_leaves_cache(&w->leaves, w->model, w->columns, thread, l, c);
  c -= w->leaves.count;
  const symbolon_layer *layer = &w->model->layer[l];
  float *up = w->up + (size_t)thread * (size_t)w->most_columns * ROWS;
  const size_t f = (size_t)w->fed.k;
  for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
    symbolon_vector v[SYMBOLON_TILE];
    const int32_t n = tile(&w->normed, t, w->count, v);
    for (int32_t row = 0; row < ROWS; row += SYMBOLON_ROWS) {
      const int32_t group = (c * ROWS + row) / SYMBOLON_ROWS;
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      multiply(w, &layer->gate, layer->gate_bias, group, v, n, out);
      observe_tile(w, SYMBOLON_OP_GATE, l, t, n, group * SYMBOLON_ROWS, SYMBOLON_ROWS, out);
      for (int32_t i = 0; i < n; i++)
        memcpy(w->fed.x + (size_t)(t + i) * f + c * ROWS + row, out[i], sizeof out[i]);
      multiply(w, &layer->up, layer->up_bias, group, v, n, out);
      observe_tile(w, SYMBOLON_OP_UP, l, t, n, group * SYMBOLON_ROWS, SYMBOLON_ROWS, out);
      for (int32_t i = 0; i < n; i++) memcpy(up + (t + i) * ROWS + row, out[i], sizeof out[i]);
    }
  }
  for (int32_t t = 0; t < w->count; t++) {
    float *gated = w->fed.x + (size_t)t * f + c * ROWS;
    w->ops->gate(w->model->gate, gated, up + t * ROWS, ROWS);
    observe(w, SYMBOLON_OP_GATED, l, t, c * ROWS, ROWS, gated);
    if (!quantise(w, &w->fed, t, c * ROWS, ROWS)) report(w, SYMBOLON_OP_GATED, l, t);
  }
}

/* The digest of x_L of a column that wants a leaf: nobody else may have looked at it. */
static void last_leaf(symbolon_workspace *w, int32_t l, int32_t p) {
  const int32_t t = w->leaves.column[p], e = w->model->width;
  if (!all_finite(w->residual + (size_t)t * (size_t)e, e)) report(w, SYMBOLON_OP_FEED_RESIDUAL, l - 1, t);
  symbolon_leaves_residual(&w->leaves, w->model, w->residual, l, p);
}

/* logits = head.normed for 128 rows. */
static void head(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  if (c < w->leaves.count) return last_leaf(w, l, c);
  c -= w->leaves.count;
  const int32_t vocabulary = w->model->vocabulary;
  for (int32_t t = 0; t < w->logit_count; t += SYMBOLON_TILE) {
    symbolon_vector v[SYMBOLON_TILE];
    const int32_t n = tile(&w->normed, t, w->logit_count, v);
    for (int32_t row = c * HEAD_ROWS; row < (c + 1) * HEAD_ROWS && row < vocabulary; row += SYMBOLON_ROWS) {
      const int32_t rows = rows_of(&w->model->head, row / SYMBOLON_ROWS);
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      multiply(w, &w->model->head, NULL, row / SYMBOLON_ROWS, v, n, out);
      for (int32_t i = 0; i < n; i++)
        memcpy(w->logits + (size_t)(t + i) * (size_t)vocabulary + row, out[i], (size_t)rows * 4);
    }
  }
}

static void step(void *context, int32_t thread) {
  symbolon_workspace *w = context;
  const symbolon_model *m = w->model;
  const int32_t columns = w->count, projections = symbolon_project_pieces(w);
  /* Digests are the first pieces of stages that leave what they hash as it is. */
  const int32_t leaves = w->leaves.count;
  int32_t stage = 0;
  run(w, stage, embed, columns, thread, 0);
  for (int32_t l = 0; l < m->layers; l++) {
    run(w, ++stage, attention_norm, columns, thread, l);
    run(w, ++stage, symbolon_project, leaves + projections, thread, l);
    if (symbolon_arranges(m, l)) run(w, ++stage, symbolon_arrange, columns * m->kv_heads, thread, l);
    run(w, ++stage, symbolon_attention, w->items * m->kv_heads, thread, l);
    if (m->head_size % 32 != 0) run(w, ++stage, symbolon_attended, columns, thread, l);
    run(w, ++stage, output, m->width / ROWS, thread, l);
    run(w, ++stage, feed_norm, columns, thread, l);
    run(w, ++stage, feed, leaves + m->feed_width / ROWS, thread, l);
    run(w, ++stage, down, m->width / ROWS, thread, l);
  }
  run(w, ++stage, last_norm, columns, thread, m->layers);
  run(w, ++stage, head, leaves + (m->vocabulary + HEAD_ROWS - 1) / HEAD_ROWS, thread, m->layers);
}

/* Splits the columns into attention items: neighbours of one sequence, about twelve queries together. */
static void itemise(symbolon_workspace *w) {
  const int32_t ratio = w->model->heads / w->model->kv_heads;
  const int32_t most = ratio >= SYMBOLON_QUERIES ? 1 : SYMBOLON_QUERIES / ratio;
  w->items = 0;
  for (int32_t t = 0; t < w->count;) {
    w->item[w->items++] = t;
    int32_t n = 1;
    while (n < most && t + n < w->count && w->columns[t + n].cache == w->columns[t].cache) n++;
    t += n;
  }
  w->item[w->items] = w->count;
}

/* Keeps the logits of observed columns: rows of the head are not those of columns. */
static void observe_logits(symbolon_workspace *w) {
  const int32_t vocabulary = w->model->vocabulary;
  for (int32_t i = 0; i < w->observation.count; i++) {
    const int32_t t = w->observation.column[i];
    if (w->logit_row[t] < 0) continue;
    const float *row = w->logits + (size_t)w->logit_row[t] * (size_t)vocabulary;
    observe(w, SYMBOLON_OP_LOGITS, w->model->layers, t, 0, vocabulary, row);
  }
}

symbolon_fault symbolon_forward(
  symbolon_workspace *w, symbolon_pool *pool, const symbolon_column *columns, int32_t count) {
  w->columns = columns;
  w->count = count;
  w->logit_count = w->hidden_count = 0;
  for (int32_t t = 0; t < count; t++) {
    const int32_t wants_logits = columns[t].wants_logits && w->logit_count < w->most_logit_rows;
    w->logit_row[t] = wants_logits ? w->logit_count++ : -1;
    w->hidden_row[t] = columns[t].wants_hidden ? w->hidden_count++ : -1;
  }
  memset(w->stage, 0, (size_t)w->stages * (size_t)(1 + w->threads) * sizeof(symbolon_counter));
  atomic_store(&w->fault, ~0u);
  itemise(w);
  symbolon_leaves_begin(&w->leaves, columns, count);
  symbolon_observation_begin(&w->observation, columns, count);
  symbolon_pool_run(pool, step, w);
  observe_logits(w);
  const unsigned code = atomic_load(&w->fault);
  if (code == ~0u) return (symbolon_fault){0, 0, 0};
  const unsigned place = code / OPERATIONS, layers = (unsigned)w->model->layers + 1;
  return (symbolon_fault){(int32_t)(code % OPERATIONS), (int32_t)(place % layers), (int32_t)(place / layers)};
}
