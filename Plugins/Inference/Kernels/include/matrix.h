/* Weights as the kernels read them: sixteen output rows side by side, so that a vector lane is an output row.
 *
 * A matrix is packed into groups of 16 rows. What lies in a group is private to the kernels (groups.h); packing moves
 * bits, it computes nothing. Rows beyond the last are zero. */
#ifndef SYMBOLON_MATRIX_H
#define SYMBOLON_MATRIX_H

#include <stddef.h>
#include <stdint.h>

/* The rows of a group. */
#define SYMBOLON_ROWS 16

/* Numbers as in GGUF. */
enum symbolon_type {
  SYMBOLON_F32 = 0,
  SYMBOLON_F16 = 1,
  SYMBOLON_Q4_0 = 2,
  SYMBOLON_Q4_1 = 3,
  SYMBOLON_Q5_0 = 6,
  SYMBOLON_Q5_1 = 7,
  SYMBOLON_Q8_0 = 8,
  SYMBOLON_Q4_K = 12,
  SYMBOLON_Q5_K = 13,
  SYMBOLON_Q6_K = 14,
  SYMBOLON_BF16 = 30,
};

/* A packed matrix: `rows` outputs, `columns` inputs. */
typedef struct symbolon_matrix {
  int32_t type;
  int32_t rows;
  int32_t columns;
  const uint8_t *groups; /* aligned to 64 bytes; symbolon_groups(rows) of symbolon_group_bytes each */
} symbolon_matrix;

/* Bytes of one row as GGUF stores it, 0 if the type is unknown or `columns` does not fit its blocks. */
size_t symbolon_row_bytes(int32_t type, int32_t columns);

/* Groups of a matrix of `rows` rows. */
int32_t symbolon_groups(int32_t rows);

/* Bytes of one packed group, a multiple of 64; 0 as above, or if `columns` is not a multiple of 32. */
size_t symbolon_group_bytes(int32_t type, int32_t columns);

/* Bytes of a packed matrix. */
size_t symbolon_packed_bytes(int32_t type, int32_t rows, int32_t columns);

/* Packs groups [first, end) of a GGUF tensor of `rows` rows into `groups`. Any thread; disjoint ranges may run at once. */
void symbolon_pack(
  int32_t type, int32_t rows, int32_t columns, const uint8_t *tensor, uint8_t *groups, int32_t first, int32_t end);

/* One row of a GGUF tensor as f32: the bits that PyPI gguf's `dequantize` gives. */
void symbolon_dequantise_row(int32_t type, int32_t columns, const uint8_t *row, float *out);

/* The same bits from a packed matrix. */
void symbolon_unpack_row(const symbolon_matrix *matrix, int32_t row, float *out);

#endif
