/* What the conformance test asks of the C library and Swift's overlay does not offer. */
#ifndef SYMBOLON_CPROBE_SHIM_H
#define SYMBOLON_CPROBE_SHIM_H
#include <malloc.h>
#include <stddef.h>

/* Bytes that this process has allocated and not freed, over all arenas. */
static inline size_t symbolon_heap_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
#endif
