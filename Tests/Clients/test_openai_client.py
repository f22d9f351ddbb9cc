"""The unmodified `openai` client against a running node: only `base_url` and `api_key` are set."""

import time
import uuid

import httpx2
import openai
import pytest
from go_between import GoBetween, hang_up_after, hang_up_before
from node import MODEL_ID, Node
from tickets import BUDGET, HELLO, client_of, cost, new_key, result, show, until


# What is offered


def test_models_are_listed_with_price_and_parameters(client):
    models = list(client.models.list())
    model = next(model for model in models if model.id == MODEL_ID)
    assert model.object == "model" and model.owned_by
    assert len(model.sha256) == 64 and len(model.parameters_hash) == 64
    assert model.context_length > 0 and model.pricing["completion"] >= 0
    assert client.models.retrieve(MODEL_ID).id == MODEL_ID


# Answers


def test_a_chat_is_answered_and_charged(node, client, key):
    answer = client.chat.completions.with_raw_response.create(
        model=MODEL_ID, messages=HELLO, max_tokens=8, temperature=0, seed=1)
    chat = answer.parse()
    assert chat.object == "chat.completion" and chat.model == MODEL_ID
    assert chat.choices[0].message.role == "assistant" and chat.choices[0].message.content
    assert chat.choices[0].finish_reason in ("stop", "length")
    model = next(model for model in client.models.list() if model.id == MODEL_ID)
    assert chat.system_fingerprint == model.system_fingerprint and model.sha256
    assert 0 < chat.usage.completion_tokens <= 8
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
    expected = cost(node, chat.usage.prompt_tokens, chat.usage.completion_tokens)
    assert int(answer.headers["x-symbolon-charged"]) == expected
    assert answer.headers["x-request-id"].startswith("req_")
    assert len(answer.headers["x-symbolon-params"]) == 64
    state = show(node, key)
    assert state["charged"] == expected and state["requests"] == 1


def test_the_bearer_sees_what_it_spent(node, client, key):
    client.chat.completions.create(model=MODEL_ID, messages=HELLO, max_tokens=2)
    status, _, seen = node.request("GET", "/v1/key", headers={"Authorization": f"Bearer {key}"})
    assert status == 200 and seen["charged"] == show(node, key)["charged"] > 0


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_adds_up(node, client, key, include_usage):
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(client.chat.completions.create(
        model=MODEL_ID, messages=HELLO, max_tokens=12, temperature=0, stream=True, **options))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    finishes = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert finishes[-1] in ("stop", "length") and not any(finishes[:-1])
    state = show(node, key)
    if include_usage:
        assert chunks[-1].choices == [] and all(chunk.usage is None for chunk in chunks[:-1])
        usage = chunks[-1].usage
        assert state["charged"] == cost(node, usage.prompt_tokens, usage.completion_tokens)
    else:
        assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert state["charged"] == cost(node, state["prompt_tokens"], state["completion_tokens"]) > 0


def test_streamed_and_whole_answers_are_the_same(client):
    ask = {"model": MODEL_ID, "messages": HELLO, "max_tokens": 16, "temperature": 0, "seed": 3}
    whole = client.chat.completions.create(**ask).choices[0].message.content
    pieces = client.chat.completions.create(stream=True, **ask)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in pieces) == whole


