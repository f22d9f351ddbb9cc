#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int limit(int resource, rlim_t most) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) return -1;
  if (now.rlim_max < most) most = now.rlim_max;
  struct rlimit next = {.rlim_cur = most, .rlim_max = most};
  return setrlimit(resource, &next);
}

/* Root without capabilities is an ordinary user who owns root's files. */
static int drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2];
  memset(none, 0, sizeof none);
  return (int)syscall(SYS_capset, &header, none);
}

symbolon_confinement symbolon_confine(const symbolon_sandbox *sandbox) {
  symbolon_confinement report;
  memset(&report, 0, sizeof report);
  report.no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  report.limits = limit(RLIMIT_CORE, 0) == 0 && limit(RLIMIT_NOFILE, sandbox->files) == 0 &&
                  limit(RLIMIT_DATA, sandbox->data_bytes) == 0 && limit(RLIMIT_MEMLOCK, 1 << 20) == 0;
  symbolon_confine_files(sandbox, &report);
  report.capabilities = drop_capabilities() == 0;
  symbolon_confine_calls(sandbox, &report);
  return report;
}

int symbolon_die_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -1;
  /* The parent may have ended before the line above: then nobody would ever send the signal. */
  return getppid() == parent ? 0 : -1;
}

void symbolon_close_from(unsigned first) { close_range(first, ~0u, 0); }

pid_t symbolon_spawn(const char *path, char *const arguments[], char *const environment[], int output, int control,
                     int memory) {
  /* Sources above all targets, so that no dup2 overwrites what a later one needs. */
  int sources[3] = {output, control, memory};
  int high[3] = {-1, -1, -1};
  int failure = 0;
  pid_t process = -1;
  for (int i = 0; i < 3; i++) {
    high[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 16);
    if (high[i] < 0) failure = errno;
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, high[0], 1);
  posix_spawn_file_actions_adddup2(&actions, high[0], 2);
  posix_spawn_file_actions_adddup2(&actions, high[1], 3);
  posix_spawn_file_actions_adddup2(&actions, high[2], 4);
  posix_spawn_file_actions_addclosefrom_np(&actions, 5);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  if (!failure) failure = posix_spawn(&process, path, &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  for (int i = 0; i < 3; i++)
    if (high[i] >= 0) close(high[i]);
  errno = failure;
  return failure ? -1 : process;
}

int symbolon_limit_data(pid_t process, uint64_t bytes) {
  struct rlimit now;
  if (prlimit(process, RLIMIT_DATA, NULL, &now) != 0) return -1;
  if (now.rlim_cur <= bytes) return 0;
  now.rlim_cur = bytes;
  now.rlim_max = bytes;
  return prlimit(process, RLIMIT_DATA, &now, NULL);
}

int symbolon_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

int symbolon_alarm(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void symbolon_ring(int alarm) { eventfd_write(alarm, 1); }

int symbolon_pidfd(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int symbolon_pidfd_kill(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int symbolon_reap(pid_t process, symbolon_ending *ending) {
  int status = 0;
  pid_t found;
  do found = waitpid(process, &status, 0);
  while (found < 0 && errno == EINTR);
  if (found != process) return -1;
  ending->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ending->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return 0;
}

static uint64_t *memory_at_death;

/* Only what may be called in a signal handler. */
static void note_memory(int signal_number) {
  char text[128];
  uint64_t fields[3] = {0, 0, 0};
  int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  ssize_t count = file < 0 ? 0 : read(file, text, sizeof text);
  int field = 0;
  for (ssize_t i = 0; i < count && field < 3; i++) {
    if (text[i] == ' ') field++;
    if (field < 3 && text[i] >= '0' && text[i] <= '9') fields[field] = fields[field] * 10 + (uint64_t)(text[i] - '0');
  }
  if (fields[1] > fields[2]) *memory_at_death = (fields[1] - fields[2]) * (uint64_t)sysconf(_SC_PAGESIZE);
  raise(signal_number); /* With its usual effect, which was restored when this handler began. */
}

void symbolon_note_memory_at_death(uint64_t *place) {
  static const int fatal[] = {SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGFPE, SIGTRAP};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  memory_at_death = place;
  action.sa_handler = note_memory;
  action.sa_flags = (int)SA_RESETHAND | SA_ONSTACK;
  for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) sigaction(fatal[i], &action, NULL);
}
