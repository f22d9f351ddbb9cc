"""The figures of reloads: calls that failed or ran twice, the longest pause of a call, and memory that a reload leaves.

The load is a plugin of its own in the node, which calls the replaced one through an import from two threads.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))
from node import BUILT, Node, NodeError

RATE = 10_000  # Calls a second.
RELOADS = 20
SECONDS = 8
REPEATS = int(os.environ.get("RELOADS") or 1000)
# Before this many reloads the host still makes what it keeps: in its process threads, caches and arenas; with a worker,
# whose reloads cost it hardly anything, also the plugin's history, which is full after 200.
WARM_UP = {"host": 20, "worker": 300}
# The history is cut in half and fills again, once in 100 reloads: both ends are means over that.
WINDOW = 100


def compile_plugin(source, library, *definitions):
    subprocess.run(
        ["cc", "-O2", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{ROOT}/Sources/PluginAPI/include"]
        + [f"-D{definition}" for definition in definitions] + ["-o", library, ROOT / source, "-lpthread"], check=True)
    return library


class ReloadNode:
    """A node with the plugins of one measurement."""

    def __init__(self, folder, plugins, home="host"):
        self.folder = Path(folder)
        self.config = self.folder / "plugins.conf"
        text = f'[host]\ndata = "{self.folder}/data"\nlog_level = "error"\n' + self.trust(plugins.values())
        for name, library in plugins.items():
            place = home if name == "counter" else "host"
            text += f'[plugin.{name}]\nlibrary = "{library}"\nhome = "{place}"\n'
        self.config.write_text(text)
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [BUILT / "symbolon", "run", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(400):
            if self.command("status", check=False).returncode == 0:
                return
            if self.process.poll() is not None:
                break
        raise NodeError((self.folder / "log").read_text())

    def trust(self, libraries):
        """A key that signs the libraries of this measurement for the host's process."""
        self.key = self.folder / "bench.key"
        if not self.key.exists():
            self.tool("keygen", "--no-password", "--output", self.key)
        for library in libraries:
            self.sign(library)
        public = (self.folder / "bench.pub").read_text().splitlines()[1]
        return f'[[trust.keys]]\nname = "bench"\npublic_key = "{public}"\nrole = "local"\n'

    def sign(self, library):
        self.tool("sign", library, "--key", self.key)

    def tool(self, *words):
        subprocess.run([BUILT / "symbolon", "plugin", *words], check=True, stdout=subprocess.DEVNULL)

    def command(self, *words, check=True):
        return subprocess.run(
            [BUILT / "symbolon", *map(str, words)], env={**os.environ, "SYMBOLON_CONFIG": str(self.config)},
            capture_output=True, text=True, check=check)

    def reload(self, library):
        return json.loads(self.command("plugin", "reload", "counter", "--library", library, "--json").stdout)

    def executed(self):
        """How many calls the counter ran, over all of its versions; complete when the node has stopped."""
        return sum(map(int, (self.folder / "data/counter/executed").read_text().split()))

    def dirty_kib(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty:"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


class LoadResult:
    """What happened to the calls."""

    def __init__(self, quiet, loaded, executed, gate):
        self.failed = quiet["failed"] + loaded["failed"]
        # An answer that belongs to another call, or a call that did not run exactly once.
        self.crossed = quiet["wrong"] + loaded["wrong"] + abs(executed - quiet["calls"] - loaded["calls"])
        self.longest, self.quiet = loaded["longest_us"] / 1000, quiet["longest_us"] / 1000
        # The longest time for which calls were held at the gate; None where none is closed.
        self.gate = gate


def under_load(home, *definitions):
    """RELOADS reloads, spread over SECONDS of RATE calls a second, and as many seconds without reloads."""
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as name:
        folder = Path(name)
        counters = [compile_plugin("Benchmarks/Reload/counter.c", folder / f"counter{version}.so",
                                   f'VERSION="{version}.0.0"', *definitions) for version in (1, 2)]
        load = compile_plugin("Benchmarks/Reload/load.c", folder / "load.so")
        node = ReloadNode(folder, {"counter": counters[0], "load": load}, home)
        node.sign(counters[1])

        def run(milliseconds):
            out = node.command("load", "run", "--milliseconds", milliseconds, "--rate", RATE, "--json").stdout
            return json.loads(out)

        gates = []
        try:
            node.reload(counters[1])
            node.reload(counters[0])
            quiet = run(SECONDS * 1000)
            result = {}
            thread = threading.Thread(target=lambda: result.update(run(SECONDS * 1000)))
            thread.start()
            began = time.monotonic()
            for number in range(RELOADS):
                time.sleep(max(0, began + number * SECONDS * 0.8 / RELOADS - time.monotonic()))
                gates.append(node.reload(counters[(number + 1) % 2]).get("pause_ms"))
            if not thread.is_alive():
                raise RuntimeError(f"{RELOADS} reloads took longer than the load: the machine is too busy")
            thread.join()
        finally:
            node.stop()
        if result["calls"] < RATE * SECONDS / 2:
            raise RuntimeError(f"only {result['calls']} calls were made in {SECONDS} s: the machine is too busy")
        longest = max((gate for gate in gates if gate is not None), default=None)
        return LoadResult(quiet, result, node.executed(), longest)


def compile_swift(library):
    """A plugin that uses Foundation, Swift concurrency and SQLite, linked with PluginKit as it was built."""
    checkouts = ROOT / ".build" / "checkouts"
    subprocess.run(
        ["swiftc", "-O", "-emit-library", "-module-name", "CounterEntry", "-swift-version", "6",
         "-I", BUILT / "Modules", "-I", ROOT / "Sources/CFFI", "-I", checkouts / "GRDB.swift/Sources/GRDBSQLite",
         "-Xcc", f"-I{ROOT}/Sources/PluginAPI/include",
         "-Xlinker", f"--version-script={ROOT}/Sources/PluginKit/plugin.version",
         ROOT / "Benchmarks/Reload/Counter.swift", *sorted((BUILT / "PluginKit.build").glob("*.o")),
         "-lffi", "-lsqlite3", "-o", library], check=True)
    return library


class SteadyLoad(threading.Thread):
    """Calls until it is told to stop; a call that fails is remembered."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.failed, self.ends = node, 0, False

    def run(self):
        while not self.ends:
            out = self.node.command("load", "run", "--milliseconds", 2000, "--rate", 1000, "--json", check=False)
            if out.returncode != 0:
                self.failed += 1
                return
            result = json.loads(out.stdout)
            self.failed += result["failed"] + result["wrong"]


def dirty_per_reload(home):
    """KiB of private dirty memory of the host's process that a reload leaves behind, calls running meanwhile.

    Each reload brings a library that the process has not seen: the same code with another hash, in a file of its own.
    """
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as name:
        folder = Path(name)
        original = compile_swift(folder / "counter.so")
        code = original.read_bytes()
        load = compile_plugin("Benchmarks/Reload/load.c", folder / "load.so")
        node = ReloadNode(folder, {"counter": original, "load": load}, home)

        def reload(number):
            library = folder / f"counter{number}.so"
            library.write_bytes(code + number.to_bytes(8, "big"))
            node.sign(library)
            node.reload(library)
            library.unlink()
            (folder / f"counter{number}.so.minisig").unlink()

        calls = SteadyLoad(node)
        try:
            calls.start()
            sizes = []
            for number in range(WARM_UP[home] + REPEATS):
                reload(number)
                if number >= WARM_UP[home]:
                    sizes.append(node.dirty_kib())
            window = min(WINDOW, REPEATS // 2)
            grown = (mean(sizes[-window:]) - mean(sizes[:window])) / (REPEATS - window)
        finally:
            calls.ends = True
            calls.join()
            node.stop()
        if calls.failed:
            raise RuntimeError(f"{calls.failed} calls failed during {REPEATS} reloads ({home})")
        return grown


def pauses(figure, wanted):
    for home, definitions in {"host": [], "worker": [], "state": ["STATE"]}.items():
        names = {f"host.reload.{what}.{home}" for what in ("failed_calls", "answered_twice", "pause_ms")}
        if not any(map(wanted, names)):
            continue
        result = under_load("worker" if home == "worker" else "host", *definitions)
        if wanted(f"host.reload.failed_calls.{home}"):
            yield figure(f"host.reload.failed_calls.{home}", result.failed, "calls")
        if wanted(f"host.reload.answered_twice.{home}"):
            yield figure(f"host.reload.answered_twice.{home}", result.crossed, "calls")
        if wanted(f"host.reload.pause_ms.{home}"):
            yield figure(f"host.reload.pause_ms.{home}", result.longest, "ms", "without_reloads", result.quiet)
        if result.gate is not None and wanted(f"host.reload.gate_ms.{home}"):
            yield figure(f"host.reload.gate_ms.{home}", result.gate, "ms")


def figures(figure, wanted):
    """Yields what is wanted of host.reload."""
    yield from pauses(figure, wanted)
    for home in ("host", "worker"):
        name = f"host.reload.dirty_kib_per_reload.{home}"
        if wanted(name):
            yield figure(name, dirty_per_reload(home), "KiB")
