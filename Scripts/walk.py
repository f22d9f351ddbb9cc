"""The walk through all of Symbolon: what `make demo` shows, and what Tests/Clients/test_walk.py holds.

Each step does one thing a newcomer would do, checks that it was done, and returns a sentence about what was seen.
A step that is not as said raises `NotAsSaid`.
"""

import hashlib
import json
import subprocess
import threading
import time
from pathlib import Path

from node import MODEL_ID, ROOT, Node, NodeError, events, key_of

# What even a small model obeys: a role, which changes its words.
SYSTEM_PROMPT = (
    "You are Captain Symbolon, a pirate. Every answer begins with \"Arr, matey!\" and ends with \"Arr!\"."
)
QUESTION = "Hello! Who are you?"
SIGNS = ("arr", "aye", "captain", "pirate")
BUDGET = 1_000_000
# µ-credits for 1,000 tokens of prompt and of completion, as the walk's proposal says.
PRICE = (2000, 6000)


class NotAsSaid(Exception):
    """What was expected, and what was seen instead."""


def expect(condition, sentence):
    if not condition:
        raise NotAsSaid(sentence)


class Walk:
    """One walk on one scratch node; the steps build on each other, in order."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.done = 0
        self.node = Node(self.folder, settings={"ledger": {"block_interval_ms": 100}})

    @classmethod
    def outline(cls):
        """Name and function of each step."""
        return [
            ("start a node", cls.start),
            ("make a key", cls.make_key),
            ("chat, streamed", cls.chat),
            ("see the charge", cls.see_charge),
            ("give a badge", cls.give_badge),
            ("propose and vote", cls.vote),
            ("wait for the timelock", cls.wait_for_timelock),
            ("chat again, obeyed", cls.chat_again),
            ("nominate a dataset", cls.nominate),
            ("accept it", cls.accept_dataset),
            ("drop in a plugin in C", cls.drop_in_plugin),
            ("reload governance", cls.reload_governance),
            ("stop", cls.stop),
            ("start again", cls.start_again),
        ]

    def take(self, number):
        """Takes one step and returns what was seen."""
        seen = self.outline()[number][1](self)
        self.done = number + 1
        return seen

    def end(self):
        """Stops what this walk started, whatever happened."""
        try:
            self.node.stop()
        except NodeError:
            self.node.kill()

    # Chat and charge

    def start(self):
        seconds = self.node.start()
        layers = [layer["id"] for layer in self.node.get("/health")[2]["layers"]]
        return f"{len(layers)} layers serve on port {self.node.port}, ready in {seconds * 1000:.0f} ms"

    def make_key(self):
        created = self.node.cli("key", "create", "--budget", BUDGET)
        self.key = key_of(json.dumps(created))
        return f"{self.key[:11]}… may spend {BUDGET} µ-credits"

    def curl_chat(self):
        """Asks with curl, as the quickstart does, and returns headers and events."""
        headers = self.folder / "headers"
        body = {"model": MODEL_ID, "messages": [{"role": "user", "content": QUESTION}], "stream": True,
                "max_tokens": 24, "temperature": 0, "stream_options": {"include_usage": True}}
        result = subprocess.run(
            ["curl", "-sSN", "--fail-with-body", "--max-time", "120", "-D", headers,
             f"http://127.0.0.1:{self.node.port}/v1/chat/completions",
             "-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {self.key}",
             "-d", json.dumps(body)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        expect(result.returncode == 0, f"curl ended with {result.returncode}: {result.stdout}{result.stderr}")
        lines = headers.read_text().splitlines()[1:]
        found = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        return found, events(result.stdout)

    def chat(self):
        self.first_headers, found = self.curl_chat()
        self.first_usage = found[-1]["usage"]
        self.first_answer = text_of(found)
        pieces = sum(1 for item in found if item["choices"] and item["choices"][0]["delta"].get("content"))
        expect(pieces > 1, f"the answer came in one piece: {self.first_answer!r}")
        return f"“{shorten(self.first_answer)}” in {pieces} pieces"

    def price(self):
        return self.node.call("application.price")

    def charged(self):
        """What the key has paid, once nothing is reserved any more."""
        ends = time.monotonic() + 120
        while (shown := self.node.cli("key", "show", self.key))["reserved"] and time.monotonic() < ends:
            time.sleep(0.02)
        expect(shown["balance"] + shown["charged"] == shown["budget"], f"the sums of the key do not agree: {shown}")
        return shown["charged"]

    def see_charge(self):
        self.spent = self.charged()
        expected = cost(self.price(), self.first_usage)
        expect(self.spent == expected, f"charged {self.spent}, expected {expected} for {self.first_usage}")
        return (f"{self.first_usage['prompt_tokens']} + {self.first_usage['completion_tokens']} tokens, "
                f"{self.spent} µ-credits")

    # Governance

    def parameters_hash(self):
        models = self.node.get("/v1/models")[2]["data"]
        return next(model for model in models if model["id"] == MODEL_ID)["parameters_hash"]

    def give_badge(self):
        self.authority = self.node.call("ledger.head")["authority"]
        self.node.cli("governance", "badge_grant", "--holder", self.authority, "--badge", "expert")
        held = self.node.call("governance.has_badge", {"holder": self.authority, "badge": "expert"})
        expect(held is True, f"the badge is not held: {held}")
        return f"account {self.authority[:8]}… may vote"

    def vote(self):
        self.hash_before = self.parameters_hash()
        actions = [
            {"method": "governance.set_inference_defaults",
             "arguments": {"temperature_milli": 0, "max_tokens": 48, "system_prompt": SYSTEM_PROMPT}},
            {"method": "application.set_price", "arguments": {"prompt": PRICE[0], "completion": PRICE[1]}},
        ]
        receipt = self.node.cli("governance", "propose", "--title", "A kind voice", "--actions", json.dumps(actions))
        self.proposal = identifier(receipt)
        self.node.cli("governance", "vote", "--proposal", self.proposal, "--choice", "yes")
        return f"proposal {self.proposal[:8]}…: a system prompt and a price, one yes"

    def proposal_state(self):
        return self.node.call("governance.proposal", {"proposal": self.proposal})["state"]

    def wait_for_timelock(self):
        seen = []
        ends = time.monotonic() + 300
        while time.monotonic() < ends:
            state = self.proposal_state()
            if state not in seen:
                seen.append(state)
            expect(state in ("open", "timelocked", "executable"), f"the proposal is {state}")
            if state == "executable":
                self.node.cli("governance", "execute", "--proposal", self.proposal)
                state = self.proposal_state()
                expect(state == "executed", f"the proposal is {state} after its execution")
                return " → ".join([*seen, state])
            time.sleep(0.02)
        raise NotAsSaid(f"the proposal is still {seen[-1]} after 300 s")

    def chat_again(self):
        headers, found = self.curl_chat()
        usage = found[-1]["usage"]
        after = self.parameters_hash()
        expect(after != self.hash_before, "/v1/models shows the same hash of parameters as before")
        expect(headers.get("x-symbolon-params") == after,
               f"x-symbolon-params is {headers.get('x-symbolon-params')}, /v1/models says {after}")
        expect(usage["prompt_tokens"] > self.first_usage["prompt_tokens"],
               f"the prompt did not grow by the system prompt: {usage}")
        answer = text_of(found)
        expect(answer != self.first_answer and any(sign in answer.lower() for sign in SIGNS),
               f"the answer does not obey the system prompt: {answer!r}")
        price = self.price()
        expect((price["prompt"], price["completion"]) == PRICE, f"the price is {price}")
        now = self.charged()
        expect(now - self.spent == cost(price, usage), f"charged {now - self.spent}, expected {cost(price, usage)}")
        self.spent = now
        grown = f"{self.first_usage['prompt_tokens']} → {usage['prompt_tokens']}"
        return f"“{shorten(answer)}”, prompt {grown} tokens, parameters {self.hash_before[:8]} → {after[:8]}"

    # Data

    def nominate(self):
        dataset = self.folder / "dataset"
        dataset.mkdir()
        (dataset / "sonnet.txt").write_text("Shall I compare thee to a summer's day?\n" * 20)
        (dataset / "notes.txt").write_text("In the public domain.\n")
        files = [{"path": path.name, "size": path.stat().st_size, "sha256": sha256(path.read_bytes())}
                 for path in sorted(dataset.iterdir())]
        self.manifest = {"name": "Sonnets", "version": "1", "licence": "CC0-1.0",
                         "source": "https://example.org/sonnets", "description": "In the public domain",
                         "files": files}
        self.report = self.node.cli("data", "check", "--manifest", json.dumps(self.manifest), "--folder", dataset)
        expect(self.report["files_ok"] == len(files), f"the check of the real files says {self.report}")
        self.dataset = identifier(self.node.cli("data", "nominate", "--manifest", json.dumps(self.manifest)))
        return f"{self.dataset[:8]}…: {len(files)} files, sizes and hashes compared with the real ones"

    def dataset_state(self):
        return self.node.call("data.show", {"dataset": self.dataset})["state"]

    def accept_dataset(self):
        reasons = sha256(b"Read it: clean, and in the public domain.")
        self.node.cli("data", "attest", "--dataset", self.dataset, "--report", json.dumps(self.report))
        self.node.cli("data", "review", "--dataset", self.dataset, "--score", 90, "--text-hash", reasons)
        self.node.cli("data", "vote", "--dataset", self.dataset, "--choice", "accept")
        expect(self.dataset_state() == "accepted", f"the dataset is {self.dataset_state()}")
        return "vouched for, reviewed, voted, accepted"

    # A stranger's plugin

    def drop_in_plugin(self):
        library = self.folder / "libhello.so"
        command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
        command += ["-I", ROOT / "Sources/PluginAPI/include", ROOT / "Examples/hello-c/hello.c", "-o", library]
        subprocess.run(command, check=True)
        with open(self.node.config, "a") as config:
            config.write(f'\n[plugin.hello]\nlibrary = "{library}"\nhome = "worker"\n')
        self.node.cli("reload")
        said = self.node.cli("hello", "greet", "--name", "Ada")
        answered = self.node.call("hello.greet", {"name": "Ada"})
        expect("Ada" in json.dumps(said) and said == answered, f"the command line says {said}, HTTP says {answered}")
        paths = self.node.get("/openapi.json")[2]["paths"]
        expect("/v1/methods/hello.greet" in paths, "/openapi.json does not know hello.greet")
        return f"one cc command, three lines: {answered!r} by command line, HTTP and OpenAPI"

    # Hot reload

    def plugin_version(self, name):
        listed = self.node.cli("plugin", "list")
        return next(item for item in listed if item["id"] == name)["version"]

    def reload_governance(self):
        before = self.plugin_version("governance")
        library = self.folder / "libGovernance-variant.so"
        build_variant(library)
        busy = Busy(self)
        busy.start()
        try:
            busy.wait_until_busy()
            self.node.cli("plugin", "reload", "governance", "--library", library)
            after = self.plugin_version("governance")
            busy.wait_for_more()
        finally:
            busy.stop()
        expect(before != after, f"the version is still {before}")
        expect(not busy.failures, f"while it was reloaded: {busy.failures[:3]}")
        return f"{before} → {after} while {busy.chats} chats streamed and {busy.votes} votes arrived, none failed"

    # Stop and start

    def stop(self):
        self.spent = self.charged()
        self.height = self.node.call("ledger.head")["height"]
        status = self.node.stop()
        expect(status == 0, f"the node ended with status {status}:\n{self.node.log_tail()}")
        return f"exit status 0 at block {self.height}"

    def start_again(self):
        seconds = self.node.start()
        height = self.node.call("ledger.head")["height"]
        expect(height >= self.height, f"block {height} is below {self.height}")
        expect(self.charged() == self.spent, f"the key has paid {self.charged()}, before it was {self.spent}")
        state = self.proposal_state()
        expect(state == "executed", f"the proposal is {state}")
        expect(self.dataset_state() == "accepted", f"the dataset is {self.dataset_state()}")
        headers, _ = self.node.chat(self.key, "Hello", max_tokens=4)
        expect(headers["x-symbolon-params"] == self.parameters_hash(), "other parameters are in force")
        return f"ready in {seconds * 1000:.0f} ms; key, vote and dataset are as before"


class Busy:
    """Chats and votes that go on in the background while something else happens."""

    def __init__(self, walk):
        self.walk, self.failures, self.chats, self.votes = walk, [], 0, 0
        self.ended = threading.Event()
        jobs = (self._chat, self._chat, self._vote)
        self.threads = [threading.Thread(target=self._repeat, args=(job,)) for job in jobs]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def wait_until_busy(self, seconds=300):
        self._wait(lambda: self.chats >= 1 and self.votes >= 1, seconds)

    def wait_for_more(self, seconds=300):
        chats, votes = self.chats, self.votes
        self._wait(lambda: self.chats >= chats + 2 and self.votes >= votes + 2, seconds)

    def _wait(self, condition, seconds):
        ends = time.monotonic() + seconds
        while not condition() and not self.failures:
            expect(time.monotonic() < ends, f"only {self.chats} chats and {self.votes} votes in {seconds} s")
            time.sleep(0.02)

    def _repeat(self, job):
        while not self.ended.is_set():
            try:
                job()
            except Exception as error:  # Any failure at all is what this looks for.
                self.failures.append(f"{type(error).__name__}: {error}")
                return

    def _chat(self):
        self.walk.node.chat(self.walk.key, QUESTION, stream=True, max_tokens=12, temperature=0)
        self.chats += 1

    def _vote(self):
        node = self.walk.node
        actions = [{"method": "application.set_price", "arguments": {"prompt": PRICE[0], "completion": PRICE[1]}}]
        title = f"Keep the price {self.votes}"
        receipt = node.cli("governance", "propose", "--title", title, "--actions", json.dumps(actions))
        node.cli("governance", "vote", "--proposal", identifier(receipt), "--choice", "no")
        self.votes += 1


def build_variant(library):
    """Another build of the governance library, with another version."""
    script = ROOT / "Scripts" / "build-variant"
    result = subprocess.run([script, library], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    expect(result.returncode == 0 and library.exists(),
           f"build-variant failed: {result.stderr[-500:] or result.stdout[-500:]}")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def identifier(receipt):
    """The 32 bytes that a transaction's method gave back: in canonical form, behind their length."""
    result = receipt["result"]
    expect(len(result) == 72 and result.startswith("00000020"), f"the transaction gave back no identifier: {receipt}")
    return result[8:]


def cost(price, usage):
    """What the tokens cost, rounded up once, in µ-credits."""
    total = usage["prompt_tokens"] * price["prompt"] + usage["completion_tokens"] * price["completion"]
    return -(-total // 1000)


def text_of(found):
    """The answer's text out of the events of a stream."""
    return "".join(item["choices"][0]["delta"].get("content") or "" for item in found if item["choices"])


def shorten(text, length=60):
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
