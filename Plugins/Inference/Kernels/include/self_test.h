/* Known answers: what every operation of every path must give on the same made-up input, bit for bit.
 *
 * The input comes from integers alone, so that another machine makes the same. The answers were not made by these
 * kernels: a test computes them anew with the plain Swift implementation. The engine runs all checks of its path at
 * every start and refuses to serve if one fails; tests run more rounds, and the same code under other instruction
 * sets. */
#ifndef SYMBOLON_SELF_TEST_H
#define SYMBOLON_SELF_TEST_H

#include <stdint.h>

#include "operations.h"

/* How many checks there are, and what number `check` is about: "quantise", "multiply.q4_1", "softmax", ... */
int32_t symbolon_checks(void);
const char *symbolon_check_name(int32_t check);

/* A digest of everything that a check computes on `path` in `rounds` rounds of input that begins with `seed`. The path
 * must be available. */
uint64_t symbolon_check_digest(int32_t path, int32_t check, uint64_t seed, int32_t rounds);

/* The digest that seed 1 and the rounds of the start give on every path. */
uint64_t symbolon_check_answer(int32_t check);
#define SYMBOLON_CHECK_ROUNDS 9

/* Runs all checks of a path, in some milliseconds. NULL if all give the known answers, else the name of the first that
 * does not, or of the path if it is not available here. */
const char *symbolon_self_test(int32_t path);

/* The same for a table of operations, which need not be that of a path. */
const char *symbolon_test_operations(const symbolon_operations *operations);

#endif
