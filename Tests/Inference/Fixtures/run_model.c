/* Runs a small llama model with every path of the machine that runs it, and prints the digests of every position.
 *
 *   run_model FILE
 *
 * FILE, little-endian: i32 width, layers, heads, kv_heads, head_size, feed_width, vocabulary, type, tokens; f32
 * epsilon; f64 base; i32 token[tokens]; then GGUF tensors without space between: token_embd, output_norm, output, and
 * of each layer attn_norm, attn_q, attn_k, attn_v, attn_output, ffn_norm, ffn_gate, ffn_up, ffn_down. All matrices are
 * of the one type. It is read by CrossTests.swift's own writer only, and so not checked. */
#include "InferenceKernels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BLAKE2b of RFC 7693, 32 bytes of output and no key. */
static const uint64_t iv[8] = {
  0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
  0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};
static const uint8_t sigma[10][16] = {
  {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
  {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
  {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
  {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
  {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint64_t turn(uint64_t x, int32_t n) { return x >> n | x << (64 - n); }

static void mix(uint64_t *v, int32_t a, int32_t b, int32_t c, int32_t d, uint64_t x, uint64_t y) {
  v[a] += v[b] + x;
  v[d] = turn(v[d] ^ v[a], 32);
  v[c] += v[d];
  v[b] = turn(v[b] ^ v[c], 24);
  v[a] += v[b] + y;
  v[d] = turn(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = turn(v[b] ^ v[c], 63);
}

static void blake2b(const void *bytes, uint64_t size, uint8_t digest[32]) {
  uint64_t h[8], done = 0;
  memcpy(h, iv, sizeof h);
  h[0] ^= 0x01010020u;
  do {
    const uint64_t count = size - done < 128 ? size - done : 128;
    uint64_t m[16] = {0}, v[16];
    if (count) memcpy(m, (const uint8_t *)bytes + done, count);
    done += count;
    memcpy(v, h, sizeof h);
    memcpy(v + 8, iv, sizeof iv);
    v[12] ^= done;
    if (done == size) v[14] = ~v[14];
    for (int32_t r = 0; r < 12; r++) {
      const uint8_t *s = sigma[r % 10];
      for (int32_t i = 0; i < 4; i++) mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
      for (int32_t i = 0; i < 4; i++)
        mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
    }
    for (int32_t i = 0; i < 8; i++) h[i] ^= v[i] ^ v[8 + i];
  } while (done < size);
  memcpy(digest, h, 32);
}

typedef struct header {
  int32_t width, layers, heads, kv_heads, head_size, feed_width, vocabulary, type, tokens;
  float epsilon;
  double base;
} header;
_Static_assert(sizeof(header) == 48, "the file begins with it");

static const uint8_t *take(const uint8_t **at, size_t size) {
  const uint8_t *taken = *at;
  *at += size;
  return taken;
}

/* Copied, because a tensor may begin anywhere in the file. */
static const float *take_vector(const uint8_t **at, int32_t count) {
  float *values = aligned_alloc(64, ((size_t)count * sizeof *values + 63) / 64 * 64);
  memcpy(values, take(at, (size_t)count * sizeof *values), (size_t)count * sizeof *values);
  return values;
}

static symbolon_matrix take_matrix(const uint8_t **at, int32_t type, int32_t rows, int32_t columns) {
  uint8_t *groups = aligned_alloc(64, (symbolon_packed_bytes(type, rows, columns) + 63) / 64 * 64);
  const uint8_t *tensor = take(at, (size_t)rows * symbolon_row_bytes(type, columns));
  symbolon_pack(type, rows, columns, tensor, groups, 0, symbolon_groups(rows));
  return (symbolon_matrix){.type = type, .rows = rows, .columns = columns, .groups = groups};
}

static symbolon_layer take_layer(const uint8_t **at, const header *h) {
  const int32_t q = h->heads * h->head_size, k = h->kv_heads * h->head_size;
  symbolon_layer layer;
  memset(&layer, 0, sizeof layer);
  layer.attention_norm = take_vector(at, h->width);
  layer.query = take_matrix(at, h->type, q, h->width);
  layer.key = take_matrix(at, h->type, k, h->width);
  layer.value = take_matrix(at, h->type, k, h->width);
  layer.output = take_matrix(at, h->type, h->width, q);
  layer.feed_norm = take_vector(at, h->width);
  layer.gate = take_matrix(at, h->type, h->feed_width, h->width);
  layer.up = take_matrix(at, h->type, h->feed_width, h->width);
  layer.down = take_matrix(at, h->type, h->width, h->feed_width);
  return layer;
}

static void print(const char *what, int32_t position, const uint8_t *digests, size_t count) {
  printf("%s %" PRId32 " ", what, position);
  for (size_t i = 0; i < count * 32; i++) printf("%02x", digests[i]);
  printf("\n");
}

static int run(const symbolon_model *m, const int32_t *tokens, int32_t count, int32_t threads, int32_t path) {
  symbolon_workspace *workspace = symbolon_workspace_create(m, threads, 64, 64, path);
  symbolon_pool *pool = symbolon_pool_create(threads);
  if (!workspace || !pool) return 1;
  symbolon_workspace_hash(workspace, blake2b);
  const int32_t pages = (count + SYMBOLON_PAGE - 1) / SYMBOLON_PAGE;
  uint16_t **page = calloc((size_t)pages, sizeof *page);
  for (int32_t i = 0; i < pages; i++) {
    page[i] = aligned_alloc(64, (symbolon_page_bytes(m) + 63) / 64 * 64);
    memset(page[i], 0, symbolon_page_bytes(m));
  }
  const symbolon_cache cache = {.pages = pages, .page = page};
  /* Steps of 1, 2, 3, ... columns. */
  for (int32_t start = 0, size = 1; start < count; start += size, size = size % 64 + 1) {
    if (size > count - start) size = count - start;
    symbolon_column column[64];
    memset(column, 0, sizeof column);
    for (int32_t i = 0; i < size; i++) {
      column[i].token = tokens[start + i];
      column[i].position = start + i;
      column[i].cache = &cache;
      column[i].wants_logits = column[i].wants_leaf = 1;
    }
    if (symbolon_forward(workspace, pool, column, size).operation) return 1;
    const size_t places = 2 * (size_t)m->layers + 1;
    for (int32_t i = 0; i < size; i++) {
      uint8_t row[32];
      const float *logits = symbolon_logits(workspace) + (size_t)i * (size_t)m->vocabulary;
      blake2b(logits, (size_t)m->vocabulary * sizeof *logits, row);
      print("leaf", start + i, symbolon_digests(workspace) + (size_t)i * places * 32, places);
      print("logits", start + i, row, 1);
    }
  }
  symbolon_pool_destroy(pool);
  symbolon_workspace_destroy(workspace);
  return 0;
}

int main(int words, char **word) {
  FILE *file = words == 2 ? fopen(word[1], "rb") : NULL;
  if (!file || fseek(file, 0, SEEK_END)) return 2;
  const size_t size = (size_t)ftell(file);
  uint8_t *bytes = malloc(size);
  rewind(file);
  if (!bytes || fread(bytes, 1, size, file) != size) return 2;
  fclose(file);

  header h;
  const uint8_t *at = bytes;
  memcpy(&h, take(&at, sizeof h), sizeof h);
  int32_t *tokens = malloc((size_t)h.tokens * sizeof *tokens);
  memcpy(tokens, take(&at, (size_t)h.tokens * sizeof *tokens), (size_t)h.tokens * sizeof *tokens);
  const int32_t half = h.head_size / 2;
  float *frequencies = malloc((size_t)half * sizeof *frequencies);
  float *cosines = malloc((size_t)(half * h.tokens) * sizeof *cosines);
  float *sines = malloc((size_t)(half * h.tokens) * sizeof *sines);
  symbolon_rope_frequencies(h.base, h.head_size, frequencies);
  for (int32_t t = 0; t < h.tokens; t++) symbolon_rope_row(t, frequencies, half, cosines + t * half, sines + t * half);

  symbolon_layer *layer = calloc((size_t)h.layers, sizeof *layer);
  symbolon_model m;
  memset(&m, 0, sizeof m);
  m.width = h.width;
  m.layers = h.layers;
  m.heads = h.heads;
  m.kv_heads = h.kv_heads;
  m.head_size = h.head_size;
  m.feed_width = h.feed_width;
  m.vocabulary = h.vocabulary;
  m.context = h.tokens;
  m.epsilon = h.epsilon;
  m.score_scale = 1.0f / sqrtf((float)h.head_size);
  m.rotated = h.head_size;
  m.gate = SYMBOLON_SILU;
  m.embedding_scale = 1;
  m.embedding_type = h.type;
  m.embedding = take(&at, (size_t)h.vocabulary * symbolon_row_bytes(h.type, h.width));
  m.output_norm = take_vector(&at, h.width);
  m.head = take_matrix(&at, h.type, h.vocabulary, h.width);
  m.layer = layer;
  for (int32_t l = 0; l < h.layers; l++) {
    layer[l] = take_layer(&at, &h);
    layer[l].cosines = cosines;
    layer[l].sines = sines;
  }
  if (at != bytes + size) return 2;
  for (int32_t path = 0; path < 4; path++) {
    if (!symbolon_path_available(path)) continue;
    for (int32_t threads = 1; threads <= 3; threads += 2) {
      printf("path %s %" PRId32 "\n", symbolon_path_name(path), threads);
      if (run(&m, tokens, h.tokens, threads, path)) return 1;
    }
  }
  return 0;
}
