/* One step: embedding, layers, head. Threads claim the pieces of a stage; the next begins when all are complete.
 *
 * T = columns, E = width, H = heads, G = kv heads, D = head size, F = feed-forward width, V = vocabulary. */
#include <string.h>

#include "workspace.h"

/* Keeps the smallest code, so that the fault reported does not depend on which thread was first. */
static void report(symbolon_workspace *w, int32_t operation, int32_t layer, int32_t column) {
  const unsigned code = ((unsigned)layer * 8u + (unsigned)operation) * SYMBOLON_MAX_COLUMNS + (unsigned)column;
  unsigned seen = atomic_load(&w->fault);
  while (code < seen && !atomic_compare_exchange_weak(&w->fault, &seen, code)) {}
}

/* A32 of n values of row `row`, which belongs to column t. */
static void quantise(
  symbolon_workspace *w, activations *v, int32_t row, int32_t from, int32_t n, int32_t op, int32_t l, int32_t t) {
  const size_t at = (size_t)row * (size_t)v->k + (size_t)from;
  if (!w->ops->quantise(v->x + at, n, v->b + at / 32)) report(w, op, l, t);
}

/* The vectors of `count` columns from `first`. */
static void vectors(const activations *v, int32_t first, int32_t count, symbolon_vector *out) {
  for (int32_t i = 0; i < count; i++) {
    const size_t at = (size_t)(first + i) * (size_t)v->k;
    out[i] = (symbolon_vector){v->x + at, v->b + at / 32};
  }
}

/* What a stage does with piece `p`; `thread` picks scratch memory. */
typedef void piece(symbolon_workspace *w, int32_t thread, int32_t l, int32_t p);

/* Does what can be claimed of a stage, then waits for the rest. */
static void run(symbolon_workspace *w, int32_t stage, piece *work, int32_t pieces, int32_t thread, int32_t l) {
  symbolon_stage *s = &w->stage[stage];
  for (int32_t p; (p = symbolon_stage_claim(s)) < pieces;) {
    work(w, thread, l, p);
    symbolon_stage_finish(s);
  }
  symbolon_stage_await(s, pieces);
}

/* residual[t] = the row of the token. */
static void embed(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread, (void)l;
  const symbolon_model *m = w->model;
  const uint8_t *row = m->embedding + (size_t)w->columns[t].token * symbolon_row_bytes(m->embedding_type, m->width);
  symbolon_dequantise_row(m->embedding_type, m->width, row, w->residual + (size_t)t * (size_t)m->width);
}

/* normed[row] = norm(residual[t]), as f32 and A32. */
static void normalise(
  symbolon_workspace *w, int32_t t, int32_t row, const float *weight, int32_t op, int32_t l) {
  const size_t e = (size_t)w->model->width;
  w->ops->norm(w->residual + (size_t)t * e, weight, (int32_t)e, w->model->epsilon, w->normed.x + (size_t)row * e);
  quantise(w, &w->normed, row, 0, (int32_t)e, op, l, t);
}

static void attention_norm(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread;
  normalise(w, t, t, w->model->layer[l].attention_norm, SYMBOLON_OP_ATTENTION_INPUT, l);
}

static void feed_norm(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread;
  normalise(w, t, t, w->model->layer[l].feed_norm, SYMBOLON_OP_FEED_INPUT, l);
}

/* Row i of normed = norm(residual of the i-th column that wants logits); after those, the hidden rows. */
static void last_norm(symbolon_workspace *w, int32_t thread, int32_t l, int32_t i) {
  (void)thread;
  const symbolon_model *m = w->model;
  if (i < w->logit_count) {
    normalise(w, w->logit_column[i], i, m->output_norm, SYMBOLON_OP_OUTPUT, l);
    return;
  }
  const int32_t row = i - w->logit_count, t = w->hidden_column[row];
  const size_t e = (size_t)m->width;
  float *y = w->hidden + (size_t)row * e;
  w->ops->norm(w->residual + (size_t)t * e, m->output_norm, m->width, m->epsilon, y);
  for (size_t k = 0; k < e; k++)
    if (symbolon_magnitude(y[k]) > 0x7f7fffffu) report(w, SYMBOLON_OP_OUTPUT, l, t);
}

