/* Prints the digest of every check on every path of the machine that runs it: digests SEED ROUNDS. */
#include "InferenceKernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words) {
  if (count != 3) return 2;
  const uint64_t seed = strtoull(words[1], NULL, 10);
  for (int32_t path = 0; path < 4; path++)
    for (int32_t check = 0; check < symbolon_checks(); check++)
      if (symbolon_path_available(path))
        printf("%s %s %016" PRIx64 "\n", symbolon_path_name(path), symbolon_check_name(check),
               symbolon_check_digest(path, check, seed, atoi(words[2])));
  return 0;
}
