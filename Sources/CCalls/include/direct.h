/* Calls a method without libffi when all its arguments are integers, pointers and slices.

   Such arguments are 64-bit words, and where each word goes depends on the signature alone, so the places are worked
   out once. Whatever has other arguments, or too many, is called through libffi. */
#ifndef SYMBOLON_CCALLS_DIRECT_H
#define SYMBOLON_CCALLS_DIRECT_H
#include <stdint.h>

/* How the memory of an argument is read; a pointer is a word of 64 bits. */
enum {
  SYMBOLON_WORD_U8 = 0,
  SYMBOLON_WORD_I32 = 1,
  SYMBOLON_WORD_U32 = 2,
  SYMBOLON_WORD_64 = 3,
  SYMBOLON_WORD_SLICE = 4 /* two words that stay together */
};

#define SYMBOLON_DIRECT_ARGUMENTS 16
#define SYMBOLON_DIRECT_REGISTERS 6
#define SYMBOLON_DIRECT_STACK 8

/* Where each argument goes: words 0 to 5 are registers, the rest lies on the stack. */
typedef struct symbolon_direct {
  uint32_t count;
  uint32_t stack_words;
  uint8_t kind[SYMBOLON_DIRECT_ARGUMENTS];
  uint8_t place[SYMBOLON_DIRECT_ARGUMENTS];
} symbolon_direct;

/* Works out the places for `f(self, call, arguments…)`; 0 when this signature or this machine has no direct call. */
int symbolon_direct_prepare(symbolon_direct *plan, const uint8_t *kinds, uint32_t count);

/* Calls `function`; `arguments[i]` is the address of the argument i, as in ffi_call. */
int32_t symbolon_direct_call(const symbolon_direct *plan, void (*function)(void), void *self, void *call,
                             void *const *arguments);
#endif
