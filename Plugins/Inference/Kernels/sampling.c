/* Sampling: passes over the whole vocabulary are plain loops over blocks, which the compiler turns into vectors; what
 * needs an order works on the few tokens that can matter, and selects without sorting. */
#include "arithmetic_rules.h"
#include "include/operations.h"
#include "include/sampling.h"

#include <string.h>

typedef symbolon_candidate candidate;

enum { BLOCK = 64 };

static const uint32_t minus_infinity = 0xff800000u;

/* A signed integer with the order of the logits; both zeros are one. */
static inline int32_t rank(float logit) {
  const int32_t bits = (int32_t)symbolon_to_bits(logit + 0.0f);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

/* Ascends where logits descend. */
static inline uint64_t order_of(float logit) { return ~((uint32_t)rank(logit) ^ 0x80000000u) & 0xffffffffu; }

int32_t symbolon_all_finite(const float *logits, int32_t count) {
  int32_t faults = 0;
  for (int32_t i = 0; i < count; i++) faults |= symbolon_magnitude(logits[i]) > 0x7f7fffffu;
  return !faults;
}

int32_t symbolon_greatest(const float *logits, int32_t count) {
  int32_t best = INT32_MIN, block = 0, faults = 0;
  for (int32_t start = 0; start < count; start += BLOCK) {
    const int32_t end = count - start < BLOCK ? count : start + BLOCK;
    int32_t most = INT32_MIN;
    for (int32_t i = start; i < end; i++) {
      const uint32_t bits = symbolon_to_bits(logits[i]);
      faults |= ((bits & 0x7fffffffu) > 0x7f7fffffu) & (bits != minus_infinity);
      const int32_t here = rank(logits[i]);
      most = here > most ? here : most;
    }
    if (most > best) best = most, block = start;
  }
  if (faults || best <= rank(-__builtin_inff())) return -1;
  while (rank(logits[block]) != best) block++;
  return block;
}

void symbolon_mask(float *logits, int32_t count, const uint64_t *allowed) {
  for (int32_t start = 0; start < count; start += 64) {
    const uint64_t bits = allowed[start / 64];
    if (bits == UINT64_MAX) continue;
    const int32_t width = count - start < 64 ? count - start : 64;
    for (int32_t i = 0; i < width; i++)
      if (!(bits >> i & 1)) logits[start + i] = -__builtin_inff();
  }
}

void symbolon_sampling_weights(
  int32_t path, const float *logits, int32_t count, float greatest, float temperature, uint32_t *weights) {
  symbolon_operations_for(path)->weigh(logits, count, greatest, temperature, weights);
}

uint64_t symbolon_sum_weights(const uint32_t *weights, int32_t count) {
  uint64_t sum = 0;
  for (int32_t i = 0; i < count; i++) sum += weights[i];
  return sum;
}

static uint64_t sum_of(const candidate *list, int32_t count) {
  uint64_t sum = 0;
  for (int32_t i = 0; i < count; i++) sum += list[i].weight;
  return sum;
}

static inline int precedes(candidate a, candidate b) {
  return a.order < b.order || (a.order == b.order && a.number < b.number);
}

/* The last of the shortest prefix, in order, whose weights reach `need`: 1 at least, their sum at most. Mixes the list. */
static candidate last_of_prefix(candidate *list, int32_t count, uint64_t need) {
  int32_t low = 0, high = count;
  uint32_t dice = 1;
  while (high - low > 1) {
    candidate three[3];
    for (int32_t i = 0; i < 3; i++) {
      dice = dice * 1664525u + 1013904223u;
      three[i] = list[low + (int32_t)((uint64_t)dice * (uint32_t)(high - low) >> 32)];
    }
    const candidate first = precedes(three[0], three[1]) ? three[0] : three[1];
    const candidate second = precedes(three[0], three[1]) ? three[1] : three[0];
    const candidate pivot = precedes(three[2], first) ? first : precedes(three[2], second) ? three[2] : second;
    int32_t middle = low, at = low;
    uint64_t sum = 0;
    for (int32_t i = low; i < high; i++) {
      const candidate here = list[i];
      if (here.number == pivot.number) at = i;
      if (!precedes(here, pivot)) continue;
      if (at == middle && i != at) at = i; /* the pivot lay where this one goes */
      list[i] = list[middle];
      list[middle++] = here;
      sum += here.weight;
    }
    if (sum >= need) {
      high = middle;
      continue;
    }
    need -= sum;
    if (pivot.weight >= need) return pivot;
    need -= pivot.weight;
    list[at] = list[middle];
    list[middle] = pivot;
    low = middle + 1;
  }
  return list[low];
}

/* Keeps the shortest prefix that reaches `need`, in the order of the list; returns how many. `spare` has as much room. */
static int32_t keep_prefix(candidate *list, int32_t count, uint64_t need, candidate *spare) {
  memcpy(spare, list, (size_t)count * sizeof *list);
  const candidate last = last_of_prefix(spare, count, need);
  int32_t kept = 0;
  for (int32_t i = 0; i < count; i++)
    if (!precedes(last, list[i])) list[kept++] = list[i];
  return kept;
}

int32_t symbolon_top(const float *logits, int32_t count, int32_t k, candidate *list) {
  int32_t room = k < 1024 ? k + 1024 : k < count / 2 ? 2 * k : count;
  room = room < count ? room : count;
  candidate *const spare = list + count;
  int32_t kept = 0;
  float floor = -__builtin_inff();
  for (int32_t start = 0; start < count; start += BLOCK) {
    const int32_t end = count - start < BLOCK ? count : start + BLOCK;
    int32_t any = 0;
    for (int32_t i = start; i < end; i++) any |= logits[i] > floor;
    if (!any) continue;
    for (int32_t i = start; i < end; i++) {
      if (!(logits[i] > floor)) continue;
      if (kept == room && kept > k) {
        kept = keep_prefix(list, kept, (uint64_t)k, spare);
        uint64_t worst = 0;
        for (int32_t j = 0; j < kept; j++)
          if (list[j].order >= worst) worst = list[j].order, floor = logits[list[j].number];
        /* A later token with the same logit comes after it. */
        if (!(logits[i] > floor)) continue;
      }
      list[kept++] = (candidate){.order = order_of(logits[i]), .number = (uint32_t)i, .weight = 1};
    }
  }
  return kept > k ? keep_prefix(list, kept, (uint64_t)k, spare) : kept;
}

/* Weighs the tokens of a list. */
static void weigh(int32_t path, const float *logits, float greatest, float temperature, candidate *list, int32_t count) {
  float values[BLOCK];
  uint32_t weights[BLOCK];
  for (int32_t start = 0; start < count; start += BLOCK) {
    const int32_t width = count - start < BLOCK ? count - start : BLOCK;
    for (int32_t i = 0; i < width; i++) values[i] = logits[list[start + i].number];
    symbolon_sampling_weights(path, values, width, greatest, temperature, weights);
    for (int32_t i = 0; i < width; i++) list[start + i].weight = weights[i];
  }
}

/* Lists the tokens of at least this weight, which is above 0, by ascending number; returns how many. */
static int32_t gather(const uint32_t *weights, int32_t count, uint32_t least, candidate *list) {
  int32_t found = 0;
  for (int32_t start = 0; start < count; start += BLOCK) {
    const int32_t end = count - start < BLOCK ? count : start + BLOCK;
    int32_t any = 0;
    for (int32_t i = start; i < end; i++) any |= (int32_t)weights[i] >= (int32_t)least;
    if (!any) continue;
    for (int32_t i = start; i < end; i++)
      if (weights[i] >= least) list[found++] = (candidate){.number = (uint32_t)i, .weight = weights[i]};
  }
  return found;
}

static int32_t drop_below(candidate *list, int32_t count, uint32_t least) {
  int32_t kept = 0;
  for (int32_t i = 0; i < count; i++)
    if (list[i].weight >= least) list[kept++] = list[i];
  return kept;
}

/* The least sum with sum * 2^32 >= total * share; at least 1, for a prefix has a token at least. */
static uint64_t needed(uint64_t total, uint64_t share) {
  const uint64_t need = (uint64_t)(((unsigned __int128)total * share + 0xffffffffu) >> 32);
  return need > 0 ? need : 1;
}

/* Step 11 for a list of tokens with weights above 0. */
static int32_t keep_typical(
  const float *logits, float greatest, float temperature, uint64_t share, candidate *list, int32_t count,
  candidate *spare) {
  unsigned __int128 moment = 0;
  uint64_t total = 0;
  for (int32_t i = 0; i < count; i++) {
    const float difference = logits[list[i].number] - greatest;
    list[i].order = (uint64_t)(-(difference / temperature) * 0x1p20f);
    moment += (unsigned __int128)list[i].weight * list[i].order;
    total += list[i].weight;
  }
  const uint64_t expected = (uint64_t)(moment / total);
  for (int32_t i = 0; i < count; i++) {
    const uint64_t x = list[i].order, distance = x > expected ? x - expected : expected - x;
    list[i].order = distance << 32 | (uint32_t)~list[i].weight;
  }
  return keep_prefix(list, count, needed(total, share), spare);
}

int32_t symbolon_choose(
  int32_t path, const float *logits, int32_t count, int32_t greatest, const symbolon_choice *choice,
  uint32_t *weights, candidate *list) {
  const uint64_t all = (uint64_t)1 << 32;
  const float top = logits[greatest];
  candidate *const spare = list + count;
  int32_t listed = choice->top_k > 0 && choice->top_k < count, length = 0;
  if (listed) {
    length = symbolon_top(logits, count, choice->top_k, list);
    weigh(path, logits, top, choice->temperature, list, length);
  } else {
    symbolon_sampling_weights(path, logits, count, top, choice->temperature, weights);
  }
  if (choice->minimum_share > 0) {
    const uint32_t least = (uint32_t)((choice->minimum_share + 3) / 4);
    length = listed ? drop_below(list, length, least) : gather(weights, count, least, list);
    listed = 1;
  }
  if (choice->top_share < all) {
    const uint64_t total = listed ? sum_of(list, length) : symbolon_sum_weights(weights, count);
    const uint64_t need = needed(total, choice->top_share);
    /* The likely tokens first: mostly they reach the share alone. */
    for (int32_t shift = 22; !listed; shift = shift > 7 ? shift - 8 : 0) {
      length = gather(weights, count, (uint32_t)1 << shift, list);
      listed = shift == 0 || sum_of(list, length) >= need;
    }
    for (int32_t i = 0; i < length; i++) list[i].order = (uint32_t)~list[i].weight;
    length = keep_prefix(list, length, need, spare);
  }
  if (choice->typical_share < all) {
    length = listed ? drop_below(list, length, 1) : gather(weights, count, 1, list);
    listed = 1;
    length = keep_typical(logits, top, choice->temperature, choice->typical_share, list, length, spare);
  }
  const uint64_t total = listed ? sum_of(list, length) : symbolon_sum_weights(weights, count);
  const uint64_t target = (uint64_t)((unsigned __int128)choice->random * total >> 64);
  uint64_t sum = 0;
  if (listed) {
    int32_t i = 0;
    while ((sum += list[i].weight) <= target) i++;
    return (int32_t)list[i].number;
  }
  for (int32_t start = 0; start < count; start += BLOCK) {
    const int32_t width = count - start < BLOCK ? count - start : BLOCK;
    const uint64_t block = symbolon_sum_weights(weights + start, width);
    if (sum + block > target) {
      int32_t i = start;
      while ((sum += weights[i]) <= target) i++;
      return i;
    }
    sum += block;
  }
  return greatest; /* not reached: target is below total */
}
