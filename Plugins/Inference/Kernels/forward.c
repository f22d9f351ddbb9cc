/* One step: embedding, layers, head. Every stage shares its work out by an atomic counter and ends at a barrier.
 *
 * T = columns, E = width, H = heads, G = kv heads, D = head size, F = feed-forward width, V = vocabulary. */
#include "include/forward.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "arithmetic_rules.h"
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

/* A counter on its own cache line. */
typedef struct counter {
  _Alignas(64) atomic_int next;
} counter;

struct symbolon_workspace {
  const symbolon_model *model;
  const symbolon_operations *ops;
  symbolon_pool *pool;
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
  counter *counters;      /* [stages] */
  atomic_uint fault;      /* smallest fault code, ~0 for none */
};

static size_t rounded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static void *buffer(size_t count, size_t size) { return aligned_alloc(64, rounded(count * size + 64)); }

static int32_t activations_create(activations *v, int32_t columns, int32_t k) {
  const size_t n = (size_t)columns * (size_t)k;
  v->k = k;
  v->x = buffer(n, 4);
  v->q = buffer(n, 1);
  v->e = buffer(n / 32, 4);
  v->a = buffer(n / 32, 4);
  return v->x && v->q && v->e && v->a;
}

static void activations_free(activations *v) {
  free(v->x);
  free(v->q);
  free(v->e);
  free(v->a);
}

static int32_t padded_context(const symbolon_model *m) { return (m->context + 15) & ~15; }

