#ifndef SYMBOLON_ABI_H
#define SYMBOLON_ABI_H
/* Version, export macro and the rules by which this contract may change.

   RULES OF EVOLUTION
   1. A released entity (struct field, function, constant, id, thread role) is never changed in place and never reused.
   2. Structs grow at the end only. `struct_size` is what the writer of the struct knew; a reader uses a field only
      when `struct_size` covers it (SYMBOLON_HAS). A new field's zero value means the old behaviour. So name the fields
      that you set (`.flags = …`) and let the compiler zero the others.
   3. A struct that is longer than the reader's is taken when all that the reader does not know in it is zero, and
      refused otherwise; an unknown flag is refused. Nobody is asked for what he cannot do.
   4. A NULL function pointer means "not provided". Newly added functions are always optional.
   5. Change comes by addition: a new id revision ("symbolon.log/2"), a new method ("transfer_v2"). Constants are added
      only where the host reads them; what a plugin has to read (a status, an origin) stays as it is.
   6. What is superseded is marked "Deprecated since 1.n: use …" and goes on to work for at least four minor releases
      and a year; it leaves only together with its SYMBOLON_ABI.
   7. There is no unstable part. What is not settled is offered under a vendor's id ("org.example.trace/1") by
      whoever offers it, and keeps that id for good.
   8. SYMBOLON_ABI grows when a plugin built for it could not run on an older host; that is the last resort. The minor
      releases of ABI 1 are marked at their fields ("Since 1.1"); nobody has to ask for them.

   Sources/PluginAPI/released holds the headers of each release, and Scripts/abi-check these ones against them.
   The reasons are in docs/abi.md.

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