def test_completions_continue_a_text(client):
    answer = client.completions.create(model=MODEL_ID, prompt="Once upon a time", max_tokens=6, temperature=0)
    assert answer.object == "text_completion" and answer.choices[0].text
    chunks = client.completions.create(
        model=MODEL_ID, prompt="Once upon a time", max_tokens=6, temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == answer.choices[0].text


def test_content_may_come_in_parts(client):
    parts = [{"type": "text", "text": "Name three "}, {"type": "text", "text": "colours."}]
    ask = {"model": MODEL_ID, "max_tokens": 8, "temperature": 0}
    whole = client.chat.completions.create(messages=HELLO, **ask)
    split = client.chat.completions.create(messages=[{"role": "user", "content": parts}], **ask)
    assert split.choices[0].message.content == whole.choices[0].message.content


# Refusals


def test_a_wrong_key_is_an_authentication_error(node):
    for wrong in ("sk-sym-" + "0" * 64, "nonsense"):
        with pytest.raises(openai.AuthenticationError) as refused:
            client_of(node, wrong, max_retries=0).chat.completions.create(model=MODEL_ID, messages=HELLO)
        assert refused.value.code == "invalid_api_key"
        assert refused.value.response.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_key_is_an_authentication_error(node, client, key):
    client.chat.completions.create(model=MODEL_ID, messages=HELLO, max_tokens=2)
    closed = result(node.cli("key", "revoke", key))
    assert closed["returned"] + closed["charged"] == BUDGET
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model=MODEL_ID, messages=HELLO, max_tokens=2)


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="gpt-0", messages=HELLO)
    assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-0")


@pytest.mark.parametrize("wrong", [
    ("temperature", {"temperature": 3}), ("temperature", {"temperature": "warm"}), ("n", {"n": 17}),
    ("max_tokens", {"max_tokens": -1}), ("max_tokens", {"max_tokens": 10**30}), ("max_tokens", {"max_tokens": 10**5}),
    ("stop", {"stop": ["x"] * 17}), ("logprobs", {"logprobs": 3}), ("messages", {"messages": []}),
    ("top_logprobs", {"top_logprobs": 2}), ("top_logprobs", {"logprobs": True, "top_logprobs": 21}),
    ("logit_bias", {"logit_bias": {"word": 1}}), ("logit_bias", {"logit_bias": {"10000000": 1}}),
    ("tool_choice", {"tool_choice": "required"}), ("tools[0].type", {"tools": [{"type": "web_search"}]}),
    ("functions", {"functions": [{"name": "f"}]}), ("response_format.type", {"response_format": {"type": "xml"}}),
    ("metadata.a", {"metadata": {"a": 1}}), ("reasoning_effort", {"reasoning_effort": "high"}),
    ("messages[0].tool_call_id", {"messages": [{"role": "tool", "content": "x"}]}),
    ("temprature", {"extra_body": {"temprature": 1}}),
], ids=lambda wrong: wrong[0])
def test_a_wrong_parameter_is_a_bad_request_that_names_it(node, client, key, wrong):
    parameter, arguments = wrong
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**{"model": MODEL_ID, "messages": HELLO, **arguments})
    assert refused.value.param == parameter
    assert refused.value.type == "invalid_request_error"
    assert parameter in refused.value.body["message"]
    assert show(node, key)["charged"] == 0


def test_malformed_bodies_are_refused(node, key):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for body in ("", "{", "[]", "null", '{"model":1}', b"\xff\xfe", "[" * 100_000):
        status, _, answer = node.request("POST", "/v1/chat/completions", body, headers)
        assert status == 400 and answer["error"]["message"], body[:20]


def test_a_20_mb_body_is_refused(node, key):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        status, _, _ = node.request("POST", "/v1/chat/completions", b" " * 20_000_000, headers)
        assert status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # The node may answer and hang up before it has read everything.
    assert node.get("/health")[0] == 200


def test_an_empty_key_is_402_and_not_retried(node):
    key = new_key(node, budget=10)
    with GoBetween(node.port) as between:
        with pytest.raises(openai.APIStatusError) as refused:
            client_of(node, key, port=between.port, max_retries=3).chat.completions.create(
                model=MODEL_ID, messages=HELLO, max_tokens=100)
        assert between.requests == 1
    error = refused.value.body
    assert refused.value.status_code == 402 and refused.value.code == "insufficient_tickets"
    assert error["balance"] == 10 and error["shortfall"] == error["required"] - 10 > 0
    assert show(node, key)["charged"] == 0


