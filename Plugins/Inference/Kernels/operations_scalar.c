/* The operations in plain C: the text of the arithmetic, and the path of every machine without a faster one. */
#include "arithmetic_rules.h"
#include "operations_internal.h"

static int32_t quantise(const float *x, int32_t n, symbolon_block *block) {
  int32_t finite = 1;
  for (int32_t b = 0; b < n / 32; b++, x += 32, block++) {
    uint32_t magnitude = 0;
    for (int32_t i = 0; i < 32; i++) {
      const uint32_t m = symbolon_magnitude(x[i]);
      magnitude = m > magnitude ? m : magnitude;
    }
    const float amax = symbolon_from_bits(magnitude);
    if (magnitude > 0x7f7fffffu) finite = 0;
    if (amax < SYMBOLON_QUANTISE_FLOOR || magnitude > 0x7f7fffffu) {
      *block = (symbolon_block){0};
      continue;
    }
    const float inverse = 127.0f / amax;
    int32_t sum[2] = {0, 0};
    for (int32_t i = 0; i < 32; i++) {
      const float scaled = x[i] * inverse;
      const int32_t code = (int32_t)((scaled + SYMBOLON_ROUNDER) - SYMBOLON_ROUNDER);
      block->q[i] = (int8_t)code;
      sum[i / 16] += code;
    }
    block->e = amax / 127.0f;
    block->a = (float)(sum[0] + sum[1]);
    block->first = (float)sum[0];
    block->second = (float)sum[1];
  }
  return finite;
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

static void gate(int32_t kind, float *g, const float *u, int32_t n) {
  for (int32_t i = 0; i < n; i++) g[i] = symbolon_gate_inline(kind, g[i]) * u[i];
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

const symbolon_operations symbolon_operations_scalar = {
  .quantise = quantise, .multiply = symbolon_multiply_scalar, .norm = norm, .scores = scores, .softmax = softmax,
  .values = values, .gate = gate, .halve = halve, .weigh = weigh,
};
