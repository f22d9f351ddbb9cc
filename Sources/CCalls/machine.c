#define _GNU_SOURCE /* syscall, memfd_create */
#include "machine.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int symbolon_machine_landlock(void) {
  long version = syscall(SYS_landlock_create_ruleset, (void *)0, (size_t)0, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
  return version > 0 ? (int)version : 0;
}

int symbolon_machine_seccomp(void) {
  unsigned action = SECCOMP_RET_ERRNO;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0u, &action) == 0;
}

int symbolon_machine_pidfd(void) {
  long descriptor = syscall(SYS_pidfd_open, getpid(), 0u);
  if (descriptor < 0) return 0;
  close((int)descriptor);
  return 1;
}

int symbolon_machine_memfd(void) {
  int descriptor = memfd_create("symbolon-doctor", MFD_CLOEXEC);
  if (descriptor < 0) return 0;
  close(descriptor);
  return 1;
}
