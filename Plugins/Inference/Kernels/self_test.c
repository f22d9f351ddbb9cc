/* Known answers of every operation. */
#include "include/self_test.h"

#include <string.h>

#include "arithmetic_rules.h"
#include "groups.h"
#include "operations_internal.h"

enum { MOST_COLUMNS = 512, HEAD = 80, POSITIONS = 2 * SYMBOLON_CHUNK };

/* Dice (splitmix64) and digest (FNV-1a over words). */
typedef struct trial {
  const symbolon_operations *ops;
  uint64_t dice, digest;
  int32_t round;
} trial;

static uint32_t roll(trial *t) {
  t->dice += 0x9e3779b97f4a7c15u;
  uint64_t z = t->dice;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ (z >> 31)) >> 32);
}

static int32_t below(trial *t, int32_t bound) { return (int32_t)(roll(t) % (uint32_t)bound); }

/* In [-1, 1), a multiple of 2^-23. */
static float unit(trial *t) { return (float)((int32_t)(roll(t) >> 8) - 0x800000) * 0x1p-23f; }

static void take(trial *t, uint32_t word) {
  for (int32_t i = 0; i < 4; i++) t->digest = (t->digest ^ ((word >> (8 * i)) & 255)) * 0x100000001b3u;
}

static void take_floats(trial *t, const float *x, int32_t n) {
  for (int32_t i = 0; i < n; i++) take(t, symbolon_to_bits(x[i]));
}

/* Values that have broken kernels: ties, extremes, signed zeros, tiny and huge magnitudes. */
static float awkward(trial *t) {
  switch (below(t, 12)) {
    case 0: return 0.0f;
    case 1: return -0.0f;
    case 2: return (float)(below(t, 255) - 127) + 0.5f;
    case 3: return 127.0f;
    case 4: return -127.0f;
    case 5: return 0x1p-149f;
    case 6: return unit(t) * 0x1p-100f;
    case 7: return unit(t) * 10000.0f;
    default: return unit(t) * 3.0f;
  }
}

/* n values; some rounds are all near the floor of A32, all equal, or all zero. */
static void fill(trial *t, float *x, int32_t n) {
  const int32_t kind = below(t, 9);
  for (int32_t i = 0; i < n; i++) {
    const float value = awkward(t);
    x[i] = kind == 0 ? value * 0x1p-100f : kind == 1 ? 0x1p-100f : kind == 2 && i < 32 ? 0.0f : value;
  }
}

static void check_quantise(trial *t) {
  float x[96];
  symbolon_block b[3];
  fill(t, x, 96);
  if (t->round == 1) x[below(t, 96)] = symbolon_from_bits(0x7fc00000u);
  if (t->round == 2) x[below(t, 96)] = -symbolon_from_bits(0x7f800000u);
  take(t, (uint32_t)t->ops->quantise(x, 96, b));
  for (int32_t i = 0; i < 3; i++) {
    for (int32_t k = 0; k < 32; k++) take(t, (uint32_t)b[i].q[k]);
    take_floats(t, &b[i].e, 4);
  }
}

/* A finite scale of at most 4: also subnormal ones, zeros and both signs. */
static void random_half(trial *t, uint8_t *p) {
  const uint16_t half = (uint16_t)((roll(t) & 0x83ffu) | (uint32_t)below(t, 17) << 10);
  memcpy(p, &half, 2);
}

/* A GGUF tensor of 16 rows: random codes, sometimes all at their extremes; scales and floats stay finite. */
static void random_rows(trial *t, int32_t type, int32_t columns, uint8_t *tensor) {
  const symbolon_layout layout = symbolon_layout_of(type);
  const size_t bytes = symbolon_row_bytes(type, columns) * SYMBOLON_ROWS;
  const int32_t kind = below(t, 5);
  for (size_t i = 0; i < bytes; i++) {
    const uint8_t byte = (uint8_t)roll(t);
    tensor[i] = kind == 0 ? 0xff : kind == 1 ? 0x80 : byte;
  }
  if (layout.values == 0) {
    for (size_t i = 0; i < (size_t)columns * SYMBOLON_ROWS; i++) {
      const float value = unit(t);
      const uint32_t bits = symbolon_to_bits(value);
      const uint16_t half = type == SYMBOLON_F16 ? symbolon_float_to_half(value) : (uint16_t)(bits >> 16);
      if (type == SYMBOLON_F32) memcpy(tensor + 4 * i, &bits, 4);
      else memcpy(tensor + 2 * i, &half, 2);
    }
    return;
  }
  for (size_t at = 0; at < bytes; at += (size_t)layout.bytes) {
    random_half(t, tensor + at + (type == SYMBOLON_Q6_K ? 208 : 0));
    if (symbolon_has_minimum(type)) random_half(t, tensor + at + 2);
  }
}

