#ifndef SYMBOLON_EXTENSIONS_OFFLINE_H
#define SYMBOLON_EXTENSIONS_OFFLINE_H
/* Commands of a layer that need no node. `symbolon <layer> <command> …` opens the library in its own process, with the
   checks of a node, calls create, start, the method, stop and destroy, and ends. There the plugin has no settings, no
   other plugins, a folder that is removed afterwards, and the node's identity if it was granted symbolon.identity/1.
   A node does not offer these methods: they work on files of whoever types the command.

   Such a method is neither TRANSITION nor PUBLIC. When its one argument is `json`, `members` says what the object may
   hold: `--max-tokens 8` becomes {"max_tokens":8}, --help shows the list, and what it does not list is refused.

   Messages of a result `json` or `stream<json>` that are objects with a "type" are shown so, and other ones as they are:
     {"type":"progress","what":"…","done":3,"total":10}   a bar on a terminal, nothing elsewhere
     {"type":"text","text":"…"}                           as it comes; not with --json
     {"type":"result",…}                                  at the end, and the only thing that --json prints; when it
                                                          holds "ok":false the exit status is 1 */
#include "../abi.h"

#define SYMBOLON_OFFLINE "symbolon.offline/1"

enum {
  SYMBOLON_MEMBER_REQUIRED = 1u << 0,
  SYMBOLON_MEMBER_POSITIONAL = 1u << 1 /* takes the next word without a name */
};

typedef struct symbolon_offline_member {
  uint32_t struct_size;
  uint32_t flags;      /* SYMBOLON_MEMBER_…; an unknown flag is refused */
  const char *name;    /* eg: "max_tokens"; [a-z][a-z0-9_]*, at most 48 bytes */
  const char *type;    /* text, texts (given again for more), integer, number, flag, path (made absolute), json,
                          document (the name of a JSON file, or - for standard input; its content is the member) */
  const char *summary; /* one line */
} symbolon_offline_member;

typedef struct symbolon_offline_method {
  uint32_t struct_size;
  uint32_t member_count; /* at most 64 */
  const char *method;    /* eg: "replay": a method of the same plugin */
  const symbolon_offline_member *const *members;
} symbolon_offline_method;

typedef struct symbolon_offline {
  uint32_t struct_size;
  uint32_t count; /* at most 64 */
  const symbolon_offline_method *const *methods;
} symbolon_offline;
#endif
