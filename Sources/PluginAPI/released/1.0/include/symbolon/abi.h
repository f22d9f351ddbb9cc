#ifndef SYMBOLON_ABI_H
#define SYMBOLON_ABI_H
/* Version, export macro and the rules by which this contract may change.

   RULES OF EVOLUTION
   1. A released entity (struct field, function, constant, id) is never changed in place and never reused.
   2. Structs grow at the end only. `struct_size` is what the writer of the struct knew; a reader uses a field only
      when `struct_size` covers it (SYMBOLON_HAS). A new field's zero value means the old behaviour.
   3. A NULL function pointer means "not provided". Newly added functions are always optional.
   4. Change comes by addition: a new id revision ("symbolon.log/2"), a new method ("transfer_v2").
   5. SYMBOLON_ABI grows when a plugin built for it could not run on an older host; that is the last resort.

   THREAD ROLES, named at the end of each function's comment as guarantees, not as operating-system threads
     [control]     the host's one control thread: entry, create, start, stop, destroy are never concurrent
     [call]        any thread on which a method runs; several at once
     [any]         any thread, any time between create and destroy

   A plugin lives in a process it does not own: it never calls signal, fork, exit, chdir, setlocale, setenv, never
   unwinds (exceptions, longjmp) across this border, and ends its own threads in stop(). */
#include <stddef.h>
#include <stdint.h>

/* The version of this contract: a plugin built for a higher one is refused with a sentence that names both. */
#define SYMBOLON_ABI 1

#if defined(__cplusplus)
#define SYMBOLON_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define SYMBOLON_EXPORT __attribute__((visibility("default")))
#endif

/* True when the struct at `pointer` was written by someone who knew `field`. */
#define SYMBOLON_HAS(pointer, type, field) \
  ((pointer)->struct_size >= offsetof(type, field) + sizeof(((type *)0)->field))
#endif
