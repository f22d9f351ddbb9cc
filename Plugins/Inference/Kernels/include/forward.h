/* One step of a llama model: a batch of columns in, logits out.
 *
 * A column is one token at one position of one sequence. Columns do not mix, except that a column's attention reads the
 * keys and values of its own sequence up to its own position; so prompt and decode, alone or together, on any number of
 * threads, give the same bits. */
#ifndef SYMBOLON_FORWARD_H
#define SYMBOLON_FORWARD_H

#include <stdint.h>

#include "matrix.h"
#include "pool.h"

/* Positions in a page of keys and values. */
#define SYMBOLON_PAGE 256

/* The most columns of one step. */
#define SYMBOLON_MAX_COLUMNS 256

/* One transformer layer. E = width, H = heads, G = kv heads, D = head size, F = feed-forward width. */
typedef struct symbolon_layer {
  const float *attention_norm; /* [E] */
  symbolon_matrix query;       /* [H*D][E] */
  symbolon_matrix key;         /* [G*D][E] */
  symbolon_matrix value;       /* [G*D][E] */
  symbolon_matrix output;      /* [E][H*D] */
  const float *feed_norm;      /* [E] */
  symbolon_matrix gate;        /* [F][E] */
  symbolon_matrix up;          /* [F][E] */
  symbolon_matrix down;        /* [E][F] */
} symbolon_layer;

/* A llama model. Multiples of 32: width, feed_width, head_size. heads is a multiple of kv_heads. */
typedef struct symbolon_model {
  int32_t width, layers, heads, kv_heads, head_size, feed_width, vocabulary, context;
  float epsilon;        /* of the norms */
  float score_scale;    /* rn(1/sqrt(D)) */
  const float *cosines; /* [context][D/2] */
  const float *sines;   /* [context][D/2] */
  int32_t embedding_type;
  const uint8_t *embedding; /* the GGUF tensor [vocabulary][E], not packed */
  const symbolon_layer *layer;
  const float *output_norm; /* [E] */
  symbolon_matrix head;     /* [vocabulary][E] */
} symbolon_model;

/* Keys and values of one sequence, binary16, in pages of 256 positions. For each [layer][kv head] a page holds
 *   keys   [256/16][D][16]   lanes are positions
 *   values [256][D']         lanes are dimensions, D' = D rounded up to a multiple of 16
 * Position p lies in page p/256. Sequences may share a page in which none of them writes any more. */
typedef struct symbolon_cache {
  int32_t pages;
  uint16_t *const *page; /* [pages], symbolon_page_bytes each */
} symbolon_cache;

/* One token at one position. Columns of one sequence are adjacent and ascending; earlier positions are in the cache, and
 * the cache has a page for the position. */
typedef struct symbolon_column {
  int32_t token;
  int32_t position;
  const symbolon_cache *cache;
  int32_t wants_logits; /* 0 or 1: a row of logits */
  int32_t wants_hidden; /* 0 or 1: a row of what the head reads, the normed residual */
  int32_t wants_leaf;   /* 0 or 1: the digests that its leaf of the trace commits to */
} symbolon_column;

enum symbolon_operation {
  SYMBOLON_OP_NONE = 0,
  SYMBOLON_OP_ATTENTION_INPUT = 1,
  SYMBOLON_OP_CACHE = 2,
  SYMBOLON_OP_ATTENTION = 3,
  SYMBOLON_OP_FEED_INPUT = 4,
  SYMBOLON_OP_FEED = 5,
  SYMBOLON_OP_OUTPUT = 6,
};

/* Where a value was not finite (or, for the cache, beyond binary16); operation 0 means nowhere. */
typedef struct symbolon_fault {
  int32_t operation, layer, column;
} symbolon_fault;

/* Bytes of one page. */
uint64_t symbolon_page_bytes(const symbolon_model *model);

/* Writes the digest of `size` bytes, on any thread. The kernels bring no hash: whoever wants leaves gives them one. */
typedef void symbolon_hash(const void *bytes, uint64_t size, uint8_t digest[32]);

typedef struct symbolon_workspace symbolon_workspace;

/* Buffers for steps of at most `columns` columns, `logit_rows` of which want logits; all may want hidden rows. NULL when
 * memory is out or the path is not available. */
symbolon_workspace *symbolon_workspace_create(
  const symbolon_model *model, int32_t threads, int32_t columns, int32_t logit_rows, int32_t path);
void symbolon_workspace_destroy(symbolon_workspace *workspace);

/* Lets columns want leaves: their digests are taken with `hash`. */
void symbolon_workspace_hash(symbolon_workspace *workspace, symbolon_hash *hash);

/* Runs one step. Writes each column's keys and values into its cache and, for the columns that want them, rows of logits
 * and hidden rows, both in column order. Blocks; the calling thread works too. Returns the first fault in a fixed order. */
symbolon_fault symbolon_forward(
  symbolon_workspace *workspace, symbolon_pool *pool, const symbolon_column *columns, int32_t count);

/* Logits [row][vocabulary] of the last step. */
const float *symbolon_logits(const symbolon_workspace *workspace);

/* Hidden rows [row][width] of the last step. */
const float *symbolon_hidden(const symbolon_workspace *workspace);

/* Digests [column that wanted a leaf][2 * layers + 1][32] of the last step, in column order: of x_0, and for each layer
 * of its row of keys and values and of what it handed on. */
const uint8_t *symbolon_digests(const symbolon_workspace *workspace);

#endif
