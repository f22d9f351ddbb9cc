/* Weights as the kernels read them: eight output rows side by side, so that a vector lane is an output row.
 *
 * A group holds 8 rows. Its block of 32 columns is
 *   Q4_0  d[8] f16 | n[4][8 rows][4] bytes                          144 bytes
 *   Q4_1  d[8] f16 | m[8] f16 | n[4][8 rows][4] bytes               160 bytes
 *   Q8_0  d[8] f16 | w[8][8 rows][4] int8                           272 bytes
 * where the low nibble of n[g][row][i] is column 4g+i and the high nibble column 16+4g+i. F16 and F32 groups are
 * [column][8 rows]. Rows beyond the last are zero. Packing moves bits, it computes nothing. */
#ifndef SYMBOLON_MATRIX_H
#define SYMBOLON_MATRIX_H

#include <stddef.h>
#include <stdint.h>

/* Numbers as in GGUF. */
enum symbolon_type {
  SYMBOLON_F32 = 0,
  SYMBOLON_F16 = 1,
  SYMBOLON_Q4_0 = 2,
  SYMBOLON_Q4_1 = 3,
  SYMBOLON_Q8_0 = 8,
};

/* A packed matrix: `rows` outputs, `columns` inputs. */
typedef struct symbolon_matrix {
  int32_t type;
  int32_t rows;
  int32_t columns;
  const uint8_t *groups; /* ceil(rows/8) groups of symbolon_group_bytes each */
} symbolon_matrix;

/* Bytes of one row as GGUF stores it, 0 if the type is unknown or `columns` does not fit its blocks. */
size_t symbolon_row_bytes(int32_t type, int32_t columns);

/* Bytes of one packed group of 8 rows, 0 as above. */
size_t symbolon_group_bytes(int32_t type, int32_t columns);

/* Packs groups [first, end) of a GGUF tensor of `rows` rows into `groups`. Any thread; disjoint ranges may run at once. */
void symbolon_pack(
  int32_t type, int32_t rows, int32_t columns, const uint8_t *tensor, uint8_t *groups, int32_t first, int32_t end);

/* One row of a GGUF tensor as f32: d*q, fma(d, n, m), d*(n-8), or the value itself. */
void symbolon_dequantise_row(int32_t type, int32_t columns, const uint8_t *row, float *out);

#endif
