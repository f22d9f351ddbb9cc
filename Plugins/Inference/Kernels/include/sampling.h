/* The float part of sampling; everything after it is exact integers. */
#ifndef SYMBOLON_SAMPLING_H
#define SYMBOLON_SAMPLING_H

#include <stdint.h>

/* Index of the greatest logit, the first of equals; -1 if a logit is not finite or count is 0. */
int32_t symbolon_greatest(const float *logits, int32_t count);

/* weights[i] = trunc(exp1((logits[i] - greatest) / temperature) * 2^30). Temperature is above 0. */
void symbolon_sampling_weights(
  int32_t path, const float *logits, int32_t count, float greatest, float temperature, uint32_t *weights);

#endif
