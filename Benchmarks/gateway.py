"""What the gateway adds to the engine's time, at 64 connections, beside LiteLLM's proxy in front of the same node.

The engine is a plugin that takes a known time and writes it as its answer (Gateway/engine.c), so what a request takes
beyond that was added on the way. LiteLLM's part is what requests through it take more than those that go straight to
the node. It lives in an environment of its own, .build/litellm, because its dependencies are many.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))
from node import Node, NodeError, free_port, key_of

PEER = ROOT / "Benchmarks" / "Gateway" / "requirements.txt"
ENVIRONMENT = ROOT / ".build" / "litellm"
CONNECTIONS = 64
SECONDS = 10
# What LiteLLM imports and connects at first does not count.
WARM_UP = 20
# So long the engine may still work for a proxy whose clients have left.
REST = 4
ROUNDS = int(os.environ.get("ROUNDS") or 5)
BODY = json.dumps({"model": "timed", "messages": [{"role": "user", "content": "How long?"}], "max_tokens": 16})


def environment():
    """LiteLLM as it is pinned, installed at the first run."""
    mark = ENVIRONMENT / "installed.txt"
    if not mark.exists() or mark.read_text() != PEER.read_text():
        print("bench: installing LiteLLM into .build/litellm", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        subprocess.run([ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:",
                        "-r", PEER], check=True, stdout=sys.stderr)
        mark.write_text(PEER.read_text())
    return ENVIRONMENT / "bin"


class TimedNode(Node):
    """A node whose engine takes a known time."""

    def __init__(self, folder):
        limits = {"concurrent_requests": 10_000, "requests_per_minute": 1_000_000}
        # More than connections: those of the turn before may still be answered.
        super().__init__(folder, settings={"application": limits, "edge": {"calls": 2 * CONNECTIONS}})
        library = Path(folder) / "libtimed.so"
        subprocess.run(
            ["cc", "-O2", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden",
             f"-I{ROOT / 'Sources/PluginAPI/include'}", "-o", library, ROOT / "Benchmarks/Gateway/engine.c"],
            check=True)
        subprocess.run([ROOT / "Scripts" / "sign-layers", library], check=True, stdin=subprocess.DEVNULL)
        text = self.config.read_text().replace('"libInference.so"', f'"{library}"')
        # The model that the configuration names is for the real engine.
        self.config.write_text(text.replace("[[plugin.inference.settings.models]]", "[plugin.inference.settings]"))


class LiteLLM:
    """The proxy, with as many workers as its documentation recommends: one a processor."""

    def __init__(self, folder, upstream, key):
        self.port, self.key = free_port(), f"sk-{secrets.token_hex(32)}"
        self.log = Path(folder) / "litellm.log"
        config = Path(folder) / "litellm.json"
        model = {"model_name": "timed", "litellm_params": {
            "model": "openai/timed", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": key}}
        config.write_text(json.dumps({"model_list": [model]}))
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LITELLM"))}
        own = {"LITELLM_MASTER_KEY": self.key, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [environment() / "litellm", "--config", config, "--port", str(self.port), "--host", "127.0.0.1",
                 "--num_workers", str(len(os.sched_getaffinity(0))), "--telemetry", "False"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True,
                env={**clean, **own})
        deadline = time.monotonic() + 120
        while not self.serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise NodeError("LiteLLM does not serve:\n" + self.log.read_text(errors="replace")[-2000:])
            time.sleep(0.2)

    def serves(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/liveliness", timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def figures(figure, wanted):
    """`gateway.added_ms.p50` and `.p99`."""
    names = [name for name in ("p50", "p99") if wanted(f"gateway.added_ms.{name}")]
    if not names:
        return
    with tempfile.TemporaryDirectory(prefix="symbolon-bench-") as folder:
        load = Path(folder) / "load"
        subprocess.run(["cc", "-O2", "-std=gnu11", "-o", load, ROOT / "Benchmarks/Gateway/load.c"], check=True)

        def measure(port, key, seconds=SECONDS):
            result = subprocess.run([load, str(port), str(CONNECTIONS), str(seconds), key, BODY],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
            return json.loads(result.stdout)

        with TimedNode(Path(folder) / "node") as node:
            key = key_of(json.dumps(node.cli("key", "create", "--budget", 10**9)))
            with LiteLLM(folder, node.port, key) as proxy:
                measure(proxy.port, proxy.key, WARM_UP)
                direct, through = [], []
                for _ in range(ROUNDS):
                    time.sleep(REST)
                    direct.append(measure(node.port, key))
                    through.append(measure(proxy.port, proxy.key))
        for name in names:
            own = median(run[name] for run in direct)
            peer = median(there[name] - here[name] for here, there in zip(direct, through))
            yield figure(f"gateway.added_ms.{name}", own, "ms", "litellm", peer, ROUNDS)
