#!/usr/bin/env python3
"""Measures Symbolon beside its peers: one line a figure, `NAME VALUE UNIT PEER PEER_VALUE RATIO`.

A ratio above 1 means better than the peer, whether more or less is better. Both sides take turns, so that what else
the machine does hits both, and medians are printed. `-` stands for a figure that has no peer.

    ONLY=engine          a part (engine, host, ledger) or the beginning of a figure's name
    JSON=1               an array of {name, value, unit, peer, peer_value, ratio, median_of}
    ROUNDS=5             how many turns each side takes
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))
import reload
from node import BUILT, MODELS, Node, NodeError

MODEL = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
ROUNDS = int(os.environ.get("ROUNDS") or 5)
LESS_IS_BETTER = ("ms", "us", "ns", "s", "MB", "KiB", "calls")

# Threads, figure of EngineBench, and the same request in the language of engine_peer.py.
ENGINE = [
    (1, "engine.decode.q4_1.t1", "decode 128"),
    (2, "engine.ttft", "ttft"),
    (2, "engine.decode.q4_1.t2", "decode 128"),
    (2, "engine.prefill512.q4_1.t2", "prefill 512"),
]


class Figure:
    """One result and what it is compared with."""

    def __init__(self, name, value, unit, peer=None, peer_value=None, median_of=1):
        self.name, self.value, self.unit, self.median_of = name, value, unit, median_of
        self.peer, self.peer_value = peer, peer_value
        self.ratio = None
        if peer_value:
            self.ratio = peer_value / value if unit in LESS_IS_BETTER else value / peer_value

    def line(self):
        def number(value):
            return "-" if value is None else f"{value:.4g}" if value < 1000 else f"{value:.0f}"

        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        return f"{self.name} {number(self.value)} {self.unit} {self.peer or '-'} {number(self.peer_value)} {ratio}"


class Peer:
    """A program that answers one request a line with one JSON line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[1]} ended instead of answering `{request}`")
        return json.loads(line)["value"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def engine_round(threads):
    """One turn of the engine: figures by name; EngineBench warms up by itself."""
    result = subprocess.run(
        [BUILT / "EngineBench", "--model", MODEL, "--threads", str(threads), "--repeat", "1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    return {found["name"]: found for found in map(json.loads, result.stdout.splitlines())}


def engine(wanted):
    for threads in (1, 2):
        rows = [row for row in ENGINE if row[0] == threads and wanted(row[1])]
        if not rows:
            continue
        ours, theirs = {}, {}
        with Peer(sys.executable, ROOT / "Benchmarks" / "engine_peer.py", MODEL, threads) as peer:
            for _, _, request in rows:
                peer.ask(request)  # Its caches are warm too before anything counts.
            for _ in range(ROUNDS):
                measured = engine_round(threads)
                for _, name, request in rows:
                    ours.setdefault(name, []).append(measured[name]["value"])
                    theirs.setdefault(name, []).append(peer.ask(request))
        for _, name, _ in rows:
            yield Figure(name, statistics.median(ours[name]), measured[name]["unit"], "xllamacpp",
                         statistics.median(theirs[name]), ROUNDS)


def program(executable, *arguments):
    """A part that is measured by a program of its own, peer included: one JSON line a figure."""

    def measure(wanted):
        result = subprocess.run(
            [BUILT / executable, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
        for line in result.stdout.splitlines():
            if line.startswith("{"):
                found = json.loads(line)
                if wanted(found["name"]):
                    yield Figure(found["name"], found["value"], found["unit"], found.get("peer"),
                                 found.get("peer_value"), found.get("median_of", 1))

    return measure


def resident_megabytes(process):
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) / 1000 * 1.024 for line in status if line.startswith("VmRSS:"))


def workers(wanted):
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as folder:
        library = Path(folder) / "libecho.so"
        subprocess.run(
            ["cc", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{ROOT / 'Sources/PluginAPI/include'}",
             "-o", library, ROOT / "Benchmarks/Host/echo.c"], check=True)
        yield from program("symbolon", "bench-workers", "--library", library, "--data", f"{folder}/data")(wanted)


def host(wanted):
    if wanted("host.call.closure_ffi"):
        yield from program("symbolon", "bench-calls")(wanted)
    if wanted("host.call.worker_"):
        yield from workers(wanted)
    if wanted("host.reload."):
        yield from reload.figures(Figure, wanted)
    if wanted("host.ready_ms") or wanted("host.rss_mb"):
        yield from idle_host(wanted)
    if wanted("host.full."):
        yield from full_node(wanted)


def idle_host(wanted):
    """The host alone, without a layer: how soon it is ready, and what it holds then."""
    ready, resident = [], []
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as folder:
        config = Path(folder) / "plugins.conf"
        config.write_text(f'[host]\ndata = "{folder}/data"\n')
        for _ in range(ROUNDS + 1):
            began = time.monotonic()
            process = subprocess.Popen(
                [BUILT / "symbolon", "run", "--config", config], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if not any(b"node ready" in line for line in iter(process.stderr.readline, b"")):
                raise RuntimeError(f"the host ended with status {process.wait()} before it was ready")
            ready.append((time.monotonic() - began) * 1000)
            resident.append(resident_megabytes(process.pid))
            process.terminate()
            process.stderr.read()
            process.wait()
    # The first start makes the identity and reads the libraries from the disk.
    if wanted("host.ready_ms"):
        yield Figure("host.ready_ms", statistics.median(ready[1:]), "ms", median_of=ROUNDS)
    if wanted("host.rss_mb"):
        yield Figure("host.rss_mb", statistics.median(resident[1:]), "MB", median_of=ROUNDS)


def full_node(wanted):
    """The node as plugins.conf describes it, with all its layers."""
    ready, resident = [], []
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as folder:
        for _ in range(ROUNDS + 1):
            node = Node(folder)
            ready.append(node.start() * 1000)
            resident.append(resident_megabytes(node.process.pid))
            node.stop()
    # The first start also makes the identity and the ledger: "a second start" is what is promised.
    if wanted("host.full.ready_ms"):
        yield Figure("host.full.ready_ms", statistics.median(ready[1:]), "ms", median_of=ROUNDS)
    if wanted("host.full.rss_mb"):
        yield Figure("host.full.rss_mb", statistics.median(resident[1:]), "MB", median_of=ROUNDS)


PARTS = {"host": host, "engine": engine, "ledger": program("LedgerBench")}


def main():
    only = os.environ.get("ONLY", "").strip()
    part = only.split(".")[0]
    if part and part not in PARTS:
        print(f"bench: ONLY={only} names no part: there are {', '.join(PARTS)}.", file=sys.stderr)
        return 2

    def wanted(name):
        return name.startswith(only) or only.startswith(name)

    as_json = os.environ.get("JSON") == "1"
    figures, failed = [], False
    for title, measure in PARTS.items():
        if part and title != part:
            continue
        try:
            for figure in measure(wanted):
                figures.append(figure)
                if not as_json:
                    print(figure.line(), flush=True)
        except (NodeError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"bench: {title} could not be measured: {error}", file=sys.stderr)
            failed = True
    if as_json:
        names = ("name", "value", "unit", "peer", "peer_value", "ratio", "median_of")
        print(json.dumps([{name: getattr(figure, name) for name in names} for figure in figures], indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