/* Rotates pairs (2i, 2i+1) of sixteen neighbouring dimensions of one head: y0 = x0*c - x1*s, y1 = x0*s + x1*c. */
static void rotate(const symbolon_model *m, int32_t position, int32_t dimension, float *x) {
  const size_t at = (size_t)position * (size_t)(m->head_size / 2) + (size_t)(dimension / 2);
  for (int32_t i = 0; i < SYMBOLON_ROWS / 2; i++) {
    const float c = m->cosines[at + (size_t)i], s = m->sines[at + (size_t)i];
    const float x0 = x[2 * i], x1 = x[2 * i + 1];
    const float a = x0 * c, b = x1 * s, d = x0 * s, f = x1 * c;
    x[2 * i] = a - b;
    x[2 * i + 1] = d + f;
  }
}

/* Writes sixteen rows of a key or value projection into the cache of column t. */
static void remember(symbolon_workspace *w, int32_t l, int32_t t, int32_t row, int32_t is_key, float *x) {
  const symbolon_model *m = w->model;
  const symbolon_column *column = &w->columns[t];
  const symbolon_cache *cache = column->cache;
  const int32_t head = row / m->head_size, d = row % m->head_size;
  const size_t position = (size_t)column->position % SYMBOLON_PAGE, size = (size_t)m->head_size;
  uint16_t *keys = cache->page[column->position / SYMBOLON_PAGE]
                   + ((size_t)l * (size_t)m->kv_heads + (size_t)head) * symbolon_strip_size(m);
  uint16_t half[SYMBOLON_ROWS];
  if (is_key) rotate(m, column->position, d, x);
  if (!w->ops->halve(x, SYMBOLON_ROWS, half)) report(w, SYMBOLON_OP_CACHE, l, t);
  if (!is_key) {
    memcpy(keys + symbolon_strip_keys(m) + position * symbolon_value_stride(m) + (size_t)d, half, sizeof half);
    return;
  }
  uint16_t *tile = keys + (position / 16) * size * 16 + position % 16;
  for (int32_t i = 0; i < SYMBOLON_ROWS; i++) tile[(size_t)(d + i) * 16] = half[i];
}

/* query, key, value = W.normed for 32 rows; queries and keys rotated, keys and values into the cache. */
static void project(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  if (c < w->leaves.count) return symbolon_leaves_residual(&w->leaves, w->model, w->residual, l, c);
  c -= w->leaves.count;
  const symbolon_model *m = w->model;
  const symbolon_layer *layer = &m->layer[l];
  const int32_t q_rows = m->heads * m->head_size, k_rows = m->kv_heads * m->head_size;
  for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
    const int32_t n = w->count - t < SYMBOLON_TILE ? w->count - t : SYMBOLON_TILE;
    symbolon_vector v[SYMBOLON_TILE];
    vectors(&w->normed, t, n, v);
    for (int32_t row = c * ROWS; row < (c + 1) * ROWS; row += SYMBOLON_ROWS) {
      const int32_t is_key = row >= q_rows && row < q_rows + k_rows;
      const symbolon_matrix *matrix = row < q_rows ? &layer->query : is_key ? &layer->key : &layer->value;
      const int32_t first = row < q_rows ? 0 : is_key ? q_rows : q_rows + k_rows;
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      w->ops->multiply(matrix, (row - first) / SYMBOLON_ROWS, v, n, out);
      for (int32_t i = 0; i < n; i++) {
        if (row >= q_rows) {
          remember(w, l, t + i, row - first, is_key, out[i]);
          continue;
        }
        rotate(m, w->columns[t + i].position, row % m->head_size, out[i]);
        memcpy(w->query + (size_t)(t + i) * (size_t)q_rows + row, out[i], sizeof out[i]);
      }
    }
  }
}

