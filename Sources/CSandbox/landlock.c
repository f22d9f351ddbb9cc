#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From linux/landlock.h, written out: the headers of Debian 12 know less than its kernels. */
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define RULE_PATH 1
#define RULE_PORT 2
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_MAKE_SOCK (1ull << 9)
#define FS_TRUNCATE (1ull << 14)
#define FS_FIRST 0x1fffull /* what ABI 1 knows; 2 adds bit 13, 3 adds 14, 5 adds 15 */
#define NET_BIND 1ull
#define NET_CONNECT 2ull
#define SCOPE_ALL 3ull

struct ruleset {
  uint64_t files;
  uint64_t network;
  uint64_t scopes;
};

struct __attribute__((packed)) path_rule {
  uint64_t allowed;
  int32_t parent;
};

struct port_rule {
  uint64_t allowed;
  uint64_t port;
};

static uint64_t file_rights(long abi) {
  uint64_t rights = FS_FIRST;
  if (abi >= 2) rights |= 1ull << 13;
  if (abi >= 3) rights |= FS_TRUNCATE;
  if (abi >= 5) rights |= 1ull << 15;
  return rights;
}

/* A path that is not there is not reachable either: nothing to allow. */
static int allow_path(int rules, const symbolon_sandbox_path *path, uint64_t known) {
  struct stat status;
  int descriptor = open(path->path, O_PATH | O_CLOEXEC);
  if (descriptor < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  uint64_t rights = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE;
  if (path->write) rights = known & ~(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_MAKE_SOCK);
  if (fstat(descriptor, &status) == 0 && !S_ISDIR(status.st_mode))
    rights &= FS_READ_FILE | FS_EXECUTE | FS_WRITE_FILE | FS_TRUNCATE;
  struct path_rule rule = {.allowed = rights & known, .parent = descriptor};
  long result = syscall(ADD_RULE, rules, RULE_PATH, &rule, 0);
  close(descriptor);
  return (int)result;
}

void symbolon_confine_files(const symbolon_sandbox *sandbox, symbolon_confinement *report) {
  long abi = syscall(CREATE_RULESET, NULL, 0, 1u);
  if (abi <= 0) return;
  report->landlock_abi = (uint32_t)abi;
  struct ruleset set = {.files = file_rights(abi)};
  size_t size = sizeof set.files;
  if (abi >= 4) {
    set.network = NET_BIND | NET_CONNECT;
    size = 2 * sizeof set.files;
  }
  if (abi >= 6) {
    set.scopes = SCOPE_ALL;
    size = sizeof set;
  }
  int rules = (int)syscall(CREATE_RULESET, &set, size, 0);
  if (rules < 0) return;
  int failed = 0;
  for (uint32_t i = 0; i < sandbox->path_count; i++) failed |= allow_path(rules, &sandbox->paths[i], set.files) != 0;
  for (uint32_t i = 0; abi >= 4 && i < sandbox->port_count; i++) {
    struct port_rule rule = {.allowed = NET_CONNECT, .port = sandbox->ports[i]};
    failed |= syscall(ADD_RULE, rules, RULE_PORT, &rule, 0) != 0;
  }
  /* A rule that could not be added forbids more, not less: confined all the same. */
  (void)failed;
  if (syscall(RESTRICT_SELF, rules, 0) == 0) {
    report->files = 1;
    report->network = abi >= 4;
    report->scopes = abi >= 6;
  }
  close(rules);
}
