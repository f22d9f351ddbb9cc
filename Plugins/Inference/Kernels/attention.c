/* The stages of attention: products, norms and rotation of heads, the cache, and the weighted values.
 *
 * T = columns, E = width, H = heads, G = kv heads, D = head size, R = rotated dimensions. */
#include "stages.h"

/* Writes dimensions d...d+n-1 of a kv head into the cache of column t, as binary16. */
static void remember(
  symbolon_workspace *w, int32_t l, int32_t t, int32_t head, int32_t d, int32_t n, int32_t is_key, const float *x) {
  const symbolon_model *m = w->model;
  const symbolon_column *column = &w->columns[t];
  const size_t position = (size_t)column->position % SYMBOLON_PAGE;
  uint16_t *keys = column->cache->page[column->position / SYMBOLON_PAGE]
                   + ((size_t)l * (size_t)m->kv_heads + (size_t)head) * symbolon_strip_size(m);
  uint16_t half[SYMBOLON_ROWS];
  if (!w->ops->halve(x, n, half)) report(w, is_key ? SYMBOLON_OP_KEY_ROTATED : SYMBOLON_OP_VALUE, l, t);
  if (!is_key) {
    memcpy(keys + symbolon_strip_keys(m) + position * symbolon_value_stride(m) + (size_t)d, half, (size_t)n * 2);
    return;
  }
  uint16_t *lanes = keys + (position / 16) * (size_t)m->head_size * 16 + position % 16;
  for (int32_t i = 0; i < n; i++) lanes[(size_t)(d + i) * 16] = half[i];
}

/* y0 = x0*c - x1*s, y1 = x0*s + x1*c. */
static inline void turn(float *x0, float *x1, float c, float s) {
  const float a = *x0 * c, b = *x1 * s, d = *x0 * s, f = *x1 * c;
  *x0 = a - b;
  *x1 = d + f;
}

/* Rotates the pairs (2i, 2i+1) among dimensions d...d+n-1 of a head, which are x[0]...x[n-1]. */
static void rotate_neighbours(
  const symbolon_model *m, const symbolon_layer *layer, int32_t position, int32_t d, int32_t n, float *x) {
  const size_t at = (size_t)position * (size_t)(m->rotated / 2) + (size_t)(d / 2);
  const int32_t pairs = (m->rotated - d < n ? m->rotated - d : n) / 2;
  for (int32_t i = 0; i < pairs; i++)
    turn(x + 2 * i, x + 2 * i + 1, layer->cosines[at + (size_t)i], layer->sines[at + (size_t)i]);
}

/* Rotates the pairs (i, i + R/2) of a head. */
static void rotate_halves(const symbolon_model *m, const symbolon_layer *layer, int32_t position, float *x) {
  const int32_t pairs = m->rotated / 2;
  const float *c = layer->cosines + (size_t)position * (size_t)pairs;
  const float *s = layer->sines + (size_t)position * (size_t)pairs;
  for (int32_t i = 0; i < pairs; i++) turn(x + i, x + pairs + i, c[i], s[i]);
}

int32_t symbolon_arranges(const symbolon_model *m, int32_t l) { return m->halves || m->layer[l].query_norm; }

/* In the order of the operators, which are numbered from it. */
enum part { QUERY, KEY, VALUE };