/* Attention of at most twelve (column, head) pairs that share a kv head and a sequence. */
static void attend(
  symbolon_workspace *w, int32_t thread, int32_t l, int32_t group, const int32_t *column, const int32_t *head,
  int32_t count) {
  const symbolon_model *m = w->model;
  const symbolon_cache *cache = w->columns[column[0]].cache;
  const int32_t d = m->head_size, width = m->heads * d;
  const size_t stride = (size_t)symbolon_padded_context(m);
  const size_t strip = ((size_t)l * (size_t)m->kv_heads + (size_t)group) * symbolon_strip_size(m);
  const symbolon_strip keys = {cache->page, strip}, values = {cache->page, strip + symbolon_strip_keys(m)};
  const float *q[SYMBOLON_QUERIES], *p[SYMBOLON_QUERIES];
  float *s[SYMBOLON_QUERIES], *out[SYMBOLON_QUERIES], scale[SYMBOLON_QUERIES];
  int32_t firsts[SYMBOLON_QUERIES], ends[SYMBOLON_QUERIES], end = 0;
  for (int32_t i = 0; i < count; i++) {
    const size_t at = (size_t)column[i] * (size_t)width + (size_t)(head[i] * d);
    q[i] = w->query + at;
    out[i] = w->attended.x + at;
    p[i] = s[i] = w->scores + ((size_t)thread * SYMBOLON_QUERIES + (size_t)i) * stride;
    firsts[i] = 0;
    ends[i] = w->columns[column[i]].position + 1;
    end = ends[i] > end ? ends[i] : end;
  }
  w->ops->scores(q, count, d, keys, 0, (end + 15) / 16, m->score_scale, s);
  for (int32_t i = 0; i < count; i++) scale[i] = w->ops->softmax(s[i], firsts[i], ends[i]);
  w->ops->values(p, firsts, ends, scale, count, d, values, out);
  for (int32_t i = 0; i < count; i++)
    quantise(w, &w->attended, column[i], head[i] * d, d, SYMBOLON_OP_ATTENTION, l, column[i]);
}

/* attended = softmax(query.keys).values for one kv head of a few neighbouring columns of one sequence. */
static void attention(symbolon_workspace *w, int32_t thread, int32_t l, int32_t p) {
  const symbolon_model *m = w->model;
  const int32_t ratio = m->heads / m->kv_heads, group = p % m->kv_heads, item = p / m->kv_heads;
  int32_t column[SYMBOLON_QUERIES], head[SYMBOLON_QUERIES], n = 0;
  for (int32_t t = w->item[item]; t < w->item[item + 1]; t++)
    for (int32_t h = 0; h < ratio; h++) {
      column[n] = t;
      head[n] = group * ratio + h;
      if (++n == SYMBOLON_QUERIES) {
        attend(w, thread, l, group, column, head, n);
        n = 0;
      }
    }
  if (n > 0) attend(w, thread, l, group, column, head, n);
}

/* residual += W.input for 32 rows. */
static void add(symbolon_workspace *w, const symbolon_matrix *matrix, const activations *input, int32_t c) {
  const int32_t e = w->model->width;
  for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
    const int32_t n = w->count - t < SYMBOLON_TILE ? w->count - t : SYMBOLON_TILE;
    symbolon_vector v[SYMBOLON_TILE];
    vectors(input, t, n, v);
    for (int32_t row = c * ROWS; row < (c + 1) * ROWS; row += SYMBOLON_ROWS) {
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      w->ops->multiply(matrix, row / SYMBOLON_ROWS, v, n, out);
      for (int32_t i = 0; i < n; i++) {
        float *x = w->residual + (size_t)(t + i) * (size_t)e + row;
        for (int32_t r = 0; r < SYMBOLON_ROWS; r++) x[r] = x[r] + out[i][r];
      }
    }
  }
}

static void output(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  add(w, &w->model->layer[l].output, &w->attended, c);
}

static void down(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  add(w, &w->model->layer[l].down, &w->fed, c);
}

/* fed = silu(gate.normed) * up.normed for 32 rows, as f32 and A32. */
static void feed(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  if (c < w->leaves.count) return symbolon_leaves_cache(&w->leaves, w->model, w->columns, thread, l, c);
  c -= w->leaves.count;
  const symbolon_layer *layer = &w->model->layer[l];
  float *up = w->up + (size_t)thread * (size_t)w->most_columns * ROWS;
  const size_t f = (size_t)w->fed.k;
  for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
    const int32_t n = w->count - t < SYMBOLON_TILE ? w->count - t : SYMBOLON_TILE;
    symbolon_vector v[SYMBOLON_TILE];
    vectors(&w->normed, t, n, v);
    for (int32_t row = 0; row < ROWS; row += SYMBOLON_ROWS) {
      const int32_t group = (c * ROWS + row) / SYMBOLON_ROWS;
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      w->ops->multiply(&layer->gate, group, v, n, out);
      for (int32_t i = 0; i < n; i++)
        memcpy(w->fed.x + (size_t)(t + i) * f + c * ROWS + row, out[i], sizeof out[i]);
      w->ops->multiply(&layer->up, group, v, n, out);
      for (int32_t i = 0; i < n; i++) memcpy(up + (t + i) * ROWS + row, out[i], sizeof out[i]);
    }
  }
  for (int32_t t = 0; t < w->count; t++) {
    w->ops->gate(SYMBOLON_SILU, w->fed.x + (size_t)t * f + c * ROWS, up + t * ROWS, ROWS);
    quantise(w, &w->fed, t, c * ROWS, ROWS, SYMBOLON_OP_FEED, l, t);
  }
}

