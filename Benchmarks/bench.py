#!/usr/bin/env python3
"""Measures Symbolon beside its peers: one line a figure, `NAME VALUE UNIT PEER PEER_VALUE RATIO BOUND`.

A ratio above 1 means better than the peer, whether more or less is better. Both sides take turns, so that what else
the machine does hits both, and medians are printed. `-` stands for a figure that has no peer. BOUND is what was
promised, of the ratio (`>=`) or of the value (`<=`, or without a peer): `>=2.0:met` or `>=2.0:missed`.

    ONLY=engine          a part (engine, gateway, host, ledger) or the beginning of a figure's name
    JSON=1               an array of {name, value, unit, peer, peer_value, ratio, bound, met, median_of}
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
import gateway
import reload
import requantise
from node import BUILT, MODELS, Node, NodeError

MODEL = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
ROUNDS = int(os.environ.get("ROUNDS") or 5)
LESS_IS_BETTER = ("ms", "us", "ns", "s", "MB", "KiB", "calls")

GEMMA = MODELS / "gemma-3-270m-q4_k_m.gguf"

# Figure, and the same request in the language of engine_peer.py; by threads and the model's type.
ENGINE = {
    (1, "q4_1"): [("engine.decode.q4_1.t1", "decode 128")],
    (2, "q4_1"): [("engine.ttft", "ttft"), ("engine.decode.q4_1.t2", "decode 128"),
                  ("engine.prefill512.q4_1.t2", "prefill 512")],
    (2, "q4_0"): [("engine.decode.q4_0.t2", "decode 128"), ("engine.prefill512.q4_0.t2", "prefill 512")],
    (2, "q8_0"): [("engine.decode.q8_0.t2", "decode 128"), ("engine.prefill512.q8_0.t2", "prefill 512")],
    (2, "gemma3"): [("engine.decode.gemma3.t2", "decode 128"), ("engine.prefill512.gemma3.t2", "prefill 512")],
}

# What is promised: with `>=` of the ratio to the peer, with `<=` or where there is no peer of the value.
BOUNDS = {
    "engine.decode.q4_1.t1": (">=", 2.0), "engine.decode.q4_1.t2": (">=", 2.0),
    "engine.decode.q4_0.t2": (">=", 1.3), "engine.decode.q8_0.t2": (">=", 1.3),
    "engine.prefill512.q4_1.t2": (">=", 3.0), "engine.prefill512.q4_0.t2": (">=", 1.2),
    "engine.prefill512.q8_0.t2": (">=", 1.3), "engine.decode.gemma3.t2": (">=", 1.2),
    "engine.prefill512.gemma3.t2": (">=", 1.0), "engine.decode.bandwidth": (">=", 70),
    "engine.batch8": (">=", 1.5), "engine.receipt_cost": ("<=", 3), "engine.replay_ratio": ("<=", 0.25),
    "engine.rss_above_file_mb": ("<=", 150),
    "gateway.added_ms.p50": (("<=", 1), (">=", 2)), "gateway.added_ms.p99": (("<=", 8), (">=", 2)),
}


class Figure:
    """One result and what it is compared with."""

    def __init__(self, name, value, unit, peer=None, peer_value=None, median_of=1):
        self.name, self.value, self.unit, self.median_of = name, value, unit, median_of
        self.peer, self.peer_value = peer, peer_value
        self.ratio = None
        if peer_value:
            self.ratio = peer_value / value if unit in LESS_IS_BETTER else value / peer_value
        self.bound = self.met = None
        if name in BOUNDS:
            bounds = BOUNDS[name] if isinstance(BOUNDS[name][0], tuple) else (BOUNDS[name],)
            self.bound = ",".join(f"{sign}{limit}" for sign, limit in bounds)
            self.met = all(self.holds(sign, limit) for sign, limit in bounds)

    def holds(self, sign, limit):
        if sign == "<=":
            return self.value <= limit
        return (self.value if self.ratio is None else self.ratio) >= limit

    def line(self):
        def number(value):
            return "-" if value is None else f"{value:.4g}" if value < 1000 else f"{value:.0f}"

        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        bound = "-" if self.bound is None else f"{self.bound}:{'met' if self.met else 'missed'}"
        return (f"{self.name} {number(self.value)} {self.unit} {self.peer or '-'} {number(self.peer_value)} {ratio} "
                f"{bound}")


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


def engine_round(model, threads, *figures):
    """One turn of the engine: figures by name; EngineBench warms up by itself."""
    result = subprocess.run(
        [BUILT / "EngineBench", "--model", model, "--threads", str(threads), "--repeat", "1",
         "--figures", ",".join(figures)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    found = {found["name"]: found for found in map(json.loads, result.stdout.splitlines())}
    return {name: (figure["value"], figure["unit"]) for name, figure in found.items()}


def engine(wanted):
    failed = []
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as folder:
        for (threads, kind), rows in ENGINE.items():
            rows = [row for row in rows if wanted(row[0])]
            if not rows:
                continue
            model = {"q4_1": MODEL, "gemma3": GEMMA}.get(kind) or Path(folder) / f"{kind}.gguf"
            if kind == "gemma3" and not model.exists():
                print(f"bench: no {model}: Gemma's rows are left out.", file=sys.stderr)
                continue
            try:
                if not model.exists():
                    requantise.requantise(MODEL, kind, model)
                yield from beside_peer(model, threads, kind, rows)
            except (RuntimeError, subprocess.CalledProcessError) as error:
                # A model that one side cannot run takes no row of the others with it.
                failed.append(f"{kind}: {error}")
    if wanted("engine.batch8"):
        yield from beside_peer(MODEL, 2, "q4_1", [("engine.batch8", "batch8 64")], slots=8)
    yield from engine_alone(wanted)
    if failed:
        raise RuntimeError("; ".join(failed))


def engine_alone(wanted):
    """The rows without a peer."""
    if wanted("engine.decode.bandwidth"):
        yield bandwidth()
    receipts = [name for name in ("engine.receipt_cost", "engine.replay_ratio") if wanted(name)]
    if receipts:
        rounds = [engine_round(MODEL, 2, "receipts") for _ in range(ROUNDS)]
        for name in receipts:
            values = [measured[f"{name}.t2"] for measured in rounds]
            yield Figure(name, statistics.median(value for value, _ in values), values[0][1], median_of=ROUNDS)
    if wanted("engine.rss_above_file_mb"):
        values = [engine_round(MODEL, 2, "residence")["engine.rss_above_file_mb"][0] for _ in range(ROUNDS)]
        yield Figure("engine.rss_above_file_mb", statistics.median(values), "MB", median_of=ROUNDS)


def beside_peer(model, threads, kind, rows, slots=1):
    """The rows of a model, engine and peer in turns."""
    figures = [request.split()[0] for _, request in rows]
    ours, theirs, units = {}, {}, {}
    with Peer(sys.executable, ROOT / "Benchmarks" / "engine_peer.py", model, threads, slots) as peer:
        for _, request in rows:
            peer.ask(request)  # Its caches are warm too before anything counts.
        for _ in range(ROUNDS):
            measured = engine_round(model, threads, *figures)
            for name, request in rows:
                # EngineBench names a figure by the file's type, which for Gemma is a mixture.
                found = next(key for key in measured if key == name or key.startswith(name.split(kind)[0]))
                value, units[name] = measured[found]
                ours.setdefault(name, []).append(value)
                theirs.setdefault(name, []).append(peer.ask(request))
    for name, _ in rows:
        yield Figure(name, statistics.median(ours[name]), units[name], "xllamacpp", statistics.median(theirs[name]),
                     ROUNDS)


def bandwidth():
    """How much of what the memory can give decoding takes, if every weight is read once a token."""
    size = requantise.weight_bytes(MODEL)
    shares = []
    for _ in range(ROUNDS):
        measured = engine_round(MODEL, 2, "decode", "memory")
        rate, memory = measured["engine.decode.q4_1.t2"][0], measured["engine.memory.t2"][0]
        shares.append(rate * size / (memory * 1e9) * 100)
    return Figure("engine.decode.bandwidth", statistics.median(shares), "%", median_of=ROUNDS)


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


def gateways(wanted):
    yield from gateway.figures(Figure, wanted)


PARTS = {"host": host, "engine": engine, "gateway": gateways, "ledger": program("LedgerBench")}


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
        names = ("name", "value", "unit", "peer", "peer_value", "ratio", "bound", "met", "median_of")
        print(json.dumps([{name: getattr(figure, name) for name in names} for figure in figures], indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
