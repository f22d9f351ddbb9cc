/* Which instruction sets may be used here. */
#include "arithmetic_rules.h"
#include "operations_internal.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* XCR0: the registers that the operating system saves. */
static uint32_t saved_registers(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static int32_t x86_available(int32_t path) {
  const unsigned ymm = 0x06, zmm = 0xe6; /* xmm, ymm; and the masks, the upper halves, zmm16...31 */
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  const unsigned needed = bit_FMA | bit_AVX | bit_OSXSAVE | bit_F16C;
  if ((c & needed) != needed || (saved_registers() & ymm) != ymm) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return 0;
  if (path == SYMBOLON_PATH_AVX2) return 1;
  const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
  return path == SYMBOLON_PATH_AVX512 && (b & wide) == wide && (c & bit_AVX512VNNI) && (saved_registers() & zmm) == zmm;
}
#endif

#if defined(__aarch64__)
#include <sys/auxv.h>

static int32_t has_dot_product(void) {
  const unsigned long asimddp = 1ul << 20; /* HWCAP_ASIMDDP */
  return (getauxval(AT_HWCAP) & asimddp) != 0;
}
#endif

int32_t symbolon_path_available(int32_t path) {
  if (path == SYMBOLON_PATH_SCALAR) return 1;
#if defined(__x86_64__)
  return x86_available(path);
#elif defined(__aarch64__)
  return path == SYMBOLON_PATH_NEON && has_dot_product();
#else
  return 0;
#endif
}

int32_t symbolon_path_best(void) {
  for (int32_t path = SYMBOLON_PATH_NEON; path > SYMBOLON_PATH_SCALAR; path--)
    if (symbolon_path_available(path)) return path;
  return SYMBOLON_PATH_SCALAR;
}

static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};

const char *symbolon_path_name(int32_t path) { return path >= 0 && path < 4 ? names[path] : "unknown"; }

int32_t symbolon_path_named(const char *name) {
  for (int32_t path = 0; path < 4; path++)
    if (strcmp(names[path], name) == 0) return path;
  return -1;
}

const symbolon_operations *symbolon_operations_for(int32_t path) {
  if (!symbolon_path_available(path)) return NULL;
  switch (path) {
#if defined(__x86_64__)
    case SYMBOLON_PATH_AVX2: return &symbolon_operations_avx2;
    case SYMBOLON_PATH_AVX512: return &symbolon_operations_avx512;
#elif defined(__aarch64__)
    case SYMBOLON_PATH_NEON: return &symbolon_operations_neon;
#endif
    default: return &symbolon_operations_scalar;
  }
}