/* logits = head.normed for 128 rows. */
static void head(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  if (c < w->leaves.count) return symbolon_leaves_residual(&w->leaves, w->model, w->residual, l, c);
  c -= w->leaves.count;
  const int32_t vocabulary = w->model->vocabulary;
  for (int32_t t = 0; t < w->logit_count; t += SYMBOLON_TILE) {
    const int32_t n = w->logit_count - t < SYMBOLON_TILE ? w->logit_count - t : SYMBOLON_TILE;
    symbolon_vector v[SYMBOLON_TILE];
    vectors(&w->normed, t, n, v);
    for (int32_t row = c * HEAD_ROWS; row < (c + 1) * HEAD_ROWS && row < vocabulary; row += SYMBOLON_ROWS) {
      const int32_t rows = vocabulary - row < SYMBOLON_ROWS ? vocabulary - row : SYMBOLON_ROWS;
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      w->ops->multiply(&w->model->head, row / SYMBOLON_ROWS, v, n, out);
      for (int32_t i = 0; i < n; i++)
        memcpy(w->logits + (size_t)(t + i) * (size_t)vocabulary + row, out[i], (size_t)rows * 4);
    }
  }
}

static void step(void *context, int32_t thread) {
  symbolon_workspace *w = context;
  const symbolon_model *m = w->model;
  const int32_t columns = w->count, rows = (m->heads + 2 * m->kv_heads) * m->head_size;
  /* Digests are the first pieces of stages that leave what they hash as it is. */
  const int32_t leaves = w->leaves.count;
  int32_t stage = 0;
  run(w, stage, embed, columns, thread, 0);
  for (int32_t l = 0; l < m->layers; l++) {
    run(w, ++stage, attention_norm, columns, thread, l);
    run(w, ++stage, project, leaves + rows / ROWS, thread, l);
    run(w, ++stage, attention, w->items * m->kv_heads, thread, l);
    run(w, ++stage, output, m->width / ROWS, thread, l);
    run(w, ++stage, feed_norm, columns, thread, l);
    run(w, ++stage, feed, leaves + m->feed_width / ROWS, thread, l);
    run(w, ++stage, down, m->width / ROWS, thread, l);
  }
  run(w, ++stage, last_norm, w->logit_count + w->hidden_count, thread, m->layers);
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

symbolon_fault symbolon_forward(
  symbolon_workspace *w, symbolon_pool *pool, const symbolon_column *columns, int32_t count) {
  w->columns = columns;
  w->count = count;
  w->logit_count = w->hidden_count = 0;
  for (int32_t t = 0; t < count; t++) {
    if (columns[t].wants_logits && w->logit_count < w->most_logit_rows) w->logit_column[w->logit_count++] = t;
    if (columns[t].wants_hidden) w->hidden_column[w->hidden_count++] = t;
  }
  memset(w->stage, 0, (size_t)w->stages * sizeof(symbolon_stage));
  atomic_store(&w->fault, ~0u);
  itemise(w);
  symbolon_leaves_begin(&w->leaves, columns, count);
  symbolon_pool_run(pool, step, w);
  const unsigned code = atomic_load(&w->fault);
  if (code == ~0u) return (symbolon_fault){0, 0, 0};
  const unsigned place = code / SYMBOLON_MAX_COLUMNS;
  return (symbolon_fault){(int32_t)(place % 8), (int32_t)(place / 8), (int32_t)(code % SYMBOLON_MAX_COLUMNS)};
}