static void check_multiply(trial *t, int32_t type) {
  static const int32_t counts[] = {1, 8, 2, 3, 4, 5, 6, 7};
  _Alignas(64) uint8_t tensor[SYMBOLON_ROWS * 4 * MOST_COLUMNS / 2];
  _Alignas(64) uint8_t packed[SYMBOLON_ROWS * 4 * MOST_COLUMNS / 2 + 64];
  float x[SYMBOLON_TILE][MOST_COLUMNS], out[SYMBOLON_TILE][SYMBOLON_ROWS], row[MOST_COLUMNS];
  symbolon_block b[SYMBOLON_TILE][MOST_COLUMNS / 32];
  symbolon_vector v[SYMBOLON_TILE];
  const int32_t count = counts[t->round % 8], rows = t->round % 4 == 3 ? 13 : SYMBOLON_ROWS;
  const int32_t columns = symbolon_is_k(type) ? 256 * (1 + below(t, 2)) : 32 * (1 + below(t, 7));
  random_rows(t, type, columns, tensor);
  symbolon_pack(type, rows, columns, tensor, packed, 0, 1);
  const int32_t extreme = below(t, 3) == 0;
  for (int32_t c = 0; c < count; c++) {
    fill(t, x[c], columns);
    symbolon_operations_scalar.quantise(x[c], columns, b[c]);
    for (int32_t k = 0; extreme && k < columns / 32; k++) { /* codes at their extremes, and sums that fit them */
      int32_t sum[2] = {0, 0};
      for (int32_t i = 0; i < 32; i++) {
        b[c][k].q[i] = roll(t) & 1 ? 127 : -127;
        sum[i / 16] += b[c][k].q[i];
      }
      b[c][k].first = (float)sum[0], b[c][k].second = (float)sum[1], b[c][k].a = (float)(sum[0] + sum[1]);
    }
    v[c] = (symbolon_vector){x[c], b[c]};
  }
  const symbolon_matrix matrix = {type, rows, columns, packed};
  t->ops->multiply(&matrix, 0, v, count, out);
  for (int32_t c = 0; c < count; c++) take_floats(t, out[c], SYMBOLON_ROWS);
  symbolon_dequantise_row(type, columns, tensor, row);
  take_floats(t, row, columns);
}

static void check_norm(trial *t) {
  float x[208], w[208], y[208];
  const int32_t n = 16 * (1 + below(t, 13));
  fill(t, x, n);
  for (int32_t i = 0; i < n; i++) w[i] = unit(t) + 1.0f;
  t->ops->norm(x, w, n, 1e-5f, y);
  take_floats(t, y, n);
}

/* Two pages of halves. */
static void fill_pages(trial *t, uint16_t (*page)[SYMBOLON_CHUNK * HEAD], uint16_t **pages) {
  for (int32_t p = 0; p < 2; p++) {
    for (int32_t i = 0; i < SYMBOLON_CHUNK * HEAD; i += 2) { /* 2^-7 to 2, both signs */
      const uint32_t bits = roll(t);
      page[p][i] = (uint16_t)((bits & 0x9fffu) + 0x2000u);
      page[p][i + 1] = (uint16_t)((bits >> 16 & 0x9fffu) + 0x2000u);
    }
    pages[p] = page[p];
  }
}

