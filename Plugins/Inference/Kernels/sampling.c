/* The float part of sampling. */
#include "arithmetic_rules.h"
#include "include/operations.h"
#include "include/sampling.h"

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
