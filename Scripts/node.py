"""A node as tests, the demo and the benchmarks use it: its own folder, its own port, its own process.

Only the standard library, so that it runs with any python3.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = Path(os.environ.get("SYMBOLON_BUILT") or ROOT / ".build" / "release")
MODELS = Path(os.environ.get("SYMBOLON_MODELS") or "~/.symbolon/models").expanduser()
MODEL_ID = "SmolLM2-135M-Instruct"


class NodeError(Exception):
    """What the node did and what was expected of it."""


def sign_layers():
    """Seals and signs what was built since the last time; quick when nothing was."""
    subprocess.run([ROOT / "Scripts" / "sign-layers"], check=True, stdin=subprocess.DEVNULL)


def free_port():
    """A TCP port on the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configuration(listen, data, settings=None):
    """The repository's plugins.conf with another address, another folder and further settings by plugin."""
    text = (ROOT / "plugins.conf").read_text()
    text = re.sub(r'(?m)^listen\s*=.*$', f'listen = "{listen}"', text)
    text = re.sub(r'(?m)^data\s*=.*$', f'data = "{data}"', text)
    text = text.replace("~/.symbolon/models", str(MODELS))
    for plugin, values in (settings or {}).items():
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        # The settings belong right behind their plugin's own table, before any of its sub-tables.
        text = re.sub(rf"(?ms)^(\[plugin\.{plugin}\]\n.*?\n)(?=\s*(?:\[|#|\Z))",
                      rf"\g<1>[plugin.{plugin}.settings]\n{lines}", text, count=1)
    return text


class Node:
    """A Symbolon node in a folder; start, ask, stop."""

    def __init__(self, folder, port=None, settings=None):
        self.folder = Path(folder)
        self.config = self.folder / "plugins.conf"
        if self.config.exists():
            found = re.search(r'(?m)^listen\s*=\s*".*:(\d+)"', self.config.read_text())
            port = int(found.group(1)) if found else port
        self.port = port or free_port()
        self.log = self.folder / "node.log"
        self.data = self.folder / "data"
        self.process = None
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.config.exists():
            self.config.write_text(configuration(f"127.0.0.1:{self.port}", self.data, settings))

    # Life

    def start(self, timeout=60):
        """Starts the node and returns the seconds until it served."""
        sign_layers()
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BUILT / "symbolon", "run", "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        while time.monotonic() - began < timeout:
            if self.process.poll() is not None:
                raise NodeError(f"the node ended with status {self.process.returncode}:\n{self.log_tail()}")
            if self._serves():
                return time.monotonic() - began
            time.sleep(0.005)
        self.stop()
        raise NodeError(f"the node was not ready after {timeout} s:\n{self.log_tail()}")

    def _serves(self):
        if "[plugin.edge]" in self.config.read_text():
            try:
                if self.get("/health", timeout=1)[0] != 200:
                    return False
            except OSError:
                return False
        # Layers that nobody imports may start after the edge; the control socket opens when all of them run.
        return self.run("status").returncode == 0

    def stop(self, timeout=30):
        """Asks the node to stop, as Ctrl-C does, and returns its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise NodeError(f"the node did not stop within {timeout} s:\n{self.log_tail()}") from None
        status, self.process = self.process.returncode, None
        return status

    def kill(self):
        """Ends the node without a chance to tidy up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self):
        if self.process is None:
            self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def log_tail(self, lines=20):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # Command line

    def run(self, *arguments, timeout=60):
        """Runs `symbolon …` against this node; the result has returncode, stdout and stderr."""
        return subprocess.run(
            [BUILT / "symbolon", *map(str, arguments), "--config", self.config],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, cwd=self.folder)

    def cli(self, *arguments, timeout=60):
        """Runs `symbolon … --json` against this node and returns what it printed, decoded; see `only`."""
        result = self.run(*arguments, "--json", timeout=timeout)
        shown = " ".join(map(str, arguments))
        if result.returncode != 0:
            raise NodeError(f"`symbolon {shown}` ended with {result.returncode}: {result.stderr or result.stdout}")
        try:
            return only(json.loads(result.stdout))
        except ValueError:
            raise NodeError(f"`symbolon {shown} --json` printed no JSON: {result.stdout!r}") from None

    # HTTP

    def connection(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, verb, path, body=None, headers=None, timeout=60):
        """One request; returns status, headers (lower case) and the body, decoded when it is JSON."""
        connection = self.connection(timeout)
        try:
            headers = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                headers.setdefault("Content-Type", "application/json")
            connection.request(verb, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            if found.get("content-type", "").startswith("application/json"):
                data = json.loads(data)
            return answer.status, found, data
        finally:
            connection.close()

    def get(self, path, timeout=60):
        return self.request("GET", path, timeout=timeout)

    def call(self, method, arguments=None):
        """POST /v1/methods/<layer>.<method>; returns the decoded result, see `only`."""
        status, _, body = self.request("POST", f"/v1/methods/{method}", arguments or {})
        if status != 200:
            raise NodeError(f"{method} answered {status}: {body}")
        return only(body)

    def chat(self, key, text, stream=False, **more):
        """One chat completion; streamed, the events are returned as a list."""
        body = {"model": MODEL_ID, "messages": [{"role": "user", "content": text}], "stream": stream, **more}
        headers = {"Authorization": f"Bearer {key}"}
        status, found, data = self.request("POST", "/v1/chat/completions", body, headers, timeout=300)
        if status != 200:
            raise NodeError(f"chat answered {status}: {data}")
        if stream:
            data = events(data.decode())
        return found, data


def only(results):
    """The value of a method's only result, which JSON carries by name; several results stay as they are."""
    return next(iter(results.values())) if isinstance(results, dict) and len(results) == 1 else results


def key_of(text):
    """The secret in what `symbolon key create --json` printed."""
    found = re.search(r"sk-sym-[A-Za-z0-9_-]+", text)
    if not found:
        raise NodeError(f"`symbolon key create --json` printed no key: {text!r}")
    return found.group(0)


def events(text):
    """The events of a finished server-sent stream, which must end with [DONE]."""
    items = [block[len("data: "):] for block in text.split("\n\n") if block.startswith("data: ")]
    if not items or items[-1] != "[DONE]":
        raise NodeError(f"the stream did not end with [DONE]: {text[-200:]!r}")
    return [json.loads(item) for item in items[:-1]]
