"""What an operator relies on at the HTTP edge: tokens, traces, figures, HTTPS, and clients that are too slow."""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time

import pytest
from node import BUILT, Node, NodeError
from prometheus_client.parser import text_string_to_metric_families

SMALL = ("inference", "application", "governance", "data")


def small(folder, **settings):
    """A node with the ledger and the edge only; quick to start."""
    node = Node(folder, settings={"edge": settings} if settings else None)
    text = node.config.read_text()
    for layer in SMALL:
        text = re.sub(rf"(?ms)^\[plugin\.{layer}\]\n.*?(?=^#|\Z)", "", text)
    node.config.write_text(text.replace("[host]\n", '[host]\nlog_level = "debug"\n'))
    return node


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    # Nothing but its own answer ends a slow client: who would wait for one waits until the test gives up.
    patient = {"request_timeout_ms": 600_000, "idle_timeout_ms": 600_000, "write_timeout_ms": 600_000}
    with small(tmp_path_factory.mktemp("edge"), access_log=True, **patient) as node:
        yield node


def ask(node, method, secret, arguments=None):
    return node.request(
        "POST", f"/v1/methods/{method}", arguments or {}, {"Authorization": f"Bearer {secret}"})


def names(node):
    return [token["name"] for token in json.loads(node.run("token", "list", "--json").stdout)["tokens"]]


# Tokens


def test_a_token_opens_what_it_names_until_it_is_revoked(edge):
    made = edge.cli("token", "create", "--name", "reader", "--methods", "ledger.act, edge.tok*")
    secret, token = made["secret"], made["token"]
    # Not an action that the ledger knows; but the token opened the door.
    assert ask(edge, "ledger.act", secret, {"method": "x.y", "arguments": {}})[0] not in (401, 403)
    assert ask(edge, "edge.fetch", secret, {"request": {"url": "http://x.example"}})[0] == 403
    assert ask(edge, "edge.tokens", secret)[2]["error"]["code"] == "token_reserved"
    assert (edge.data / "edge" / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert secret not in (edge.data / "edge" / "tokens.json").read_text()
    edge.stop()
    edge.start()
    assert names(edge) == ["reader"]
    assert ask(edge, "ledger.act", secret, {"method": "x.y", "arguments": {}})[0] not in (401, 403)
    edge.cli("token", "revoke", "--token", token["id"])
    status, headers, body = ask(edge, "ledger.act", secret)
    assert status == 401 and headers["www-authenticate"] == "Bearer"
    assert body["error"]["code"] == "token_unknown" and "symbolon token list" in body["error"]["message"]
    assert secret not in edge.log.read_text()


def test_only_the_operator_makes_tokens(edge):
    status, _, body = edge.request("POST", "/v1/methods/edge.token_create", {"name": "x", "methods": "*"})
    assert status == 401 and "operator.token" in body["error"]["message"]
    operator = (edge.data / "edge" / "operator.token").read_text().strip()
    assert ask(edge, "edge.token_create", operator, {"name": "x", "methods": "*"})[0] == 200
    assert ask(edge, "edge.token_create", operator, {"name": "x", "methods": "*"})[0] == 409
    assert ask(edge, "edge.token_revoke", operator, {"token": "x"})[0] == 200


# Traces and figures


def test_a_trace_goes_through(edge):
    trace = os.urandom(16).hex()
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-ID": "order-66"}
    status, found, _ = edge.request("POST", "/v1/methods/ledger.head", {}, headers)
    assert status == 200 and found["x-request-id"] == "order-66"
    assert found["traceparent"].split("-")[1] == trace
    lines = [line for line in edge.log.read_text().splitlines() if f"trace={trace}" in line]
    assert any("request=order-66" in line and "who=anybody" in line and line.count(trace) == 1 for line in lines), lines


def test_metrics_are_what_prometheus_reads(edge):
    edge.call("ledger.head")
    edge.request("POST", "/v1/methods/edge.tokens", {})
    edge.request("GET", "/made/up/by/a/client")
    status, headers, body = edge.get("/metrics")
    text = body.decode()
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) == text.count("# TYPE "), "a family is declared twice"
    heads = [sample for sample in families["symbolon_method_calls"].samples
             if sample.labels["plugin"] == "ledger" and sample.labels["method"] == "head"]
    assert len(heads) == 1 and heads[0].value >= 1
    assert heads[0].labels["home"] == "host" and int(heads[0].labels["generation"]) >= 1
    refused = {sample.labels["reason"]: sample.value for sample in families["symbolon_http_refused"].samples}
    assert refused["needs_operator"] >= 1 and refused["unknown_path"] >= 1
    classes = {sample.labels["class"]: sample.value for sample in families["symbolon_http_responses"].samples}
    assert classes["2xx"] >= 1 and classes["4xx"] >= 2
    assert families["symbolon_http_connections"].samples[0].value >= 1
    assert "made" not in text
    for family in families.values():
        if family.type == "histogram":
            check_histogram(family)
    latency = families["symbolon_method_duration_seconds"]
    count = next(sample for sample in latency.samples if sample.name.endswith("_count")
                 and sample.labels["method"] == "head")
    assert count.value >= 1