def test_a_client_waits_as_long_as_it_is_told(tmp_path_factory):
    # One token of the bucket comes back in twelve seconds: whatever the machine does, five requests are quicker.
    settings = {"application": {"requests_per_minute": 5}, "ledger": {"block_interval_ms": 100}}
    with Node(tmp_path_factory.mktemp("throttled"), settings=settings) as node:
        key = new_key(node)
        hasty = client_of(node, key, max_retries=0)
        with pytest.raises(openai.RateLimitError) as refused:
            while True:
                with pytest.raises(openai.BadRequestError):
                    hasty.chat.completions.create(model=MODEL_ID, messages=[])
        assert refused.value.code == "rate_limit_exceeded"
        answers = []
        hooks = {"response": [lambda answer: answers.append((time.monotonic(), answer))]}
        with httpx2.Client(event_hooks=hooks) as http:
            client_of(node, key, max_retries=2, http_client=http).chat.completions.create(
                model=MODEL_ID, messages=HELLO, max_tokens=1)
        assert [answer.status_code for _, answer in answers] == [429, 200]
        wait = int(answers[0][1].headers["retry-after"])
        assert 1 <= wait <= 12 and answers[1][0] - answers[0][0] >= wait


# Money


def test_leaving_a_stream_ends_it_and_charges_what_was_delivered(node, client, key):
    stream = client.chat.completions.create(
        model=MODEL_ID, messages=[{"role": "user", "content": "Tell a very long story."}], max_tokens=1000,
        temperature=1, seed=1, stream=True)
    for number, _ in enumerate(stream):
        if number == 5:
            break
    stream.close()
    state = show(node, key)
    assert 4 <= state["completion_tokens"] < 1000
    until(node.log.read_text, lambda text: f"key={state['id']}" in text and "abandoned=true" in text)
    assert state["charged"] == cost(node, state["prompt_tokens"], state["completion_tokens"])


def test_a_retry_after_nothing_was_delivered_pays_once(node, key):
    with GoBetween(node.port, hang_up_before) as between:
        client = client_of(node, key, port=between.port, max_retries=2)
        chat = client.chat.completions.create(model=MODEL_ID, messages=HELLO, max_tokens=40, temperature=0)
        assert between.requests == 2
    state = show(node, key)
    assert state["charged"] == cost(node, chat.usage.prompt_tokens, chat.usage.completion_tokens)


def test_a_retry_with_an_idempotency_key_pays_once(node, key):
    with GoBetween(node.port, hang_up_after) as between:
        client = client_of(node, key, port=between.port, max_retries=2)
        chat = client.chat.completions.create(
            model=MODEL_ID, messages=HELLO, max_tokens=8, extra_headers={"Idempotency-Key": str(uuid.uuid4())})
        assert between.requests == 2
    state = show(node, key)
    assert state["requests"] == 1
    assert state["charged"] == cost(node, chat.usage.prompt_tokens, chat.usage.completion_tokens)


def test_a_killed_node_gives_back_what_was_reserved_and_says_nothing_of_what_was_said(tmp_path_factory):
    canary = f"canary{uuid.uuid4().hex}"
    folder = tmp_path_factory.mktemp("killed")
    node = Node(folder, settings={"ledger": {"block_interval_ms": 100}, "application": {"settle_seconds": 1}})
    with node:
        key = new_key(node)
        client = client_of(node, key, max_retries=0)
        ask = {"model": MODEL_ID, "messages": [{"role": "user", "content": f"Repeat: {canary}"}], "user": canary}
        client.chat.completions.create(max_tokens=60, extra_headers={"Idempotency-Key": canary}, **ask)
        paid = show(node, key)["charged"]
        stream = client.chat.completions.create(max_tokens=1000, stream=True, **ask)
        next(iter(stream))
        node.kill()
        node.start()
        state = show(node, key)
        assert state["charged"] == paid and state["balance"] == BUDGET - paid
        client_of(node, key).chat.completions.create(max_tokens=4, **ask)
        until(lambda: show(node, key), lambda state: state["unsettled"] == 0)
    searched = 0
    for path in folder.rglob("*"):
        if path.is_file():
            searched += 1
            data = path.read_bytes()
            assert canary.encode() not in data, path
            assert key.encode() not in data, path
    assert searched > 3
