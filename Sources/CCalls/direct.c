#include "direct.h"

#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && !defined(__ILP32__)

/* System V: six integer registers; a 16-byte struct goes into two of them or wholly onto the stack, and then leaves a
   register that was too few for it to what follows. Words on the stack keep their order, eight bytes each. */
int symbolon_direct_prepare(symbolon_direct *plan, const uint8_t *kinds, uint32_t count) {
  uint32_t used = 2; /* self and call */
  uint32_t stacked = 0;
  if (count > SYMBOLON_DIRECT_ARGUMENTS) return 0;
  memset(plan, 0, sizeof *plan);
  plan->count = count;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t words = kinds[i] == SYMBOLON_WORD_SLICE ? 2 : 1;
    if (kinds[i] > SYMBOLON_WORD_SLICE) return 0;
    plan->kind[i] = kinds[i];
    if (used + words <= SYMBOLON_DIRECT_REGISTERS) {
      plan->place[i] = (uint8_t)used;
      used += words;
    } else if (stacked + words <= SYMBOLON_DIRECT_STACK) {
      plan->place[i] = (uint8_t)(SYMBOLON_DIRECT_REGISTERS + stacked);
      stacked += words;
    } else {
      return 0;
    }
  }
  plan->stack_words = stacked;
  return 1;
}

typedef uint64_t word;
typedef int32_t (*in_registers)(word, word, word, word, word, word);
typedef int32_t (*with_2)(word, word, word, word, word, word, word, word);
typedef int32_t (*with_4)(word, word, word, word, word, word, word, word, word, word);
typedef int32_t (*with_8)(word, word, word, word, word, word, word, word, word, word, word, word, word, word);

/* A function looks only at the registers and stack words of its own arguments, and the caller takes the stack words
   away again: more of either do no harm, so four types serve every plan. */
int32_t symbolon_direct_call(const symbolon_direct *plan, void (*function)(void), void *self, void *call,
                             void *const *arguments) {
  word w[SYMBOLON_DIRECT_REGISTERS + SYMBOLON_DIRECT_STACK];
  w[2] = w[3] = w[4] = w[5] = 0;
  for (uint32_t i = 0; i < plan->count; i++) {
    const void *from = arguments[i];
    word *to = w + plan->place[i];
    switch (plan->kind[i]) {
      case SYMBOLON_WORD_U8: *to = *(const uint8_t *)from; break;
      case SYMBOLON_WORD_I32: *to = (word)(int64_t) * (const int32_t *)from; break;
      case SYMBOLON_WORD_U32: *to = *(const uint32_t *)from; break;
      case SYMBOLON_WORD_64: *to = *(const word *)from; break;
      default: to[0] = ((const word *)from)[0], to[1] = ((const word *)from)[1]; break;
    }
  }
  word s = (word)(uintptr_t)self, c = (word)(uintptr_t)call;
  if (plan->stack_words == 0) return ((in_registers)function)(s, c, w[2], w[3], w[4], w[5]);
  for (uint32_t i = plan->stack_words; i < SYMBOLON_DIRECT_STACK; i++) w[SYMBOLON_DIRECT_REGISTERS + i] = 0;
  if (plan->stack_words <= 2) return ((with_2)function)(s, c, w[2], w[3], w[4], w[5], w[6], w[7]);
  if (plan->stack_words <= 4) return ((with_4)function)(s, c, w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9]);
  return ((with_8)function)(s, c, w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13]);
}

#else

int symbolon_direct_prepare(symbolon_direct *plan, const uint8_t *kinds, uint32_t count) {
  (void)kinds, (void)count;
  memset(plan, 0, sizeof *plan);
  return 0;
}

/* Never reached: nothing has a plan here. */
int32_t symbolon_direct_call(const symbolon_direct *plan, void (*function)(void), void *self, void *call,
                             void *const *arguments) {
  (void)plan, (void)function, (void)self, (void)call, (void)arguments;
  return 12;
}

#endif
