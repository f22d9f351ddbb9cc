/* Section 10 of docs/arithmetic.md: the float part of sampling, and the choice in exact integers after it. */
#ifndef SYMBOLON_SAMPLING_H
#define SYMBOLON_SAMPLING_H

#include <stdint.h>

/* What a choice depends on besides the logits. Shares are in 2^-32. */
typedef struct symbolon_choice {
  uint64_t minimum_share; /* of min_p; 0 keeps all */
  uint64_t top_share;     /* of top_p; 2^32 keeps all */
  uint64_t typical_share; /* of typical_p; 2^32 keeps all */
  uint64_t random;        /* R of step 12 */
  float temperature;      /* above 0 */
  int32_t top_k;          /* 0 keeps all */
} symbolon_choice;

/* A token in a list that is ordered by (order, number). */
typedef struct symbolon_candidate {
  uint64_t order;
  uint32_t number;
  uint32_t weight;
} symbolon_candidate;

_Static_assert(sizeof(symbolon_choice) == 40 && sizeof(symbolon_candidate) == 16, "as Swift sees them");

/* Whether all logits are finite. */
int32_t symbolon_all_finite(const float *logits, int32_t count);

/* Index of the greatest logit, the first of equals; minus infinity stands for a token that is not in the set. -1 if a
 * logit is infinite or not a number, or if the set is empty. */
int32_t symbolon_greatest(const float *logits, int32_t count);

/* Sets to minus infinity the logits of tokens that are not allowed: bit i mod 64 of allowed[i / 64]. */
void symbolon_mask(float *logits, int32_t count, const uint64_t *allowed);

/* weights[i] = trunc(exp1((logits[i] - greatest) / temperature) * 2^30). Temperature is above 0. */
void symbolon_sampling_weights(
  int32_t path, const float *logits, int32_t count, float greatest, float temperature, uint32_t *weights);

/* The sum of the weights. */
uint64_t symbolon_sum_weights(const uint32_t *weights, int32_t count);

/* The k first tokens by (logit descending, number ascending), by ascending number, into candidates, which has room for
 * 2 * count entries; returns how many there are: fewer than k when the set has fewer. */
int32_t symbolon_top(const float *logits, int32_t count, int32_t k, symbolon_candidate *candidates);

/* Steps 7 to 12: the token. `greatest` is its index; weights has room for count entries, candidates for 2 * count. */
int32_t symbolon_choose(
  int32_t path, const float *logits, int32_t count, int32_t greatest, const symbolon_choice *choice,
  uint32_t *weights, symbolon_candidate *candidates);

#endif
