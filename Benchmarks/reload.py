"""The figures of reloads: calls that failed, the longest pause of a call, and memory that a reload leaves behind.

The load is a plugin of its own in the node, which calls the replaced one through an import from two threads.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))
from node import BUILT, Node, NodeError

RATE = 10_000  # Calls a second.
RELOADS = 20
REPEATS = int(os.environ.get("RELOADS") or 1000)


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

    def dirty_kib(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty:"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def under_load(home):
    """Reloads under load: (calls that failed, the longest call in ms with reloads, and without)."""
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as name:
        folder = Path(name)
        counters = [compile_plugin("Tests/Fixtures/stateful.c", folder / f"counter{version}.so",
                                   f'VERSION="{version}.0.0"', "STATELESS") for version in (1, 2)]
        load = compile_plugin("Benchmarks/Reload/load.c", folder / "load.so")
        node = ReloadNode(folder, {"counter": counters[0], "load": load}, home)
        node.sign(counters[1])

        def run(milliseconds):
            out = node.command("load", "run", "--milliseconds", milliseconds, "--rate", RATE, "--json").stdout
            return json.loads(out)

        try:
            quiet = run(4000)
            result = {}
            thread = threading.Thread(target=lambda: result.update(run(8000)))
            thread.start()
            for number in range(RELOADS):
                node.reload(counters[(number + 1) % 2])
            thread.join()
        finally:
            node.stop()
        if result["calls"] < RATE * 4:
            raise RuntimeError(f"only {result['calls']} calls were made in 8 s: the machine is too busy")
        return result["failed"] + quiet["failed"], result["longest_us"] / 1000, quiet["longest_us"] / 1000


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


def dirty_per_reload():
    """KiB of private dirty memory that a reload leaves behind, calls running meanwhile.

    Each reload brings a library that the process has not seen: the same code with another hash, in a file of its own.
    """
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as name:
        folder = Path(name)
        original = compile_swift(folder / "counter.so")
        code = original.read_bytes()
        load = compile_plugin("Benchmarks/Reload/load.c", folder / "load.so")
        node = ReloadNode(folder, {"counter": original, "load": load})

        def reload(number):
            library = folder / f"counter{number}.so"
            library.write_bytes(code + number.to_bytes(8, "big"))
            node.sign(library)
            node.reload(library)
            library.unlink()

        try:
            # What the first ones make once (threads, caches, arenas) is not theirs.
            for number in range(10):
                reload(number)
            thread = threading.Thread(
                target=lambda: node.command("load", "run", "--milliseconds", 60_000, "--rate", 1000, check=False))
            thread.daemon = True
            thread.start()
            before = node.dirty_kib()
            for number in range(10, 10 + REPEATS):
                reload(number)
            return (node.dirty_kib() - before) / REPEATS
        finally:
            node.stop()


def figures(figure, wanted):
    """Yields what is wanted of host.reload."""
    if wanted("host.reload.failed_calls") or wanted("host.reload.pause_ms.host"):
        failed, longest, quiet = under_load("host")
        if wanted("host.reload.failed_calls"):
            yield figure("host.reload.failed_calls", failed, "calls")
        if wanted("host.reload.pause_ms.host"):
            yield figure("host.reload.pause_ms.host", longest, "ms", "without_reloads", quiet)
    if wanted("host.reload.pause_ms.worker"):
        failed, longest, quiet = under_load("worker")
        if failed:
            raise RuntimeError(f"{failed} calls failed while a worker was replaced")
        yield figure("host.reload.pause_ms.worker", longest, "ms", "without_reloads", quiet)
    if wanted("host.reload.dirty_kib_per_reload"):
        yield figure("host.reload.dirty_kib_per_reload", dirty_per_reload(), "KiB", median_of=1)
