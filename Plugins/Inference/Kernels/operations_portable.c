/* The operations in plain C: the text of the arithmetic, and the path of every machine without a faster one. */
#include "arithmetic_rules.h"
#include "include/operations.h"

static int32_t quantise(const float *x, int32_t n, int8_t *q, float *e, int32_t *a) {
  int32_t finite = 1;
  for (int32_t b = 0; b < n / 32; b++, x += 32, q += 32) {
    uint32_t magnitude = 0;
    for (int32_t i = 0; i < 32; i++) {
      const uint32_t m = symbolon_magnitude(x[i]);
      magnitude = m > magnitude ? m : magnitude;
    }
    const float amax = symbolon_from_bits(magnitude);
    if (magnitude > 0x7f7fffffu) finite = 0;
    if (amax < SYMBOLON_QUANTISE_FLOOR || magnitude > 0x7f7fffffu) {
      for (int32_t i = 0; i < 32; i++) q[i] = 0;
      e[b] = 0.0f;
      a[b] = 0;
      continue;
    }
    const float inverse = 127.0f / amax;
    int32_t sum = 0;
    for (int32_t i = 0; i < 32; i++) {
      const float scaled = x[i] * inverse;
      const int32_t code = (int32_t)((scaled + SYMBOLON_ROUNDER) - SYMBOLON_ROUNDER);
      q[i] = (int8_t)code;
      sum += code;
    }
    e[b] = amax / 127.0f;
    a[b] = sum;
  }
  return finite;
}

static float half_at(const uint8_t *p) {
  uint16_t half;
  __builtin_memcpy(&half, p, 2);
  return symbolon_half_to_float(half);
}

/* Integer dot of row r of a nibble block with 32 codes. */
static int32_t nibble_dot(const uint8_t *nibbles, int32_t r, const int8_t *q) {
  int32_t sum = 0;
  for (int32_t g = 0; g < 4; g++)
    for (int32_t i = 0; i < 4; i++) {
      const uint8_t byte = nibbles[g * 32 + r * 4 + i];
      sum += (byte & 15) * q[4 * g + i] + (byte >> 4) * q[16 + 4 * g + i];
    }
  return sum;
}

static void q4_0(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]) {
  for (int32_t c = 0; c < count; c++)
    for (int32_t r = 0; r < 8; r++) {
      float acc = 0.0f;
      for (int32_t b = 0; b < blocks; b++) {
        const uint8_t *block = group + (size_t)b * 144;
        const int32_t dot = nibble_dot(block + 16, r, v[c].q + 32 * b) - 8 * v[c].a[b];
        const float de = half_at(block + 2 * r) * v[c].e[b];
        acc = __builtin_fmaf(de, (float)dot, acc);
      }
      out[c][r] = acc;
    }
}

static void q4_1(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]) {
  for (int32_t c = 0; c < count; c++)
    for (int32_t r = 0; r < 8; r++) {
      float acc = 0.0f;
      for (int32_t b = 0; b < blocks; b++) {
        const uint8_t *block = group + (size_t)b * 160;
        const int32_t dot = nibble_dot(block + 32, r, v[c].q + 32 * b);
        const float de = half_at(block + 2 * r) * v[c].e[b], me = half_at(block + 16 + 2 * r) * v[c].e[b];
        acc = __builtin_fmaf(de, (float)dot, acc);
        acc = __builtin_fmaf(me, (float)v[c].a[b], acc);
      }
      out[c][r] = acc;
    }
}

static void q8_0(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]) {
  for (int32_t c = 0; c < count; c++)
    for (int32_t r = 0; r < 8; r++) {
      float acc = 0.0f;
      for (int32_t b = 0; b < blocks; b++) {
        const uint8_t *block = group + (size_t)b * 272;
        const int8_t *w = (const int8_t *)block + 16;
        int32_t dot = 0;
        for (int32_t k = 0; k < 32; k++) dot += w[(k / 4) * 32 + r * 4 + k % 4] * v[c].q[32 * b + k];
        acc = __builtin_fmaf(half_at(block + 2 * r) * v[c].e[b], (float)dot, acc);
      }
      out[c][r] = acc;
    }
}

static void f16(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]) {
  for (int32_t c = 0; c < count; c++)
    for (int32_t r = 0; r < 8; r++) {
      float acc = 0.0f;
      for (int32_t k = 0; k < 32 * blocks; k++)
        acc = __builtin_fmaf(half_at(group + (size_t)k * 16 + 2 * r), v[c].x[k], acc);
      out[c][r] = acc;
    }
}

static void f32(const uint8_t *group, int32_t blocks, const symbolon_vector *v, int32_t count, float (*out)[8]) {
  for (int32_t c = 0; c < count; c++)
    for (int32_t r = 0; r < 8; r++) {
      float acc = 0.0f;
      for (int32_t k = 0; k < 32 * blocks; k++) {
        float w;
        __builtin_memcpy(&w, group + (size_t)k * 32 + 4 * r, 4);
        acc = __builtin_fmaf(w, v[c].x[k], acc);
      }
      out[c][r] = acc;
    }
}

static float tree(float *lanes) {
  for (int32_t h = 8; h >= 1; h /= 2)
    for (int32_t i = 0; i < h; i++) lanes[i] = lanes[i] + lanes[i + h];
  return lanes[0];
}

