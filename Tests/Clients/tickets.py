"""Ticket keys and what they paid, for tests with real clients."""

import json
import time

import openai
from node import key_of

HELLO = [{"role": "user", "content": "Name three colours."}]
BUDGET = 10_000_000


def new_key(node, budget=BUDGET):
    return key_of(json.dumps(node.cli("key", "create", "--budget", budget)))


def client_of(node, key, **options):
    port = options.pop("port", node.port)
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, timeout=120, **options)


def result(found):
    """The one result of a method, which HTTP and the command line give by its name."""
    return next(iter(found.values())) if isinstance(found, dict) and len(found) == 1 else found


def show(node, key):
    """The key's state once no request with it runs any more."""
    state = until(lambda: result(node.cli("key", "show", key)), lambda state: state["reserved"] == 0)
    assert state["balance"] + state["charged"] == state["budget"], state
    return state


def until(look, holds, patience=120):
    """What `look` gives once it holds; the patience only ends what hangs."""
    deadline = time.monotonic() + patience
    while not holds(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def cost(node, prompt, completion):
    price = result(node.call("application.price"))
    return -(-(prompt * price["prompt"] + completion * price["completion"]) // 1000)
