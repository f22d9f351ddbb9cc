/* Asks one chat after another on each of several connections, and says how long they took beyond the engine's time.

   load PORT CONNECTIONS SECONDS KEY BODY: one JSON line with p50 and p99 in milliseconds. The engine writes its own
   nanoseconds as the answer's text (engine.c). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_ANSWERS 1000000
#define MOST_CONNECTIONS 1024
#define MOST_BYTES 65536

typedef struct connection {
  int socket;
  uint64_t begin;
  size_t size;
  char answer[MOST_BYTES + 1];
} connection;

static connection connections[MOST_CONNECTIONS];
static double added[MOST_ANSWERS];
static char request[MOST_BYTES];
static size_t request_size;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void ask(connection *to) {
  to->begin = now();
  to->size = 0;
  if (send(to->socket, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) fail("send");
}

/* Whether the answer is complete: by its length, or by the last chunk. */
static int is_complete(connection *of) {
  of->answer[of->size] = 0;
  char *end = strstr(of->answer, "\r\n\r\n");
  if (!end) return 0;
  size_t head = (size_t)(end - of->answer) + 4;
  for (char *line = of->answer; line < end; line = strstr(line, "\r\n") + 2)
    if (strncasecmp(line, "content-length:", 15) == 0) return of->size >= head + strtoull(line + 15, NULL, 10);
  return of->size >= head + 5 && memcmp(of->answer + of->size - 5, "0\r\n\r\n", 5) == 0;
}

static double take(connection *from) {
  uint64_t took = now() - from->begin;
  char *text = strstr(from->answer, "\"content\":\"");
  if (strncmp(from->answer, "HTTP/1.1 200", 12) != 0 || !text) {
    fprintf(stderr, "load: not an answer: %.300s\n", from->answer);
    exit(1);
  }
  return ((double)took - strtod(text + 11, NULL)) / 1e6;
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

int main(int count, char **words) {
  if (count != 6) return fprintf(stderr, "load PORT CONNECTIONS SECONDS KEY BODY\n"), 2;
  int wanted = atoi(words[2]), queue = epoll_create1(0);
  if (wanted < 1 || wanted > MOST_CONNECTIONS || queue < 0) return 2;
  request_size = (size_t)snprintf(
      request, sizeof request,
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
      words[4], strlen(words[5]), words[5]);
  if (request_size >= sizeof request) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0, on = 1; i < wanted; i++) {
    int own = socket(AF_INET, SOCK_STREAM, 0);
    if (own < 0 || connect(own, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(own, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[i].socket = own;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, own, &event) != 0) fail("epoll_ctl");
    ask(&connections[i]);
  }
  /* The first answers come while connections are still made: they do not count. */
  uint64_t start = now() + 1000000000u, end = start + (uint64_t)atoi(words[3]) * 1000000000u;
  size_t answers = 0;
  while (now() < end && answers < MOST_ANSWERS) {
    struct epoll_event event;
    if (epoll_wait(queue, &event, 1, 1000) < 1) continue;
    connection *of = &connections[event.data.u32];
    ssize_t got = recv(of->socket, of->answer + of->size, MOST_BYTES - of->size, 0);
    if (got <= 0) fail("recv");
    of->size += (size_t)got;
    if (!is_complete(of)) continue;
    double beyond = take(of);
    if (of->begin >= start) added[answers++] = beyond;
    ask(of);
  }
  if (answers < 20) return fprintf(stderr, "load: only %zu answers\n", answers), 1;
  qsort(added, answers, sizeof *added, ascending);
  printf("{\"p50\":%.4f,\"p99\":%.4f,\"answers\":%zu}\n", added[answers / 2], added[answers * 99 / 100], answers);
  return 0;
}
