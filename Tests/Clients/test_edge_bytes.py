"""Bytes that are not quite HTTP: whatever comes in, the node answers the next one."""

import os
import random
import re
import socket

import pytest
from node import Node

POST = b"POST /v1/methods/ledger.head HTTP/1.1\r\nHost: 127.0.0.1\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SEEDS = [
    POST + b"Content-Length: 2\r\n\r\n{}", POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: b\r\n\r\n",
    POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    POST + b"Transfer-Encoding: gzip\r\n\r\n{}", GET + b"X-A: b\r\n c\r\n\r\n", GET + b"Upgrade: h2c\r\n\r\n",
    GET + b"X-Request-ID: a\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    GET + b"Authorization: Bearer sym-op-" + b"0" * 64 + b"\r\nOrigin: http://x\r\n\r\n", GET + b"\r\n" + GET + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://x/ HTTP/1.0\r\n\r\n",
    bytes.fromhex("16030100c8010000c40303") + bytes(range(100)),
]
COUNT = int(os.environ.get("SYMBOLON_FUZZ_COUNT", "4000"))
SEED = int(os.environ.get("SYMBOLON_FUZZ_SEED", "20261125"))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("bytes"))
    text = node.config.read_text()
    for layer in ("inference", "application", "governance", "data"):
        text = re.sub(rf"(?ms)^\[plugin\.{layer}\]\n.*?(?=^#|\Z)", "", text)
    node.config.write_text(text)
    with node:
        yield node


def mutated(dice):
    """A request with a few bytes changed, dropped, put in or followed by another request."""
    text = bytearray(dice.choice(SEEDS))
    for _ in range(dice.randint(1, 6)):
        at, what = dice.randrange(len(text) + 1), dice.random()
        if what < 0.4:
            text[at:at + 1] = bytes([dice.randrange(256)])
        elif what < 0.6:
            del text[at:at + dice.randint(1, 8)]
        elif what < 0.8:
            text[at:at] = dice.randbytes(dice.randint(1, 5))
        else:
            text += dice.choice(SEEDS)
    return bytes(text)


def test_no_bytes_end_the_node(node):
    print(f"SYMBOLON_FUZZ_SEED={SEED} SYMBOLON_FUZZ_COUNT={COUNT}")
    dice = random.Random(SEED)
    for number in range(COUNT):
        sent = mutated(dice)
        with socket.create_connection(("127.0.0.1", node.port), 10) as client:
            client.settimeout(0.01)
            try:
                client.sendall(sent)
                answer = client.recv(4096)
            except OSError:
                continue  # Not yet a whole request, or the node closed before all was sent.
        assert answer == b"" or answer.startswith(b"HTTP/1.1 "), (number, sent, answer)
        assert not answer.startswith(b"HTTP/1.1 500"), (number, sent, answer)
    assert node.process.poll() is None, node.log_tail()
    assert node.call("ledger.head")["height"] >= 0