/* Takes rows row...row+n-1 of a projection of column t: on to where the next stage reads them. */
static void place(symbolon_workspace *w, int32_t l, int32_t t, int32_t part, int32_t row, int32_t n, float *x) {
  const symbolon_model *m = w->model;
  const symbolon_layer *layer = &m->layer[l];
  const int32_t arranges = symbolon_arranges(m, l), size = m->head_size;
  if (part != VALUE && arranges) {
    const size_t rows = (size_t)(part == QUERY ? m->heads : m->kv_heads) * (size_t)size;
    memcpy((part == QUERY ? w->query : w->key) + (size_t)t * rows + row, x, (size_t)n * 4);
    return;
  }
  /* Rows of a group may belong to two heads, or more. */
  for (int32_t i = 0, run; i < n; i += run) {
    const int32_t head = (row + i) / size, d = (row + i) % size;
    run = size - d < n - i ? size - d : n - i;
    if (part != VALUE) rotate_neighbours(m, layer, w->columns[t].position, d, run, x + i);
    if (part != QUERY) remember(w, l, t, head, d, run, part == KEY, x + i);
  }
  if (part != VALUE) observe(w, SYMBOLON_OP_QUERY_ROTATED + part, l, t, row, n, x);
  if (part == QUERY) memcpy(w->query + (size_t)t * (size_t)(m->heads * size) + row, x, (size_t)n * 4);
}

enum { GROUPS = ROWS / SYMBOLON_ROWS };

int32_t symbolon_project_pieces(const symbolon_workspace *w) {
  const symbolon_model *m = w->model;
  const int32_t queries = symbolon_groups(m->heads * m->head_size), keys = symbolon_groups(m->kv_heads * m->head_size);
  return (queries + 2 * keys + GROUPS - 1) / GROUPS;
}

void symbolon_project(symbolon_workspace *w, int32_t thread, int32_t l, int32_t c) {
  (void)thread;
  if (c < w->leaves.count) return symbolon_leaves_residual(&w->leaves, w->model, w->residual, l, c);
  c -= w->leaves.count;
  const symbolon_layer *layer = &w->model->layer[l];
  const symbolon_matrix *matrices[] = {&layer->query, &layer->key, &layer->value};
  const float *biases[] = {layer->query_bias, layer->key_bias, layer->value_bias};
  for (int32_t t = 0; t < w->count; t += SYMBOLON_TILE) {
    symbolon_vector v[SYMBOLON_TILE];
    const int32_t n = tile(&w->normed, t, w->count, v);
    for (int32_t i = 0; i < GROUPS; i++) {
      int32_t part = QUERY, group = c * GROUPS + i;
      while (part <= VALUE && group >= symbolon_groups(matrices[part]->rows))
        group -= symbolon_groups(matrices[part++]->rows);
      if (part > VALUE) break;
      float out[SYMBOLON_TILE][SYMBOLON_ROWS];
      multiply(w, matrices[part], biases[part], group, v, n, out);
      const int32_t rows = rows_of(matrices[part], group);
      observe_tile(w, SYMBOLON_OP_QUERY + part, l, t, n, group * SYMBOLON_ROWS, rows, out);
      for (int32_t k = 0; k < n; k++) place(w, l, t + k, part, group * SYMBOLON_ROWS, rows, out[k]);
    }
  }
}

/* Norms one head of column t, if the layer does, and rotates it. */
static void arrange_head(symbolon_workspace *w, int32_t l, int32_t t, int32_t part, int32_t head, float *x) {
  const symbolon_model *m = w->model;
  const symbolon_layer *layer = &m->layer[l];
  /* The fast paths take whole vectors of sixteen. */
  const symbolon_operations *ops =
    m->head_size % 16 == 0 ? w->ops : symbolon_operations_for(SYMBOLON_PATH_SCALAR);
  const float *norm = part == QUERY ? layer->query_norm : layer->key_norm;
  const int32_t position = w->columns[t].position, size = m->head_size;
  if (norm) {
    ops->norm(x, norm, size, m->epsilon, x);
    observe(w, SYMBOLON_OP_QUERY_NORM + part, l, t, head * size, size, x);
  }
  if (m->halves) rotate_halves(m, layer, position, x);
  else rotate_neighbours(m, layer, position, 0, size, x);
  observe(w, SYMBOLON_OP_QUERY_ROTATED + part, l, t, head * size, size, x);
}

