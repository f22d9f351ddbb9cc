/* One step of a model: a batch of columns in, logits out. Families differ in data alone.
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

/* One transformer layer. E = width, H = heads, G = kv heads, D = head size, R = rotated dimensions, F = feed-forward
 * width. Pointers marked ? may be NULL: then the step goes without. */
typedef struct symbolon_layer {
  const float *attention_norm;                         /* [E] */
  symbolon_matrix query, key, value;                   /* [H*D][E], [G*D][E], [G*D][E] */
  const float *query_bias, *key_bias, *value_bias;     /* ? [H*D], [G*D], [G*D] */
  const float *query_norm, *key_norm;                  /* ? [D], both or none: norms of each head before its rotation */
  symbolon_matrix output;                              /* [E][H*D] */
  const float *output_bias;                            /* ? [E] */
  const float *attention_post_norm;                    /* ? [E]: norms what attention adds to the residual */
  const float *feed_norm;                              /* [E] */
  symbolon_matrix gate, up, down;                      /* [F][E], [F][E], [E][F] */
  const float *gate_bias, *up_bias, *down_bias;        /* ? [F], [F], [E] */
  const float *feed_post_norm;                         /* ? [E]: norms what the feed-forward adds to the residual */
  const float *cosines, *sines;                        /* [context][R/2] */
  int32_t window;                                      /* keys at this distance and beyond are not seen; 0 for none */
} symbolon_layer;

/* A model. Multiples of 32: width, feed_width, heads * head_size. heads is a multiple of kv_heads; head_size and rotated
 * are even, rotated is at most head_size. Either all layers have an `attention_post_norm` and a `feed_post_norm`, or
 * none has. */
typedef struct symbolon_model {
  int32_t width, layers, heads, kv_heads, head_size, feed_width, vocabulary, context;
  int32_t rotated;       /* dimensions of a head that are rotated, R */
  int32_t halves;        /* the partner of rotated dimension i is 0: its neighbour, 1: i + R/2 */
  int32_t gate;          /* symbolon_gate */
  float epsilon;         /* of the norms */
  float score_scale;     /* rn(1/sqrt(D)) */
  float embedding_scale; /* 1, or what the embedding is multiplied by */
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
  int32_t wants_operators; /* 0 or 1: what every operator gave, where `symbolon_workspace_observe` made room */
} symbolon_column;

/* The operators of docs/arithmetic.md, section 12, by their numbers. */
enum symbolon_operation {
  SYMBOLON_OP_NONE = 0,
  SYMBOLON_OP_EMBEDDING = 1,
  SYMBOLON_OP_ATTENTION_NORM = 2,
  SYMBOLON_OP_QUERY = 3,
  SYMBOLON_OP_KEY = 4,
  SYMBOLON_OP_VALUE = 5,
  SYMBOLON_OP_QUERY_NORM = 6,
  SYMBOLON_OP_KEY_NORM = 7,
  SYMBOLON_OP_QUERY_ROTATED = 8,
  SYMBOLON_OP_KEY_ROTATED = 9,
  SYMBOLON_OP_ATTENTION = 10,
  SYMBOLON_OP_ATTENTION_OUTPUT = 11,
  SYMBOLON_OP_ATTENTION_POST_NORM = 12,
  SYMBOLON_OP_ATTENTION_RESIDUAL = 13,
  SYMBOLON_OP_FEED_NORM = 14,
  SYMBOLON_OP_GATE = 15,
  SYMBOLON_OP_UP = 16,
  SYMBOLON_OP_GATED = 17,
  SYMBOLON_OP_DOWN = 18,
  SYMBOLON_OP_FEED_POST_NORM = 19,
  SYMBOLON_OP_FEED_RESIDUAL = 20,
  SYMBOLON_OP_OUTPUT_NORM = 21,
  SYMBOLON_OP_LOGITS = 22,
};

/* The first value of a column that is not finite (or, for keys and values, beyond binary16), of the lowest faulty
 * column, in the order of section 11. Operation 0 means nowhere. */
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

/* Makes room for `columns` columns of a step that want operators, 1 at least. 0 when memory is out. */
int32_t symbolon_workspace_observe(symbolon_workspace *workspace, int32_t columns);

/* Runs one step. Writes each column's keys and values into its cache and, for the columns that want them, rows of logits
 * and hidden rows, both in column order. Blocks; the calling thread works too. Returns the first fault. */
symbolon_fault symbolon_forward(
  symbolon_workspace *workspace, symbolon_pool *pool, const symbolon_column *columns, int32_t count);

/* Logits [row][vocabulary] of the last step. */
const float *symbolon_logits(const symbolon_workspace *workspace);

/* Hidden rows [row][width] of the last step. */
const float *symbolon_hidden(const symbolon_workspace *workspace);

/* Digests [column that wanted a leaf][2 * layers + 1][32] of the last step, in column order: of x_0, and for each layer
 * of its row of keys and values and of what it handed on. */
const uint8_t *symbolon_digests(const symbolon_workspace *workspace);

/* What an operator gave in the last step, in the `index`-th column that wanted operators, and the number of values; NULL
 * and 0 for what the model or the column does not have. `l` is 0 for the embedding, and the number of layers for
 * SYMBOLON_OP_OUTPUT_NORM and SYMBOLON_OP_LOGITS, which columns have that want logits. */
const float *symbolon_observed(
  const symbolon_workspace *workspace, int32_t index, int32_t operation, int32_t l, int32_t *count);

#endif