def check_histogram(family):
    """Buckets only grow, end with +Inf, and +Inf is the count."""
    series = {}
    for sample in family.samples:
        key = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        series.setdefault(key, {}).setdefault(sample.name.rsplit("_", 1)[1], []).append(sample)
    for parts in series.values():
        values = [sample.value for sample in parts["bucket"]]
        bounds = [float(sample.labels["le"]) for sample in parts["bucket"]]
        assert values == sorted(values) and bounds == sorted(set(bounds)) and bounds[-1] == float("inf")
        assert parts["count"][0].value == values[-1] and parts["sum"][0].value >= 0


# The page


def test_the_page_needs_nothing_else_and_its_policy_admits_its_style(edge):
    status, headers, body = edge.get("/")
    page = body.decode()
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert status == 200 and f"style-src 'sha256-{digest}'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"] and "unsafe" not in str(headers)
    assert not re.search(r"<script|<img|<link|style=|url\(|https?://", page)
    assert "All 2 layers run." in page and "balance(<wbr>account: bytes)" in page and len(body) < 64 * 1024


# HTTPS


def certificate(folder, name):
    """A self-made certificate for 127.0.0.1."""
    key, chain = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain],
        check=True, capture_output=True)
    key.chmod(0o600)
    return key, chain


def secure_get(port, chain, path="/health", check=True):
    """Status and body over HTTPS, for a client that trusts this certificate alone; None when it does not, unchecked."""
    shown = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "60", "--cacert", chain, "--write-out", "\n%{http_code}",
         f"https://127.0.0.1:{port}{path}"], capture_output=True, text=True)
    if shown.returncode != 0 and not check:
        return None
    assert shown.returncode == 0, shown.stderr
    body, status = shown.stdout.rsplit("\n", 1)
    return int(status), body


def start_secure(node):
    """`Node.start` asks over HTTP; this one waits for HTTPS."""
    with open(node.log, "ab") as log:
        node.process = subprocess.Popen(
            [BUILT / "symbolon", "run", "--config", node.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=node.folder, start_new_session=True)
    deadline = time.monotonic() + 120
    while node.run("status").returncode != 0:
        assert node.process.poll() is None and time.monotonic() < deadline, node.log_tail()
        time.sleep(0.05)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_https_and_a_renewed_certificate(tmp_path):
    key, chain = certificate(tmp_path, "first")
    node = small(tmp_path / "node", tls_certificate=str(chain), tls_key=str(key))
    start_secure(node)
    try:
        assert secure_get(node.port, chain)[0] == 200
        assert len(secure_get(node.port, chain, "/openapi.json")[1]) > 1000
        with pytest.raises((OSError, http.client.HTTPException)):
            node.get("/health", timeout=3)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError)):
            with socket.create_connection(("127.0.0.1", node.port), 5) as plain, old.wrap_socket(plain):
                pass
        new_key, new_chain = certificate(tmp_path, "second")
        new_key.replace(key)
        new_chain.replace(chain)
        # The client trusts the new certificate alone: it is answered once the node has noticed.
        deadline = time.monotonic() + 120
        while (found := secure_get(node.port, chain, check=False)) is None:
            assert time.monotonic() < deadline, node.log_tail()
            time.sleep(0.2)
        assert found[0] == 200
    finally:
        assert node.stop() == 0


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_a_key_that_everybody_reads_is_refused(tmp_path, mode):
    key, chain = certificate(tmp_path, "open")
    key.chmod(mode)
    node = small(tmp_path / "node", tls_certificate=str(chain), tls_key=str(key))
    with pytest.raises(NodeError, match="chmod 600"):
        node.start()


def test_other_machines_are_not_served_in_plain_text(tmp_path):
    node = small(tmp_path)
    node.config.write_text(node.config.read_text().replace("127.0.0.1", "0.0.0.0"))
    with pytest.raises(NodeError, match="tls_certificate.*plaintext"):
        node.start()


# Slow clients


def threads(node):
    return len(os.listdir(f"/proc/{node.process.pid}/task"))


def resident_kib(node):
    status = open(f"/proc/{node.process.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def test_many_slow_clients_hold_no_thread_and_nobody_up(edge):
    edge.call("ledger.head")
    before, memory = threads(edge), resident_kib(edge)
    slow = []
    try:
        for number in range(600):
            client = socket.create_connection(("127.0.0.1", edge.port), 60)
            slow.append(client)
            if number % 3 == 0:
                client.sendall(b"POST /v1/methods/ledger.head HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
            elif number % 3 == 1:
                client.sendall(b"POST /v1/methods/ledger.head HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                               b"Content-Length: 1000000\r\n\r\n{" + b" " * 10_000)
            else:
                # Asks for the document again and again, and reads nothing of it.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20)
        for _ in range(50):
            edge.call("ledger.head")
        assert threads(edge) <= before + 2, f"{before} threads became {threads(edge)}"
        assert resident_kib(edge) < memory + 128 * 1024
    finally:
        for client in slow:
            client.close()
