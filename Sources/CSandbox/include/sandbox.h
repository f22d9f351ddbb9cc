#ifndef SYMBOLON_SANDBOX_H
#define SYMBOLON_SANDBOX_H
/* What a worker takes from itself before it loads a library: files, network, system calls, memory.

   All of it holds for the calling thread and whatever it starts later, so it is done while there is one thread. Each
   part is reported on its own: what a kernel does not know is named, never assumed. */
#include <stdint.h>
#include <sys/types.h>

/* A folder or file below which files may be read, and changed when `write` is set. */
typedef struct symbolon_sandbox_path {
  const char *path;
  uint32_t write;
} symbolon_sandbox_path;

typedef struct symbolon_sandbox {
  const symbolon_sandbox_path *paths;
  uint32_t path_count;
  uint32_t port_count;
  const uint16_t *ports;   /* TCP ports that may be connected to */
  uint64_t data_bytes;     /* private memory that may be written */
  uint32_t files;          /* open descriptors */
} symbolon_sandbox;

/* What the running kernel enforces now: 1 or 0. */
typedef struct symbolon_confinement {
  uint32_t no_new_privileges;
  uint32_t landlock_abi; /* 0: this kernel has none */
  uint32_t files;
  uint32_t network;
  uint32_t scopes; /* signals and abstract sockets */
  uint32_t system_calls;
  uint32_t capabilities; /* all dropped */
  uint32_t limits;
} symbolon_confinement;

/* Confines this process; gives back what holds. */
symbolon_confinement symbolon_confine(const symbolon_sandbox *sandbox);

/* The parts, each with what it reports. */
void symbolon_confine_files(const symbolon_sandbox *sandbox, symbolon_confinement *report);
void symbolon_confine_calls(const symbolon_sandbox *sandbox, symbolon_confinement *report);

/* Ends this process with its parent `parent`; -1 when the parent is gone already. */
int symbolon_die_with(pid_t parent);
/* Closes every descriptor from `first` on. */
void symbolon_close_from(unsigned first);

/* Starts `path` with the three descriptors as 1 and 2, 3, and 4, in a process group of its own, with all signals at
   their defaults and nothing else inherited; gives back the process, or -1 with errno. */
pid_t symbolon_spawn(const char *path, char *const arguments[], char *const environment[], int output, int control,
                     int memory);
/* Lowers how much private writable memory a process may have; never raises it. 0, or -1 with errno. */
int symbolon_limit_data(pid_t process, uint64_t bytes);
/* A pipe whose reading end does not block. */
int symbolon_pipe(int ends[2]);
/* A descriptor that is readable once `symbolon_ring` was called on it. */
int symbolon_alarm(void);
void symbolon_ring(int alarm);
/* A descriptor that is readable once the process has ended. */
int symbolon_pidfd(pid_t process);
int symbolon_pidfd_kill(int pidfd, int signal);

/* When a fatal signal ends this process, the private memory that it held then, in bytes, is stored in `place`: the
   kernel's own record of a child's memory counts its parent's before exec. */
void symbolon_note_memory_at_death(uint64_t *place);

/* How a child ended. */
typedef struct symbolon_ending {
  int32_t signal; /* 0: it ended itself */
  int32_t status;
} symbolon_ending;

/* Collects a child that has ended; 0, or -1 with errno. */
int symbolon_reap(pid_t process, symbolon_ending *ending);
#endif
