"""kill -9 of the host at every state of a reload: the next start runs the old or the new version, and only one of
them, and its count is what was acknowledged."""

import collections
import json
import os
import random
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILT = Path(os.environ.get("SYMBOLON_BUILT") or ROOT / ".build" / "release")
KILLS = int(os.environ.get("RELOAD_KILLS") or 204)  # Over both homes; about a fifth of a second each.
PATIENCE = 60  # Seconds for one step of one kill on a machine that does other things too.
SLOW = 25  # Milliseconds for which create, export, import and start hold the reload, so that each state is met.
STATES = ["staged", "verified", "described", "loaded", "ready", "draining", "migrating", "shadow", "probation"]


def build(folder, name, *definitions):
    library = folder / f"{name}.so"
    subprocess.run(
        ["cc", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{ROOT}/Sources/PluginAPI/include"]
        + [f"-D{definition}" for definition in definitions]
        + ["-o", library, ROOT / "Tests/Fixtures/stateful.c", "-lpthread"], check=True)
    return library


def sign(folder, libraries):
    """Signs the libraries for the host's process; gives back the key's table in plugins.conf."""
    key = folder / "test.key"
    subprocess.run([BUILT / "symbolon", "plugin", "keygen", "--no-password", "--output", key], check=True,
                   stdout=subprocess.DEVNULL)
    for library in libraries:
        subprocess.run([BUILT / "symbolon", "plugin", "sign", library, "--key", key], check=True,
                       stdout=subprocess.DEVNULL)
    public = (folder / "test.pub").read_text().splitlines()[1]
    return f'[[trust.keys]]\nname = "test"\npublic_key = "{public}"\nrole = "local"\n'


class Control:
    """A connection to the control socket."""

    def __init__(self, data):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{data}/control.sock")
        self.socket.settimeout(PATIENCE)

    def ask(self, op, **members):
        body = json.dumps({"op": op, **members}).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)
        message = None
        while True:
            frame = self.read()
            if "message" in frame:
                message = frame["message"]
            elif "error" in frame:
                raise RuntimeError(frame["error"]["message"])
            else:
                return frame["done"] if message is None else message

    def read(self):
        size = struct.unpack(">I", self.exactly(4))[0]
        return json.loads(self.exactly(size))

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the node is gone")
            data += part
        return data

    def close(self):
        self.socket.close()


class Node:
    def __init__(self, folder, library, home, trust):
        self.folder, self.data = folder, folder / "data"
        self.config, self.log = folder / "plugins.conf", folder / "log"
        self.config.write_text(
            f'[host]\ndata = "{self.data}"\n{trust}[plugin.counter]\nlibrary = "{library}"\nhome = "{home}"\n'
            "[plugin.counter.reload]\nprobation_ms = 400\n")
        self.process = None

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BUILT / "symbolon", "run", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + PATIENCE
        while b"node ready" not in self.log.read_bytes():
            assert self.process.poll() is None and time.monotonic() < limit, self.log.read_text()
            time.sleep(0.005)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Counting(threading.Thread):
    """Counts on until the node dies; remembers what was acknowledged."""

    def __init__(self, data, acknowledged):
        super().__init__(daemon=True)
        self.control, self.acknowledged = Control(data), acknowledged

    def run(self):
        try:
            while True:
                value = self.control.ask("invoke", method="counter.increment", arguments={})["value"]
                assert value == self.acknowledged + 1, f"{value} after {self.acknowledged}"
                self.acknowledged = value
        except OSError:
            pass
        finally:
            self.control.close()


def check(node, versions, acknowledged):
    """The version that runs; everything else is as it has to be."""
    control = Control(node.data)
    plugins = [plugin for plugin in control.ask("status")["plugins"] if plugin["id"] == "counter"]
    version = control.ask("invoke", method="counter.version", arguments={})["version"]
    value = control.ask("invoke", method="counter.count", arguments={})["value"]
    control.close()
    assert len(plugins) == 1 and plugins[0]["version"] == version and version in versions, (plugins, version)
    # One call may have been on its way when the node died: done, and not acknowledged.
    assert acknowledged <= value <= acknowledged + 1, (value, acknowledged)
    return version, value


def await_state(control, ticket, wanted):
    """Asks until the reload is in a state, or past it; gives back the state that was seen."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        report = control.ask("reload-status", ticket=ticket)
        assert report["state"] != "rejected", report
        if report["state"] in STATES and STATES.index(report["state"]) >= STATES.index(wanted):
            return report["state"]
        time.sleep(0.0005)
    raise AssertionError(f"the reload never got to {wanted}")


def kill_often(node, libraries, chance, kills):
    """The states in which the node was killed, and which version ran afterwards."""
    seen, outcomes = collections.Counter(), collections.Counter()
    version, acknowledged = check(node, {"1.0.0"}, 0)
    for number in range(kills):
        new = {"1.0.0": "2.0.0", "2.0.0": "1.0.0"}[version]
        counting = Counting(node.data, acknowledged)
        counting.start()
        control = Control(node.data)
        ticket = control.ask(
            "reload-plugin", plugin="counter", wait="none", library=str(libraries[int(new[0])]))["ticket"]
        state = await_state(control, ticket, STATES[number % len(STATES)])
        # At once, or at some moment of what follows.
        time.sleep(chance.choice([0, chance.uniform(0, 0.03)]))
        node.kill()
        control.close()
        counting.join()
        seen[state] += 1
        node.start()
        version, acknowledged = check(node, {version, new}, counting.acknowledged)
        outcomes["new" if version == new else "old"] += 1
    return seen, outcomes


@pytest.mark.parametrize("home", ["host", "worker"])
def test_a_killed_reload_ends_in_one_of_two_versions(home):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="symbolon-kills-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        slow = [f"SLOW_{what}={SLOW}" for what in ("CREATE", "EXPORT", "IMPORT", "START")]
        libraries = {major: build(folder, f"v{major}", f'VERSION="{major}.0.0"', f"SCHEMA={major}", *slow)
                     for major in (1, 2)}
        trust = sign(folder, libraries.values()) if home == "host" else ""
        with Node(folder, libraries[1], home, trust) as node:
            seen, outcomes = kill_often(node, libraries, chance, KILLS // 2)
    print(home, "seed", seed, dict(seen), dict(outcomes))
    assert outcomes["old"] > 0 and outcomes["new"] > 0, f"seed {seed}: {outcomes}"
    assert len(seen) >= 5, f"seed {seed}: {seen}"
