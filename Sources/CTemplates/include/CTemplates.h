/* Files that `symbolon plugin new` writes: the contract's headers and the projects, carried inside the program. */
#ifndef SYMBOLON_CTEMPLATES_H
#define SYMBOLON_CTEMPLATES_H
#include <stdint.h>

typedef struct symbolon_template {
  const char *project; /* "c", "swift", "rust", or "headers" */
  const char *path;    /* inside the project */
  const uint8_t *bytes;
  uint64_t size;
} symbolon_template;

/* The first of all files; the last row has no path. */
const symbolon_template *symbolon_first_template(void);
#endif
