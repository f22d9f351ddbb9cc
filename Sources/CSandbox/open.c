/* libdispatch counts its busy threads by opening /proc/<thread>/stat, and ends the process when it cannot. For a
   confined process that folder is not its own, though the same file lies below /proc/self/task, which it may read.

   This definition takes the place of the C library's for the libraries of this program; it changes nothing else. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The number in /proc/<number>/stat; 0 for any other path. */
static unsigned long thread_of(const char *path) {
  char *end = NULL;
  if (strncmp(path, "/proc/", 6) != 0 || path[6] < '1' || path[6] > '9') return 0;
  unsigned long number = strtoul(path + 6, &end, 10);
  return strcmp(end, "/stat") == 0 ? number : 0;
}

__attribute__((visibility("default"))) int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & (O_CREAT | __O_TMPFILE)) {
    va_list list;
    va_start(list, flags);
    mode = va_arg(list, mode_t);
    va_end(list);
  }
  int file = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (file >= 0 || errno != EACCES) return file;
  unsigned long thread = thread_of(path);
  if (thread == 0) return file;
  char own[64];
  snprintf(own, sizeof own, "/proc/self/task/%lu/stat", thread);
  return (int)syscall(SYS_openat, AT_FDCWD, own, flags, mode);
}
