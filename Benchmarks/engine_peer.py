"""Measures llama.cpp (the xllamacpp wheel) as Benchmarks/Engine measures our engine; prints one JSON line a figure.

    .venv/bin/python Benchmarks/engine_peer.py --model PATH [--threads N] [--repeat N]
"""
import argparse
import json
import os
import re
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../Scripts/reference"))
from peer import Peer  # noqa: E402


def question():
    """The prompt of engine.ttft, as Benchmarks/Engine/main.swift has it."""
    source = open(os.path.join(os.path.dirname(__file__), "Engine/main.swift")).read()
    block = source[source.index("let question ="):source.index("func median")]
    return "".join(json.loads(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', block))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    peer = Peer(arguments.model, arguments.threads, context=1024)
    prompt = [1000 + i * 37 % 40000 for i in range(512)]
    text = question()
    decode, prefill, first = [], [], []
    for round_ in range(arguments.repeat + 1):
        peer.clear()
        began = time.perf_counter()
        peer.decode(prompt)
        reading = time.perf_counter() - began
        peer.clear()
        token = int(peer.decode(prompt[:16])[0].argmax())
        began = time.perf_counter()
        for position in range(16, 144):
            token = int(peer.decode([token], position)[0].argmax())
        writing = time.perf_counter() - began
        peer.clear()
        began = time.perf_counter()
        int(peer.decode(peer.tokenize(text, True))[0].argmax())
        answering = time.perf_counter() - began
        if round_:
            prefill.append(512 / reading)
            decode.append(128 / writing)
            first.append(answering * 1000)
    kind = re.search(r"\.(\w+)\.gguf$", arguments.model)
    kind = kind.group(1).lower() if kind else "unknown"
    for name, values, unit in ((f"engine.decode.{kind}.t{arguments.threads}", decode, "tok/s"),
                               (f"engine.prefill512.{kind}.t{arguments.threads}", prefill, "tok/s"),
                               ("engine.ttft", first, "ms")):
        print(json.dumps({"name": name, "value": round(statistics.median(values), 2), "unit": unit,
                          "median_of": len(values)}))


main()
