/* The engine's kernels: canonical arithmetic on the CPU, the same bits on every path.
 *
 * Read in this order: arithmetic.h (the rules), matrix.h (weights), operations.h (what a path is),
 * forward.h (one step of the model), pool.h (threads), self_test.h (known answers). */
#ifndef SYMBOLON_INFERENCE_KERNELS_H
#define SYMBOLON_INFERENCE_KERNELS_H

#include "arithmetic.h"
#include "forward.h"
#include "matrix.h"
#include "memory.h"
#include "operations.h"
#include "pool.h"
#include "sampling.h"
#include "self_test.h"

#endif
