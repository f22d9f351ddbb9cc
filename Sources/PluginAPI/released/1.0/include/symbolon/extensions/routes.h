#ifndef SYMBOLON_EXTENSIONS_ROUTES_H
#define SYMBOLON_EXTENSIONS_ROUTES_H
/* HTTP routes of a layer, for protocols that are not ours (the OpenAI API).

   The method has the signature  NAME(verb: text, path: text, headers: json, body: bytes) -> (response: stream<bytes>)
   and must be PUBLIC. `path` includes the query; header names are lower case. The first message is a JSON head
   {"status":200,"headers":{"content-type":"…"}}, the following are the body. A failure before the head becomes a JSON
   error response. */
#include "../abi.h"

#define SYMBOLON_ROUTES "symbolon.routes/1"

typedef struct symbolon_route {
  uint32_t struct_size;
  uint32_t reserved;
  const char *verb;   /* eg: "POST" */
  const char *path;   /* eg: "/v1/models/{id}"; {name} matches one segment */
  const char *method; /* eg: "http": a method of the same plugin */
} symbolon_route;

typedef struct symbolon_routes {
  uint32_t struct_size;
  uint32_t count;
  const symbolon_route *const *routes;
} symbolon_routes;
#endif
