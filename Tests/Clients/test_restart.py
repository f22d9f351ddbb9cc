"""A node that was stopped, or killed, gives the same bytes when it runs again."""

import json

import pytest
from node import MODEL_ID, Node, key_of

PROMPT = "The tide rises and falls twice a day because"


def answers(node):
    """What two requests give: the most likely answer and a chosen one, with the class of the node."""
    key = key_of(json.dumps(node.cli("key", "create", "--budget", 10_000_000)))
    found = []
    for temperature in (0, 0.9):
        body = {"model": MODEL_ID, "prompt": PROMPT, "max_tokens": 24, "temperature": temperature, "seed": 7}
        status, _, answer = node.request(
            "POST", "/v1/completions", body, {"Authorization": f"Bearer {key}"}, timeout=300)
        assert status == 200, answer
        found.append((answer["choices"][0]["text"], answer["system_fingerprint"]))
    return found


@pytest.mark.parametrize("end", [Node.stop, Node.kill], ids=["stopped", "killed"])
def test_a_restart_changes_no_answer(tmp_path, end):
    with Node(tmp_path) as node:
        before = answers(node)
        assert all(text and fingerprint for text, fingerprint in before)
        end(node)
        node.start()
        assert answers(node) == before
