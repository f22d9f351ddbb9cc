#include "include/memory.h"

#include <stdlib.h> /* says whether this is glibc */

#if defined(__GLIBC__)
#include <malloc.h>
#endif

void symbolon_trim_memory(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