void symbolon_arrange(symbolon_workspace *w, int32_t thread, int32_t l, int32_t p) {
  (void)thread;
  const symbolon_model *m = w->model;
  const int32_t t = p / m->kv_heads, group = p % m->kv_heads, ratio = m->heads / m->kv_heads, size = m->head_size;
  float *key = w->key + (size_t)p * (size_t)size;
  arrange_head(w, l, t, KEY, group, key);
  for (int32_t d = 0; d < size; d += SYMBOLON_ROWS)
    remember(w, l, t, group, d, size - d < SYMBOLON_ROWS ? size - d : SYMBOLON_ROWS, 1, key + d);
  float *query = w->query + (size_t)(t * m->heads + group * ratio) * (size_t)size;
  for (int32_t h = 0; h < ratio; h++)
    arrange_head(w, l, t, QUERY, group * ratio + h, query + (size_t)h * (size_t)size);
}

/* Attention of at most twelve (column, head) pairs that share a kv head and a sequence. */
static void attend(
  symbolon_workspace *w, int32_t thread, int32_t l, int32_t group, const int32_t *column, const int32_t *head,
  int32_t count) {
  const symbolon_model *m = w->model;
  const symbolon_cache *cache = w->columns[column[0]].cache;
  const int32_t d = m->head_size, width = m->heads * d, window = m->layer[l].window;
  const int32_t padded = (int32_t)symbolon_value_stride(m);
  const size_t stride = (size_t)symbolon_padded_context(m);
  const size_t strip = ((size_t)l * (size_t)m->kv_heads + (size_t)group) * symbolon_strip_size(m);
  const symbolon_strip keys = {cache->page, strip}, values = {cache->page, strip + symbolon_strip_keys(m)};
  const float *q[SYMBOLON_QUERIES], *p[SYMBOLON_QUERIES];
  float *s[SYMBOLON_QUERIES], *out[SYMBOLON_QUERIES], *wide[SYMBOLON_QUERIES], scale[SYMBOLON_QUERIES];
  int32_t firsts[SYMBOLON_QUERIES], ends[SYMBOLON_QUERIES], first = INT32_MAX, end = 0;
  for (int32_t i = 0; i < count; i++) {
    const size_t at = (size_t)column[i] * (size_t)width + (size_t)(head[i] * d);
    const size_t scratch = (size_t)thread * SYMBOLON_QUERIES + (size_t)i;
    q[i] = w->query + at;
    out[i] = w->attended.x + at;
    wide[i] = padded == d ? out[i] : w->padded + scratch * (size_t)padded;
    p[i] = s[i] = w->scores + scratch * stride;
    ends[i] = w->columns[column[i]].position + 1;
    firsts[i] = window > 0 && ends[i] > window ? ends[i] - window : 0;
    first = firsts[i] < first ? firsts[i] : first;
    end = ends[i] > end ? ends[i] : end;
  }
  w->ops->scores(q, count, d, keys, first / 16, (end + 15) / 16, m->score_scale, s);
  for (int32_t i = 0; i < count; i++) scale[i] = w->ops->softmax(s[i], firsts[i], ends[i]);
  w->ops->values(p, firsts, ends, scale, count, padded, values, wide);
  for (int32_t i = 0; i < count; i++) {
    if (wide[i] != out[i]) memcpy(out[i], wide[i], (size_t)d * 4);
    observe(w, SYMBOLON_OP_ATTENTION, l, column[i], head[i] * d, d, out[i]);
    if (d % 32 == 0 && !quantise(w, &w->attended, column[i], head[i] * d, d))
      report(w, SYMBOLON_OP_ATTENTION, l, column[i]);
  }
}

void symbolon_attention(symbolon_workspace *w, int32_t thread, int32_t l, int32_t p) {
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

void symbolon_attended(symbolon_workspace *w, int32_t thread, int32_t l, int32_t t) {
  (void)thread;
  if (!quantise(w, &w->attended, t, 0, w->attended.k)) report(w, SYMBOLON_OP_ATTENTION, l, t);
}
