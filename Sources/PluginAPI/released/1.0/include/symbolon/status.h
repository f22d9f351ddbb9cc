#ifndef SYMBOLON_STATUS_H
#define SYMBOLON_STATUS_H
/* What a call can end with. The numbers are gRPC's, so that every ecosystem has names for them. */
enum {
  SYMBOLON_OK = 0,
  SYMBOLON_CANCELLED = 1,           /* the caller has gone away */
  SYMBOLON_UNKNOWN = 2,
  SYMBOLON_INVALID_ARGUMENT = 3,    /* wrong whatever the state: do not repeat */
  SYMBOLON_DEADLINE_EXCEEDED = 4,
  SYMBOLON_NOT_FOUND = 5,
  SYMBOLON_ALREADY_EXISTS = 6,
  SYMBOLON_PERMISSION_DENIED = 7,
  SYMBOLON_RESOURCE_EXHAUSTED = 8,  /* a limit, a queue, a quota: repeat later */
  SYMBOLON_FAILED_PRECONDITION = 9, /* not in this state */
  SYMBOLON_ABORTED = 10,
  SYMBOLON_OUT_OF_RANGE = 11,
  SYMBOLON_UNIMPLEMENTED = 12,
  SYMBOLON_INTERNAL = 13,
  SYMBOLON_UNAVAILABLE = 14,        /* no provider just now: repeat later */
  SYMBOLON_DATA_LOSS = 15,
  SYMBOLON_UNAUTHENTICATED = 16
};
#endif