static void check_scores(trial *t) {
  uint16_t page[2][SYMBOLON_CHUNK * HEAD], *pages[2];
  float q[SYMBOLON_QUERIES][HEAD], s[SYMBOLON_QUERIES][POSITIONS], *out[SYMBOLON_QUERIES];
  const float *queries[SYMBOLON_QUERIES];
  const int32_t d = 16 * (1 + below(t, HEAD / 16)), count = 1 + (t->round + 11) % SYMBOLON_QUERIES;
  fill_pages(t, page, pages);
  for (int32_t i = 0; i < count; i++) {
    fill(t, q[i], d);
    queries[i] = q[i];
    out[i] = s[i];
  }
  const int32_t first = 14 + below(t, 3), end = first + 1 + below(t, 4);
  t->ops->scores(queries, count, d, (symbolon_strip){pages, 0}, first, end, 0.125f, out);
  for (int32_t i = 0; i < count; i++) take_floats(t, s[i] + 16 * first, 16 * (end - first));
}

static void check_softmax(trial *t) {
  float s[128];
  for (int32_t i = 0; i < 128; i++) s[i] = unit(t) * 60.0f;
  const int32_t first = below(t, 40), end = first + 1 + below(t, 70);
  const float scale = t->ops->softmax(s, first, end);
  take_floats(t, &scale, 1);
  take_floats(t, s + (first & ~15), ((end + 15) & ~15) - (first & ~15));
}

static void check_values(trial *t) {
  uint16_t page[2][SYMBOLON_CHUNK * HEAD], *pages[2];
  float p[SYMBOLON_QUERIES][POSITIONS], o[SYMBOLON_QUERIES][HEAD], scale[SYMBOLON_QUERIES], *out[SYMBOLON_QUERIES];
  const float *weights[SYMBOLON_QUERIES];
  int32_t firsts[SYMBOLON_QUERIES], ends[SYMBOLON_QUERIES];
  const int32_t d = 16 * (1 + below(t, HEAD / 16)), count = 1 + (t->round + 11) % SYMBOLON_QUERIES;
  fill_pages(t, page, pages);
  const int32_t near = below(t, 2) ? 250 : 3; /* around the border of the pages, or in the first alone */
  for (int32_t i = 0; i < count; i++) {
    firsts[i] = near - below(t, 4);
    ends[i] = near + 1 + below(t, 16);
    scale[i] = unit(t);
    for (int32_t j = firsts[i]; j < ends[i]; j++) p[i][j] = unit(t);
    weights[i] = p[i];
    out[i] = o[i];
  }
  t->ops->values(weights, firsts, ends, scale, count, d, (symbolon_strip){pages, 0}, out);
  for (int32_t i = 0; i < count; i++) take_floats(t, o[i], d);
}

static void check_gate(trial *t, int32_t kind) {
  float g[67], u[67];
  const int32_t n = 1 + below(t, 67);
  for (int32_t i = 0; i < n; i++) {
    g[i] = below(t, 4) ? unit(t) * 8.0f : awkward(t);
    u[i] = unit(t) * 10.0f;
  }
  t->ops->gate(kind, g, u, n);
  take_floats(t, g, n);
}

static void check_halve(trial *t) {
  float x[67];
  uint16_t h[67];
  const int32_t n = 1 + below(t, 67);
  for (int32_t i = 0; i < n; i++) { /* every magnitude that a half can have, ties included, and some it cannot */
    const float value = symbolon_half_to_float((uint16_t)(roll(t) & 0xfbffu));
    const float next = value * (1.0f + (float)below(t, 5) * 0x1p-12f);
    x[i] = below(t, 40) == 0 ? 70000.0f : next;
  }
  take(t, (uint32_t)t->ops->halve(x, n, h));
  for (int32_t i = 0; i < n; i++) take(t, h[i]);
}

static void check_weigh(trial *t) {
  float x[67];
  uint32_t w[67];
  const int32_t n = 1 + below(t, 67);
  for (int32_t i = 0; i < n; i++) x[i] = unit(t) * 40.0f - 40.0f;
  t->ops->weigh(x, n, 0.0f, 0.25f + (float)below(t, 8), w);
  for (int32_t i = 0; i < n; i++) take(t, w[i]);
}

