"""Proofs: printed by a node, checked by `symbolon verify` and by a stranger's program, with no node running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from node import Node

ROOT = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("SYMBOLON_BUILT") or ROOT / ".build" / "release")
NOBODY = "ab" * 32


@pytest.fixture(scope="module")
def proofs(tmp_path_factory):
    """Four proofs by name, as files; their node has ended."""
    folder = tmp_path_factory.mktemp("proofs")
    files = {}
    with Node(folder / "node", settings={"ledger": {"block_interval_ms": 50}}) as node:
        receipt = node.cli("ledger", "transfer", "--to", "11" * 32, "--amount", "5")
        for count in range(3):
            node.cli("ledger", "transfer", "--to", "22" * 32, "--amount", str(count + 1))
        transaction = receipt["transaction"] if "transaction" in receipt else receipt["receipt"]["transaction"]
        asked = {
            "transaction": ["--transaction", transaction], "account": ["--account", "11" * 32],
            "nobody": ["--account", NOBODY], "nowhere": ["--namespace", "nowhere", "--key", "00"],
        }
        for name, words in asked.items():
            files[name] = folder / f"{name}.json"
            files[name].write_text(json.dumps(node.cli("ledger", "prove", *words)))
    return files


def verify(file, *words):
    return subprocess.run(
        [BUILT / "symbolon", "verify", file, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/")


def stranger(file):
    return subprocess.run([sys.executable, ROOT / "Examples" / "verify-proof" / "verify.py", file],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["transaction", "account", "nobody", "nowhere"])
def test_both_believe_it(proofs, name):
    ours, theirs = verify(proofs[name], "--json"), stranger(proofs[name])
    assert ours.returncode == 0, ours.stderr
    assert theirs.returncode == 0, theirs.stderr
    found = json.loads(ours.stdout)
    assert f"block {found['height']}" in found["proves"] and found["chain"] in theirs.stdout
    if name == "account":
        assert "5 credits" in found["proves"]
    if name in ("nobody", "nowhere"):
        assert "holds nothing" in found["proves"] and "holds nothing" in theirs.stdout


@pytest.mark.parametrize("change", [
    ("account", ["state", "value"], lambda text: text[:-1] + ("0" if text[-1] != "0" else "1")),
    ("account", ["network", "authority"], lambda text: "00" * 32),
    ("account", ["network", "supply"], lambda number: number + 1),
    ("account", ["block", "signature"], lambda text: text[:-2] + ("00" if text[-2:] != "00" else "01")),
    ("nobody", ["state", "key"], lambda text: "61" + "11" * 32),
    ("transaction", ["transaction", "status"], lambda number: 5),
    ("transaction", ["transaction", "path", "count"], lambda number: number + 1),
    ("nowhere", ["state", "namespace"], lambda text: "ledger"),
])
def test_neither_believes_a_changed_one(proofs, tmp_path, change):
    name, path, edit = change
    proof = json.loads(proofs[name].read_text())
    place = proof
    for member in path[:-1]:
        place = place[member]
    place[path[-1]] = edit(place[path[-1]])
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(proof))
    ours, theirs = verify(file), stranger(file)
    assert ours.returncode == 1 and "proves nothing" in ours.stderr, ours.stderr + ours.stdout
    assert theirs.returncode == 1 and "proves nothing" in theirs.stderr, theirs.stderr


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 5}', '{"format": "symbolon.ledger.proof/1"}', "x" * 100,
                                  '{"format": "symbolon.nobody.proof/1"}', "[" * 100_000])
def test_other_files_are_refused_with_a_sentence(tmp_path, text):
    file = tmp_path / "file.json"
    file.write_text(text)
    ours = verify(file)
    assert ours.returncode in (1, 2, 3, 4) and ours.stderr.startswith("symbolon:"), ours.stderr
    assert stranger(file).returncode == 1
