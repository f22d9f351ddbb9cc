#!/usr/bin/env python3
"""The peer of the engine: llama.cpp through xllamacpp, on the same file with the same number of threads.

    engine_peer.py MODEL THREADS

Reads one request a line, answers one JSON line {"value", "unit"}, so that the driver can take turns:

    prefill N    tokens a second over a prompt of N tokens
    decode N     tokens a second over N tokens after a prompt of 16
    ttft         milliseconds from a first chat message as text to the first token

No prompt is answered from a cache, and no text decides how long an answer is.
"""

import json
import os
import sys
import time


# The same message as in EngineBench.
QUESTION = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nI keep a small garden on a balcony that faces north, and most of what I plant there grows "
    "tall and thin and never flowers. I water it every second day and use fertiliser once a month. Which vegetables "
    "and herbs do well with little sun, when should I sow them, and what should I change about how I water the pots? "
    "Please answer in a short list with one sentence for each plant, and say which one to try first.<|im_end|>\n"
    "<|im_start|>assistant\n"
)


def load(model, threads):
    # llama.cpp logs to both standard streams; the answers keep the one that was given to us.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_ctx = 2048
    params.n_parallel = 1
    params.warmup = True
    return answers, xllamacpp.Server(params)


def prompt(count):
    """Token ids of the ordinary vocabulary, the same as EngineBench's."""
    return [1000 + index * 37 % 40000 for index in range(count)]


def complete(server, text_or_tokens, predict, callback=None):
    request = {"prompt": text_or_tokens, "n_predict": predict, "cache_prompt": False, "temperature": 0,
               "ignore_eos": True, "stream": callback is not None}
    return server.handle_completions(request, callback) if callback else server.handle_completions(request)


def measure(server, what, count):
    if what == "prefill":
        return complete(server, prompt(count), 1)["timings"]["prompt_per_second"], "tok/s"
    if what == "decode":
        return complete(server, prompt(16), count)["timings"]["predicted_per_second"], "tok/s"
    if what == "ttft":
        first = []
        began = time.perf_counter()
        complete(server, QUESTION, 2, lambda _: first or first.append(time.perf_counter()))
        return (first[0] - began) * 1000, "ms"
    raise SystemExit(f"engine_peer: unknown request {what!r}")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: engine_peer.py MODEL THREADS")
    answers, server = load(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        what, _, count = line.strip().partition(" ")
        value, unit = measure(server, what, int(count or 0))
        answers.write(json.dumps({"value": value, "unit": unit}) + "\n")


if __name__ == "__main__":
    main()
