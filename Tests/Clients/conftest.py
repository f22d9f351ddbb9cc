"""Makes the node and the walk of Scripts/ importable, and gives each test module a node of its own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Scripts"))

from node import Node  # noqa: E402
from tickets import client_of, new_key  # noqa: E402


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A running node with all layers, for the tests of one file."""
    with Node(tmp_path_factory.mktemp("node"), settings={"ledger": {"block_interval_ms": 100}}) as node:
        yield node


@pytest.fixture
def key(node):
    """A ticket key of its own for a test."""
    return new_key(node)


@pytest.fixture
def client(node, key):
    """The `openai` client with that key, which asks once."""
    return client_of(node, key, max_retries=0)
