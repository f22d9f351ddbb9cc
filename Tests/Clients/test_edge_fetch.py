"""What a plugin may fetch: what the operator allowed the edge, and granted the plugin."""

import http.server
import json
import re
import subprocess
import threading

import pytest
from node import ROOT, Node


@pytest.fixture(scope="module")
def site():
    """A web server on the loopback interface; /away leads to another port."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302 if self.path == "/away" else 200)
            if self.path == "/away":
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


def start(folder, site, asked=None, granted=()):
    """A node with the edge and the fetching plugin: what it asks for, and within what the operator grants it."""
    node = Node(folder, settings={"edge": {"fetch_allow": [site, "127.0.0.1:1"]}})
    text = node.config.read_text()
    for layer in ("inference", "application", "governance", "data", "ledger"):
        text = re.sub(rf"(?ms)^\[plugin\.{layer}\]\n.*?(?=^#|\Z)", "", text)
    library = folder / "libfetcher.so"
    subprocess.run(
        ["cc", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{ROOT}/Sources/PluginAPI/include",
         *([f'-DGRANT="{asked}"'] if asked else []), "-o", library, ROOT / "Tests" / "Fixtures" / "fetcher.c"],
        check=True)
    limit = f"permissions = {json.dumps(['call:edge.fetch', *granted])}\n"
    node.config.write_text(text + f'\n[plugin.fetcher]\nlibrary = "{library}"\n{limit}')
    node.start()
    return node


def get(node, method, url, token=None):
    """Over HTTP with the operator's token, or by the command line."""
    request = {"request": {"url": url}}
    if token is None:
        return node.run(*method.split("."), "--request", json.dumps(request["request"]))
    return node.request("POST", f"/v1/methods/{method}", request, {"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("asked, granted", [(None, []), ("host:*", []), (None, ["host:*"]), ("host:x", ["host:*"])])
def test_a_plugin_without_the_permission_fetches_nothing(tmp_path, site, asked, granted):
    """It takes both: that the plugin asks and that the operator grants."""
    node = start(tmp_path, site, asked, granted)
    try:
        token = (node.data / "edge" / "operator.token").read_text().strip()
        status, _, body = get(node, "fetcher.get", f"http://{site}/", token)
        assert status == 403 and body["error"]["code"] == "host_not_granted"
        assert f"host:{site}" in body["error"]["message"]
        # The operator is bound by the edge's own list alone, over HTTP and on the command line.
        assert get(node, "edge.fetch", f"http://{site}/", token)[2]["response"]["body"] == "ok"
        assert get(node, "edge.fetch", f"http://{site}/").returncode == 0
    finally:
        node.stop()


def test_a_plugin_with_the_permission_stays_within_it(tmp_path, site):
    node = start(tmp_path, site, f"host:{site}", ["host:127.0.0.*"])
    try:
        token = (node.data / "edge" / "operator.token").read_text().strip()
        status, _, body = get(node, "fetcher.get", f"http://{site}/", token)
        assert status == 200 and body["response"]["body"] == "ok", body
        status, _, body = get(node, "fetcher.get", f"http://{site}/away", token)
        assert status == 403 and body["error"]["code"] == "host_not_granted"
        status, _, body = get(node, "fetcher.get", "http://127.0.0.2/", token)
        assert status == 403
    finally:
        node.stop()