/* What all paths share: conversions, exp1, rotations; and that nothing is contracted. */
static void check_rules(trial *t) {
  float frequencies[16], cosines[16], sines[16];
  symbolon_rope_frequencies((double)(1000 + below(t, 1000000)), 32, frequencies);
  symbolon_rope_row(below(t, 131072), frequencies, 16, cosines, sines);
  take_floats(t, frequencies, 16);
  take_floats(t, cosines, 16);
  take_floats(t, sines, 16);
  for (int32_t i = 0; i < 64; i++) {
    const float x = unit(t), y = unit(t), probe = symbolon_contraction_probe(x, y, unit(t), unit(t));
    const float e = symbolon_exp1(90.0f * x), half = symbolon_half_to_float((uint16_t)(roll(t) & 0xfbffu));
    take_floats(t, &probe, 1);
    take_floats(t, &e, 1);
    take_floats(t, &half, 1);
    take(t, symbolon_float_to_half(half * y));
  }
}

static const int32_t types[] = {
  SYMBOLON_F32,  SYMBOLON_F16,  SYMBOLON_BF16, SYMBOLON_Q4_0, SYMBOLON_Q4_1, SYMBOLON_Q5_0,
  SYMBOLON_Q5_1, SYMBOLON_Q8_0, SYMBOLON_Q4_K, SYMBOLON_Q5_K, SYMBOLON_Q6_K,
};
enum { TYPES = sizeof types / sizeof *types };

static const struct {
  const char *name;
  uint64_t answer;
} checks[] = {
  {"multiply.f32", 0x62f78c55bd6bc28bu},
  {"multiply.f16", 0x2a5f36324e319d9eu},
  {"multiply.bf16", 0xb8f11274694b8752u},
  {"multiply.q4_0", 0x598b504c783fa600u},
  {"multiply.q4_1", 0xb55d2d3af6c0fe79u},
  {"multiply.q5_0", 0x42d883c3d0bafb23u},
  {"multiply.q5_1", 0x0e37e0a43d1ecb9fu},
  {"multiply.q8_0", 0x8076340152c2b32eu},
  {"multiply.q4_k", 0x762e6184eb5b913bu},
  {"multiply.q5_k", 0xeea8c553759233f3u},
  {"multiply.q6_k", 0x62ef434d3dd3bc04u},
  {"rules", 0xcfbfaa0bf30755f9u},
  {"quantise", 0x96530e549f1052a3u},
  {"norm", 0xf58faca34b1e68c8u},
  {"scores", 0x2017bf59e7ba2a74u},
  {"softmax", 0xcb930e36169c9cd3u},
  {"values", 0x40de8248bb47e8dau},
  {"silu", 0x7cc80da2007788d7u},
  {"gelu", 0x6327eea4148c77aeu},
  {"halve", 0x22fc70ca9ef37b33u},
  {"weigh", 0x5c201e269a8d5d8fu},
};
enum { CHECKS = sizeof checks / sizeof *checks };

int32_t symbolon_checks(void) { return CHECKS; }

const char *symbolon_check_name(int32_t check) { return checks[check].name; }

uint64_t symbolon_check_answer(int32_t check) { return checks[check].answer; }

static void run(trial *t, int32_t check) {
  if (check < TYPES) {
    check_multiply(t, types[check]);
    return;
  }
  switch (check - TYPES) {
    case 0: check_rules(t); return;
    case 1: check_quantise(t); return;
    case 2: check_norm(t); return;
    case 3: check_scores(t); return;
    case 4: check_softmax(t); return;
    case 5: check_values(t); return;
    case 6: check_gate(t, SYMBOLON_SILU); return;
    case 7: check_gate(t, SYMBOLON_GELU); return;
    case 8: check_halve(t); return;
    default: check_weigh(t); return;
  }
}

static uint64_t digest(const symbolon_operations *ops, int32_t check, uint64_t seed, int32_t rounds) {
  trial t = {ops, seed, 0xcbf29ce484222325u, 0};
  for (; t.round < rounds; t.round++) run(&t, check);
  return t.digest;
}

uint64_t symbolon_check_digest(int32_t path, int32_t check, uint64_t seed, int32_t rounds) {
  return digest(symbolon_operations_for(path), check, seed, rounds);
}

const char *symbolon_test_operations(const symbolon_operations *operations) {
  for (int32_t check = 0; check < CHECKS; check++)
    if (digest(operations, check, 1, SYMBOLON_CHECK_ROUNDS) != checks[check].answer) return checks[check].name;
  return NULL;
}

const char *symbolon_self_test(int32_t path) {
  const symbolon_operations *operations = symbolon_operations_for(path);
  return operations ? symbolon_test_operations(operations) : symbolon_path_name(path);
}
