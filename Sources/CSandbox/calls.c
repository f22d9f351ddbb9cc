#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The macros of libseccomp leave out the second operand where there is none. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* What an ordinary program with threads needs. Everything else ends with EPERM: starting programs, tracing, mounting,
   keys, modules, io_uring, other users, sockets of its own. Files are Landlock's matter. */
static const char *const allowed[] = {
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "close",
    "close_range", "lseek", "fstat", "stat", "lstat", "newfstatat", "statx", "fstatfs", "statfs", "open", "openat",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd",
    "chdir", "fchdir", "mkdir", "mkdirat", "rmdir",
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "ftruncate",
    "truncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "fadvise64", "copy_file_range", "sendfile",
    "splice", "tee", "flock", "fchmod", "fchown", "umask", "dup", "dup2", "dup3", "fcntl", "pipe", "pipe2",
    /* memory */
    "mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "msync", "mincore", "mlock", "munlock", "mlock2",
    "memfd_create", "membarrier",
    /* threads and time */
    "futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "gettid", "getpid",
    "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getpgrp", "getpgid", "getsid", "sched_yield",
    "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
    "sched_get_priority_min", "getcpu", "getpriority", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigpending", "rt_sigtimedwait", "sigaltstack", "restart_syscall", "nanosleep",
    "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getrusage", "sysinfo",
    "uname", "getrandom", "exit", "exit_group", "pause", "arch_prctl", "getrlimit",
    /* waiting */
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd4",
    "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    /* sockets that were given to it */
    "recvmsg", "recvfrom", "recvmmsg", "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt", "accept",
    "accept4"};

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

static int allow_when(scmp_filter_ctx filter, const char *name, unsigned count, const struct scmp_arg_cmp *when) {
  int number = seccomp_syscall_resolve_name(name);
  /* A call that this architecture never had cannot be made either. */
  if (number == __NR_SCMP_ERROR || number < 0) return 0;
  int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, when);
  return result == -EDOM ? 0 : result;
}

/* Connecting a stream that bypasses connect() would bypass Landlock's check of the port. */
static int allow_sending(scmp_filter_ctx filter) {
  struct scmp_arg_cmp to = SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0);
  struct scmp_arg_cmp message = SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0);
  return allow_when(filter, "sendto", 1, &to) | allow_when(filter, "sendmsg", 1, &message) |
         allow_when(filter, "sendmmsg", 1, &to);
}

/* Threads, but no processes; signals to itself; names for threads. */
static int allow_itself(scmp_filter_ctx filter) {
  pid_t self = getpid();
  struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
  struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)self);
  struct scmp_arg_cmp set_name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME);
  struct scmp_arg_cmp get_name = SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME);
  struct scmp_arg_cmp read_limit = SCMP_A2(SCMP_CMP_EQ, 0);
  struct scmp_arg_cmp own_times = SCMP_A1(SCMP_CMP_EQ, 0);
  int result = allow_when(filter, "clone", 1, &thread) | allow_when(filter, "tgkill", 1, &own) |
               allow_when(filter, "kill", 1, &own) | allow_when(filter, "prctl", 1, &set_name) |
               allow_when(filter, "prctl", 1, &get_name) | allow_when(filter, "prlimit64", 1, &read_limit) |
               allow_when(filter, "utimensat", 1, &own_times);
  /* Its flags lie in memory where no filter can see them; the C library then takes clone. */
  return result | seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int allow_terminal_questions(scmp_filter_ctx filter) {
  /* TCGETS, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX */
  static const uint64_t requests[] = {0x5401, 0x541b, 0x5421, 0x5451, 0x5450};
  int result = 0;
  for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
    struct scmp_arg_cmp request = SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, requests[i]);
    result |= allow_when(filter, "ioctl", 1, &request);
  }
  return result;
}

/* Streams alone, so that no datagram names an address; TCP only where Landlock holds it to ports. Whoever can make no
   sockets may listen on one that the host gave it: on one of its own that would open a port. */
static int allow_sockets(scmp_filter_ctx filter, const symbolon_sandbox *sandbox, const symbolon_confinement *report) {
  struct scmp_arg_cmp pair[] = {SCMP_A0(SCMP_CMP_EQ, AF_UNIX), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM)};
  int result = allow_when(filter, "socketpair", 2, pair);
  if (sandbox->port_count == 0 || !report->network) return result | allow_when(filter, "listen", 0, NULL);
  static const int families[] = {AF_INET, AF_INET6};
  static const int protocols[] = {0, 6}; /* not Multipath TCP, which Landlock does not know */
  for (int i = 0; i < 4; i++) {
    struct scmp_arg_cmp stream[] = {
        SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i / 2]), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM),
        SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)protocols[i % 2])};
    result |= allow_when(filter, "socket", 3, stream);
  }
  return result | allow_when(filter, "connect", 0, NULL);
}

void symbolon_confine_calls(const symbolon_sandbox *sandbox, symbolon_confinement *report) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (!filter) return;
  int failed = 0;
  for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
    failed |= allow_when(filter, allowed[i], 0, NULL);
  failed |= allow_sending(filter) | allow_itself(filter) | allow_terminal_questions(filter) |
            allow_sockets(filter, sandbox, report);
  failed |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (!failed && seccomp_load(filter) == 0) report->system_calls = 1;
  seccomp_release(filter);
}