symbolon_workspace *symbolon_workspace_create(
  const symbolon_model *model, int32_t threads, int32_t columns, int32_t logit_rows, int32_t path) {
  symbolon_workspace *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  const size_t t = (size_t)columns, n = (size_t)threads;
  w->model = model;
  w->ops = symbolon_operations_for(path);
  w->threads = threads;
  w->most_columns = columns;
  w->most_logit_rows = logit_rows;
  w->stages = model->layers * 7 + 3;
  w->logit_column = buffer((size_t)logit_rows, 4);
  w->item = buffer(t + 1, 4);
  w->residual = buffer(t * (size_t)model->width, 4);
  w->query = buffer(t * (size_t)(model->heads * model->head_size), 4);
  w->logits = buffer((size_t)logit_rows * (size_t)model->vocabulary, 4);
  w->scores = buffer(n * SYMBOLON_QUERIES * (size_t)padded_context(model), 4);
  w->up = buffer(n * t * ROWS, 4);
  w->counters = buffer((size_t)w->stages, sizeof(counter));
  const int32_t parts = activations_create(&w->normed, columns, model->width)
                        & activations_create(&w->attended, columns, model->heads * model->head_size)
                        & activations_create(&w->fed, columns, model->feed_width);
  if (!parts || !w->logit_column || !w->item || !w->residual || !w->query || !w->logits || !w->scores || !w->up
      || !w->counters) {
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
  free(w->logit_column);
  free(w->item);
  free(w->residual);
  free(w->query);
  free(w->logits);
  free(w->scores);
  free(w->up);
  free(w->counters);
  free(w);
}

uint64_t symbolon_cache_bytes(const symbolon_model *m, int32_t capacity) {
  return (uint64_t)m->layers * (uint64_t)m->kv_heads * (uint64_t)capacity * (uint64_t)m->head_size * 2;
}

const float *symbolon_logits(const symbolon_workspace *w) { return w->logits; }

/* Keeps the smallest code, so that the fault reported does not depend on which thread was first. */
static void report(symbolon_workspace *w, int32_t operation, int32_t layer, int32_t column) {
  const unsigned code = ((unsigned)layer * 8u + (unsigned)operation) * SYMBOLON_MAX_COLUMNS + (unsigned)column;
  unsigned seen = atomic_load(&w->fault);
  while (code < seen && !atomic_compare_exchange_weak(&w->fault, &seen, code)) {}
}

static void quantise(symbolon_workspace *w, activations *v, int32_t t, int32_t from, int32_t n, int32_t op, int32_t l) {
  const size_t at = (size_t)t * (size_t)v->k + (size_t)from;
  if (!w->ops->quantise(v->x + at, n, v->q + at, v->e + at / 32, v->a + at / 32)) report(w, op, l, t);
}

/* The vectors of `count` columns from `first`. */
static void vectors(const activations *v, int32_t first, int32_t count, symbolon_vector *out) {
  for (int32_t i = 0; i < count; i++) {
    const size_t at = (size_t)(first + i) * (size_t)v->k;
    out[i] = (symbolon_vector){v->x + at, v->q + at, v->e + at / 32, v->a + at / 32};
  }
}

/* Group `g` of a matrix times at most four vectors. */
static void multiply(
  const symbolon_operations *ops, const symbolon_matrix *m, int32_t g, const symbolon_vector *v, int32_t count,
  float (*out)[8]) {
  const uint8_t *group = m->groups + (size_t)g * symbolon_group_bytes(m->type, m->columns);
  const int32_t blocks = m->columns / 32;
  switch (m->type) {
    case SYMBOLON_Q4_1: ops->q4_1(group, blocks, v, count, out); break;
    case SYMBOLON_Q8_0: ops->q8_0(group, blocks, v, count, out); break;
    case SYMBOLON_Q4_0: ops->q4_0(group, blocks, v, count, out); break;
    case SYMBOLON_F16: ops->f16(group, blocks, v, count, out); break;
    default: ops->f32(group, blocks, v, count, out); break;
  }
}

static int32_t claim(symbolon_workspace *w, int32_t stage) {
  return atomic_fetch_add_explicit(&w->counters[stage].next, 1, memory_order_relaxed);
}

/* normed = norm(residual), as f32 and A32. */
static void norm_stage(symbolon_workspace *w, int32_t stage, const float *weight, int32_t op, int32_t l) {
  const int32_t e = w->model->width;
  for (int32_t t; (t = claim(w, stage)) < w->count;) {
    w->ops->norm(w->residual + (size_t)t * (size_t)e, weight, e, w->model->epsilon, w->normed.x + (size_t)t * (size_t)e);
    quantise(w, &w->normed, t, 0, e, op, l);
  }
}

/* Rotates pairs (2i, 2i+1) of eight neighbouring dimensions of one head: y0 = x0*c - x1*s, y1 = x0*s + x1*c. */
static void rotate(const symbolon_model *m, int32_t position, int32_t dimension, float *x) {
  const size_t at = (size_t)position * (size_t)(m->head_size / 2) + (size_t)(dimension / 2);
  for (int32_t i = 0; i < 4; i++) {
    const float c = m->cosines[at + (size_t)i], s = m->sines[at + (size_t)i];
    const float x0 = x[2 * i], x1 = x[2 * i + 1];
    const float a = x0 * c, b = x1 * s, d = x0 * s, f = x1 * c;
    x[2 * i] = a - b;
    x[2 * i + 1] = d + f;
  }
}

/* Writes eight rows of a key or value projection into the cache of column t. */
static void remember(symbolon_workspace *w, int32_t l, int32_t t, int32_t row, int32_t is_key, float *x) {
  const symbolon_model *m = w->model;
  const symbolon_column *column = &w->columns[t];
  const symbolon_cache *cache = column->cache;
  const int32_t head = row / m->head_size, d = row % m->head_size;
  const size_t base = ((size_t)l * (size_t)m->kv_heads + (size_t)head) * (size_t)cache->capacity * (size_t)m->head_size;
  const size_t position = (size_t)column->position, size = (size_t)m->head_size;
  uint16_t half[8];
  if (is_key) rotate(m, column->position, d, x);
  if (!w->ops->halve(x, 8, half)) report(w, SYMBOLON_OP_CACHE, l, t);
  if (!is_key) {
    memcpy(cache->values + base + position * size + (size_t)d, half, sizeof half);
    return;
  }
  uint16_t *tile = cache->keys + base + (position / 16) * size * 16 + position % 16;
  for (int32_t i = 0; i < 8; i++) tile[(size_t)(d + i) * 16] = half[i];
}

/* query, key, value = W.normed; queries and keys rotated, keys and values into the cache. */
static void project_stage(symbolon_workspace *w, int32_t stage, int32_t l) {
  const symbolon_model *m = w->model;
  const symbolon_layer *layer = &m->layer[l];
  const int32_t q_rows = m->heads * m->head_size, k_rows = m->kv_heads * m->head_size;
  const int32_t chunks = (q_rows + 2 * k_rows) / ROWS;
  for (int32_t c; (c = claim(w, stage)) < chunks;)
    for (int32_t g = c * ROWS / 8; g < (c + 1) * ROWS / 8; g++) {
      const int32_t row = g * 8, is_key = row >= q_rows && row < q_rows + k_rows;
      const symbolon_matrix *matrix = row < q_rows ? &layer->query : is_key ? &layer->key : &layer->value;
      const int32_t first = row < q_rows ? 0 : is_key ? q_rows : q_rows + k_rows;
      for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
        const int32_t n = w->count - t < SYMBOLON_TILE ? w->count - t : SYMBOLON_TILE;
        symbolon_vector v[SYMBOLON_TILE];
        float out[SYMBOLON_TILE][8];
        vectors(&w->normed, t, n, v);
        multiply(w->ops, matrix, (row - first) / 8, v, n, out);
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

/* Attention of at most six (column, head) pairs that share a kv head and a sequence. */
static void attend(
  symbolon_workspace *w, int32_t thread, int32_t l, int32_t group, const int32_t *column, const int32_t *head,
  int32_t count) {
  const symbolon_model *m = w->model;
  const symbolon_cache *cache = w->columns[column[0]].cache;
  const int32_t d = m->head_size, width = m->heads * d;
  const size_t stride = (size_t)padded_context(m);
  const size_t base = ((size_t)l * (size_t)m->kv_heads + (size_t)group) * (size_t)cache->capacity * (size_t)d;
  const float *q[SYMBOLON_QUERIES], *p[SYMBOLON_QUERIES];
  float *s[SYMBOLON_QUERIES], *out[SYMBOLON_QUERIES], scale[SYMBOLON_QUERIES];
  int32_t lengths[SYMBOLON_QUERIES], longest = 0;
  for (int32_t i = 0; i < count; i++) {
    const size_t at = (size_t)column[i] * (size_t)width + (size_t)(head[i] * d);
    q[i] = w->query + at;
    out[i] = w->attended.x + at;
    p[i] = s[i] = w->scores + ((size_t)thread * SYMBOLON_QUERIES + (size_t)i) * stride;
    lengths[i] = w->columns[column[i]].position + 1;
    longest = lengths[i] > longest ? lengths[i] : longest;
  }
  w->ops->scores(q, count, d, cache->keys + base, (longest + 15) / 16, m->score_scale, s);
  for (int32_t i = 0; i < count; i++) scale[i] = w->ops->softmax(s[i], lengths[i]);
  w->ops->values(p, lengths, scale, count, d, cache->values + base, out);
  for (int32_t i = 0; i < count; i++)
    quantise(w, &w->attended, column[i], head[i] * d, d, SYMBOLON_OP_ATTENTION, l);
}

/* attended = softmax(query.keys).values; an item is one kv head of a few neighbouring columns of one sequence. */
static void attention_stage(symbolon_workspace *w, int32_t stage, int32_t thread, int32_t l) {
  const symbolon_model *m = w->model;
  const int32_t ratio = m->heads / m->kv_heads;
  for (int32_t c; (c = claim(w, stage)) < w->items * m->kv_heads;) {
    const int32_t group = c % m->kv_heads, item = c / m->kv_heads;
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
}

/* residual += W.input, for the rows of the chunks claimed. */
static void add_stage(symbolon_workspace *w, int32_t stage, const symbolon_matrix *matrix, const activations *input) {
  const int32_t e = w->model->width;
  for (int32_t c; (c = claim(w, stage)) < e / ROWS;)
    for (int32_t g = c * ROWS / 8; g < (c + 1) * ROWS / 8; g++)
      for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
        const int32_t n = w->count - t < SYMBOLON_TILE ? w->count - t : SYMBOLON_TILE;
        symbolon_vector v[SYMBOLON_TILE];
        float out[SYMBOLON_TILE][8];
        vectors(input, t, n, v);
        multiply(w->ops, matrix, g, v, n, out);
        for (int32_t i = 0; i < n; i++) {
          float *x = w->residual + (size_t)(t + i) * (size_t)e + g * 8;
          for (int32_t r = 0; r < 8; r++) x[r] = x[r] + out[i][r];
        }
      }
}

/* fed = silu(gate.normed) * up.normed, as f32 and A32. */
static void feed_stage(symbolon_workspace *w, int32_t stage, int32_t thread, int32_t l) {
  const symbolon_layer *layer = &w->model->layer[l];
  float *up = w->up + (size_t)thread * (size_t)w->most_columns * ROWS;
  const size_t f = (size_t)w->fed.k;
  for (int32_t c; (c = claim(w, stage)) < w->fed.k / ROWS;) {
    for (int32_t g = 0; g < ROWS / 8; g++)
      for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
        const int32_t n = w->count - t < SYMBOLON_TILE ? w->count - t : SYMBOLON_TILE;
        symbolon_vector v[SYMBOLON_TILE];
        float out[SYMBOLON_TILE][8];
        vectors(&w->normed, t, n, v);
        multiply(w->ops, &layer->gate, c * ROWS / 8 + g, v, n, out);
        for (int32_t i = 0; i < n; i++) memcpy(w->fed.x + (size_t)(t + i) * f + c * ROWS + g * 8, out[i], 32);
        multiply(w->ops, &layer->up, c * ROWS / 8 + g, v, n, out);
        for (int32_t i = 0; i < n; i++) memcpy(up + (t + i) * ROWS + g * 8, out[i], 32);
      }
    for (int32_t t = 0; t < w->count; t++) {
      w->ops->gate(w->fed.x + (size_t)t * f + c * ROWS, up + t * ROWS, ROWS);
      quantise(w, &w->fed, t, c * ROWS, ROWS, SYMBOLON_OP_FEED, l);
    }
  }
}

/* normed rows 0..<logit_count = norm(residual of the columns that want logits). */
static void last_norm_stage(symbolon_workspace *w, int32_t stage) {
  const size_t e = (size_t)w->model->width;
  for (int32_t i; (i = claim(w, stage)) < w->logit_count;) {
    const float *x = w->residual + (size_t)w->logit_column[i] * e;
    w->ops->norm(x, w->model->output_norm, (int32_t)e, w->model->epsilon, w->normed.x + (size_t)i * e);
    quantise(w, &w->normed, i, 0, (int32_t)e, SYMBOLON_OP_OUTPUT, w->model->layers);
  }
}

/* logits = head.normed. */
static void head_stage(symbolon_workspace *w, int32_t stage) {
  const int32_t vocabulary = w->model->vocabulary, chunks = (vocabulary + HEAD_ROWS - 1) / HEAD_ROWS;
  for (int32_t c; (c = claim(w, stage)) < chunks;)
    for (int32_t row = c * HEAD_ROWS; row < (c + 1) * HEAD_ROWS && row < vocabulary; row += 8) {
      const int32_t rows = vocabulary - row < 8 ? vocabulary - row : 8;
      for (int32_t t = 0; t < w->logit_count; t += SYMBOLON_TILE) {
        const int32_t n = w->logit_count - t < SYMBOLON_TILE ? w->logit_count - t : SYMBOLON_TILE;
        symbolon_vector v[SYMBOLON_TILE];
        float out[SYMBOLON_TILE][8];
        vectors(&w->normed, t, n, v);
        multiply(w->ops, &w->model->head, row / 8, v, n, out);
        for (int32_t i = 0; i < n; i++)
          memcpy(w->logits + (size_t)(t + i) * (size_t)vocabulary + row, out[i], (size_t)rows * 4);
      }
    }
}

static void step(void *context, int32_t thread) {
  symbolon_workspace *w = context;
  const symbolon_model *m = w->model;
  const size_t row_bytes = symbolon_row_bytes(m->embedding_type, m->width);
  int32_t stage = 0;
  for (int32_t t; (t = claim(w, stage)) < w->count;)
    symbolon_dequantise_row(
      m->embedding_type, m->width, m->embedding + (size_t)w->columns[t].token * row_bytes,
      w->residual + (size_t)t * (size_t)m->width);
  symbolon_pool_barrier(w->pool);
  for (int32_t l = 0; l < m->layers; l++) {
    const symbolon_layer *layer = &m->layer[l];
    norm_stage(w, ++stage, layer->attention_norm, SYMBOLON_OP_ATTENTION_INPUT, l);
    symbolon_pool_barrier(w->pool);
    project_stage(w, ++stage, l);
    symbolon_pool_barrier(w->pool);
    attention_stage(w, ++stage, thread, l);
    symbolon_pool_barrier(w->pool);
    add_stage(w, ++stage, &layer->output, &w->attended);
    symbolon_pool_barrier(w->pool);
    norm_stage(w, ++stage, layer->feed_norm, SYMBOLON_OP_FEED_INPUT, l);
    symbolon_pool_barrier(w->pool);
    feed_stage(w, ++stage, thread, l);
    symbolon_pool_barrier(w->pool);
    add_stage(w, ++stage, &layer->down, &w->fed);
    symbolon_pool_barrier(w->pool);
  }
  last_norm_stage(w, ++stage);
  symbolon_pool_barrier(w->pool);
  head_stage(w, ++stage);
}

/* Splits the columns into attention items: neighbours of one sequence, about six queries together. */
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
  w->pool = pool;
  w->columns = columns;
  w->count = count;
  w->logit_count = 0;
  for (int32_t t = 0; t < count; t++)
    if (columns[t].wants_logits && w->logit_count < w->most_logit_rows) w->logit_column[w->logit_count++] = t;
  for (int32_t i = 0; i < w->stages; i++) atomic_store_explicit(&w->counters[i].next, 0, memory_order_relaxed);
  atomic_store(&w->fault, ~0u);
  itemise(w);
  symbolon_pool_run(pool, step, w);
  const unsigned code = atomic_load(&w->fault);
  if (code == ~0u) return (symbolon_fault){0, 0, 0};
  const unsigned place = code / SYMBOLON_MAX_COLUMNS;
  return (symbolon_fault){(int32_t)(place % 8), (int32_t)(place / 8), (int32_t)(code % SYMBOLON_MAX_COLUMNS)};
}
