/* Stands in for the inference layer: every answer takes a time of its own, and says how long that was.

   So that what a request takes beyond it is what the gateway added, to the nanosecond, whoever else is in between. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <symbolon/symbolon.h>
#include <time.h>

/* Between these an answer takes, evenly spread, so that requests do not come in step. 64 connections ask 32 times a
   second then, which LiteLLM can still answer on two processors: what is compared is delay, not a queue. */
#define LEAST_NS 1000000000ull
#define MOST_NS 3000000000ull

static _Atomic uint64_t answers;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* SplitMix64 of the answer's number: the same times in every run. */
static uint64_t span(void) {
  uint64_t value = (atomic_fetch_add(&answers, 1) + 1) * 0x9E3779B97F4A7C15ull;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ value >> 27) * 0x94D049BB133111EBull;
  return LEAST_NS + (value ^ value >> 31) % (MOST_NS - LEAST_NS);
}

static int32_t models(void *self, symbolon_call *call, symbolon_sink *out) {
  (void)self, (void)call;
  return out->write(
      out, symbolon_text("[{\"id\":\"timed\",\"sha256\":\"00\",\"quantization\":\"none\",\"context_length\":4096,"
                         "\"created\":0,\"fingerprint\":\"timed\"}]"));
}

static int32_t count(void *self, symbolon_call *call, symbolon_slice request, uint32_t *tokens) {
  (void)self, (void)call;
  *tokens = (uint32_t)(request.size / 4);
  return SYMBOLON_OK;
}

static int32_t generate(void *self, symbolon_call *call, symbolon_slice request, symbolon_sink *out) {
  uint64_t begin = now(), end = begin + span();
  char event[128];
  (void)self, (void)call, (void)request;
  struct timespec at = {(time_t)(end / 1000000000u), (long)(end % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
  int32_t status = out->write(out, symbolon_text("{\"type\":\"start\",\"prompt_tokens\":8}"));
  if (status) return status;
  snprintf(event, sizeof event, "{\"type\":\"text\",\"text\":\"%" PRIu64 "\",\"tokens\":1}", now() - begin);
  status = out->write(out, symbolon_text(event));
  if (status) return status;
  return out->write(
      out, symbolon_text(
               "{\"type\":\"end\",\"finish_reason\":\"stop\",\"prompt_tokens\":8,\"completion_tokens\":1}"));
}

static int32_t embed(void *self, symbolon_call *call, symbolon_slice request, symbolon_sink *out) {
  (void)self, (void)request, (void)out;
  return symbolon_fail(call, SYMBOLON_UNIMPLEMENTED, "no_embeddings", "This engine only takes time.");
}

#define METHOD(name, flags, signature) \
  {sizeof(symbolon_method), flags, signature, "Timed", (void (*)(void))name, NULL, NULL}
static const symbolon_method all[] = {
    METHOD(models, SYMBOLON_READS, "models() -> (models: json)"),
    METHOD(count, SYMBOLON_READS, "count(request: json) -> (tokens: u32)"),
    METHOD(embed, SYMBOLON_READS, "embed(request: json) -> (embeddings: json)"),
    METHOD(generate, SYMBOLON_STREAMS, "generate(request: json) -> (events: stream<json>)")};
static const symbolon_method *const methods[] = {&all[0], &all[1], &all[2], &all[3]};
static const symbolon_plugin plugin = {.struct_size = sizeof(symbolon_plugin), .abi = SYMBOLON_ABI, .id = "inference",
                                       .version = "1.0.0", .summary = "Answers that take a known time",
                                       .methods = methods, .method_count = 4};

SYMBOLON_EXPORT const symbolon_plugin *symbolon_plugin_entry(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
