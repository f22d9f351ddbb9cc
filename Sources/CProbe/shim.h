/* What the host asks of the C library's memory and Swift's overlay does not offer. */
#ifndef SYMBOLON_CPROBE_SHIM_H
#define SYMBOLON_CPROBE_SHIM_H
#include <malloc.h>
#include <stddef.h>
#include <unistd.h>

/* Bytes that this process has allocated and not freed, over all arenas. */
static inline size_t symbolon_heap_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/* One arena a processor, where the default is eight: short-lived threads (reloads, drains) would fill them all with what
 * one of them needs once. Call before the first thread starts. */
static inline void symbolon_heap_limit_arenas(void) {
  const long processors = sysconf(_SC_NPROCESSORS_ONLN);
  mallopt(M_ARENA_MAX, processors > 2 && processors < 4096 ? (int)processors : 2);
}

/* Gives pages that hold nothing any more back to the system. */
static inline void symbolon_heap_trim(void) { malloc_trim(0); }
#endif