static void norm(const float *x, const float *w, int32_t n, float epsilon, float *y) {
  float lanes[16] = {0};
  for (int32_t i = 0; i < n; i++) lanes[i % 16] = __builtin_fmaf(x[i], x[i], lanes[i % 16]);
  const float scale = 1.0f / __builtin_sqrtf(tree(lanes) / (float)n + epsilon);
  for (int32_t i = 0; i < n; i++) {
    const float scaled = x[i] * scale;
    y[i] = scaled * w[i];
  }
}

static void scores(const float *const *q, int32_t count, int32_t d, symbolon_strip keys, int32_t first, int32_t end,
                   float scale, float *const *out) {
  for (int32_t i = 0; i < count; i++)
    for (int32_t j = 16 * first; j < 16 * end; j++) {
      const uint16_t *tile =
        keys.page[j / SYMBOLON_CHUNK] + keys.offset + (size_t)(j % SYMBOLON_CHUNK / 16) * (size_t)d * 16;
      float acc = 0.0f;
      for (int32_t k = 0; k < d; k++)
        acc = __builtin_fmaf(q[i][k], symbolon_half_to_float(tile[(size_t)k * 16 + (size_t)(j % 16)]), acc);
      out[i][j] = scale * acc;
    }
}

static float softmax(float *s, int32_t first, int32_t end) {
  float greatest = s[first];
  for (int32_t j = first + 1; j < end; j++) greatest = s[j] > greatest ? s[j] : greatest;
  float lanes[16] = {0};
  for (int32_t j = first & ~15; j < first; j++) s[j] = 0.0f;
  for (int32_t j = first; j < end; j++) {
    s[j] = symbolon_exp1_inline(s[j] - greatest);
    lanes[j % 16] = lanes[j % 16] + s[j];
  }
  for (int32_t j = end; j % 16 != 0; j++) s[j] = 0.0f;
  return 1.0f / tree(lanes);
}

static void values(const float *const *p, const int32_t *firsts, const int32_t *ends, const float *scale,
                   int32_t count, int32_t d, symbolon_strip v, float *const *out) {
  for (int32_t i = 0; i < count; i++)
    for (int32_t k = 0; k < d; k++) {
      float total = 0.0f;
      for (int32_t page = firsts[i] / SYMBOLON_CHUNK; page * SYMBOLON_CHUNK < ends[i]; page++) {
        const int32_t start = page * SYMBOLON_CHUNK;
        const int32_t from = firsts[i] > start ? firsts[i] - start : 0;
        const int32_t to = ends[i] - start < SYMBOLON_CHUNK ? ends[i] - start : SYMBOLON_CHUNK;
        const uint16_t *rows = v.page[page] + v.offset;
        float chain = 0.0f;
        for (int32_t j = from; j < to; j++)
          chain = __builtin_fmaf(p[i][start + j], symbolon_half_to_float(rows[(size_t)j * (size_t)d + (size_t)k]), chain);
        total = total + chain;
      }
      out[i][k] = total * scale[i];
    }
}

static void gate(float *g, const float *u, int32_t n) {
  for (int32_t i = 0; i < n; i++) {
    const float silu = g[i] / (1.0f + symbolon_exp1_inline(-g[i]));
    g[i] = silu * u[i];
  }
}

static int32_t halve(const float *x, int32_t n, uint16_t *half) {
  int32_t finite = 1;
  for (int32_t i = 0; i < n; i++) {
    half[i] = symbolon_float_to_half(x[i]);
    if ((half[i] & 0x7c00u) == 0x7c00u) finite = 0;
  }
  return finite;
}

static void weigh(const float *x, int32_t n, float greatest, float temperature, uint32_t *weights) {
  for (int32_t i = 0; i < n; i++) {
    const float difference = x[i] - greatest;
    weights[i] = (uint32_t)(symbolon_exp1_inline(difference / temperature) * 0x1p30f);
  }
}

const symbolon_operations symbolon_operations_portable = {
  .quantise = quantise, .q4_0 = q4_0, .q4_1 = q4_1, .q8_0 = q8_0, .f16 = f16, .f32 = f32, .norm = norm,
  .scores = scores, .softmax = softmax, .values = values, .gate = gate, .halve = halve, .weigh = weigh,
};

const symbolon_operations *symbolon_operations_for(int32_t path) {
#if defined(__x86_64__)
  if (path == SYMBOLON_PATH_AVX2 && symbolon_path_best() == SYMBOLON_PATH_AVX2) return &symbolon_operations_avx2;
#else
  (void)path;
#endif
  return &symbolon_operations_portable;
}

int32_t symbolon_greatest(const float *logits, int32_t count) {
  int32_t best = -1;
  for (int32_t i = 0; i < count; i++) {
    if (symbolon_magnitude(logits[i]) > 0x7f7fffffu) return -1;
    if (best < 0 || logits[i] > logits[best]) best = i;
  }
  return best;
}

void symbolon_sampling_weights(
  int32_t path, const float *logits, int32_t count, float greatest, float temperature, uint32_t *weights) {
  symbolon_operations_for(path)->weigh(logits, count, greatest, temperature, weights);
}
