#!/usr/bin/env python3
"""The peer of the engine: llama.cpp through xllamacpp, on the same file with the same number of threads.

    engine_peer.py MODEL THREADS [SLOTS]

Reads one request a line, answers one JSON line {"value", "unit"}, so that the driver can take turns:

    prefill N    tokens a second over a prompt of N tokens
    decode N     tokens a second over N tokens after a prompt of 16
    ttft         milliseconds from a first chat message as text to the first token
    batch8 N     tokens a second of eight chats at once, N tokens each; wants 8 SLOTS

No prompt is answered from a cache, and no text decides how long an answer is.
"""

import json
import os
import sys
import threading
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
# The same subjects as in EngineBench.
SUBJECTS = ("a pendulum clock", "a steam engine", "a honey bee", "a suspension bridge", "the tide", "a printing press",
            "a violin", "yeast in bread")


def load(model, threads, slots):
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
    params.n_parallel = slots
    params.warmup = True
    return answers, xllamacpp.Server(params)


def prompt(count):
    """Token ids of the ordinary vocabulary, the same as EngineBench's."""
    return [1000 + index * 37 % 40000 for index in range(count)]


def complete(server, text_or_tokens, predict, callback=None):
    request = {"prompt": text_or_tokens, "n_predict": predict, "cache_prompt": False, "temperature": 0,
               "ignore_eos": True, "stream": callback is not None}
    return server.handle_completions(request, callback) if callback else server.handle_completions(request)


def chats(server, predict):
    """Eight chats at once: tokens of all answers a second, prompts included in the time."""
    written = []

    def chat(subject):
        message = f"Explain in a few plain sentences how {subject} works."
        answer = server.handle_chat_completions({
            "messages": [{"role": "user", "content": message}], "max_tokens": predict, "cache_prompt": False,
            "temperature": 0, "ignore_eos": True})
        written.append(answer["usage"]["completion_tokens"])

    threads = [threading.Thread(target=chat, args=(subject,)) for subject in SUBJECTS]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if len(written) != len(SUBJECTS):
        raise SystemExit("engine_peer: not every chat was answered")
    return sum(written) / seconds


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
    if what == "batch8":
        return chats(server, count), "tok/s"
    raise SystemExit(f"engine_peer: unknown request {what!r}")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: engine_peer.py MODEL THREADS [SLOTS]")
    slots = int(sys.argv[3]) if len(sys.argv) == 4 else 1
    answers, server = load(sys.argv[1], int(sys.argv[2]), slots)
    for line in sys.stdin:
        what, _, count = line.strip().partition(" ")
        value, unit = measure(server, what, int(count or 0))
        answers.write(json.dumps({"value": value, "unit": unit}) + "\n")


if __name__ == "__main__":
    main()
