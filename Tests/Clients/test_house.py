"""Layers come and go while a node runs; what stays goes on."""

import re

import pytest
from node import Node
from walk import Walk


def without(text, *layers):
    """A configuration without these layers."""
    for layer in layers:
        text = re.sub(rf"(?ms)^\[plugin\.{layer}\]\n.*?(?=^#|\Z)", "", text)
    return text


@pytest.fixture
def small(tmp_path):
    """A node that only serves HTTP and keeps a ledger: quick to start."""
    node = Node(tmp_path)
    node.config.write_text(without(node.config.read_text(), "inference", "application", "governance", "data"))
    with node:
        yield node


def test_a_removed_layer_takes_its_methods_along_and_the_others_stay(small):
    small.call("ledger.head")
    small.config.write_text(without(small.config.read_text(), "ledger"))
    assert small.cli("reload")["removed"] == ["ledger"]
    assert small.request("POST", "/v1/methods/ledger.head", {})[0] == 404
    assert small.run("ledger", "head").returncode == 4
    assert not [path for path in small.get("/openapi.json")[2]["paths"] if "ledger." in path]
    assert small.get("/health")[0] == 200


def test_a_wrong_configuration_changes_nothing(small):
    right = small.config.read_text()
    small.config.write_text(right.replace("[plugin.ledger]", "[plugin.ledger]\nlibary = 'x'"))
    result = small.run("reload")
    assert result.returncode != 0 and "libary" in result.stderr and "library" in result.stderr
    assert small.call("ledger.head")["height"] >= 0


def test_without_governance_the_chat_goes_on(tmp_path):
    walk = Walk(tmp_path)
    walk.node.config.write_text(without(walk.node.config.read_text(), "governance", "data"))
    try:
        for number, (title, _) in enumerate(Walk.outline()[:4]):
            walk.take(number)
        assert walk.node.request("POST", "/v1/methods/governance.parameters", {})[0] == 404
    finally:
        walk.end()
