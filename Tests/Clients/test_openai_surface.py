"""What else the `openai` client can ask for: choices, log-probabilities, embeddings, responses, several at once."""

import asyncio
import base64
import json
import math
import struct

import openai
import pytest
from node import MODEL_ID
from tickets import HELLO, client_of, cost, new_key, show

ASK = {"model": MODEL_ID, "messages": HELLO}
TOOL = {"type": "function", "function": {
    "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


# Chat


def test_choices_differ_come_again_and_are_charged_together(node, client, key):
    ask = {**ASK, "n": 3, "max_tokens": 12, "temperature": 1, "seed": 11}
    first = client.chat.completions.create(**ask)
    texts = [choice.message.content for choice in first.choices]
    assert [choice.index for choice in first.choices] == [0, 1, 2] and len(set(texts)) > 1
    assert show(node, key)["charged"] == cost(node, first.usage.prompt_tokens, first.usage.completion_tokens)
    again = client.chat.completions.create(**ask)
    assert [choice.message.content for choice in again.choices] == texts
    # The first choice is what the request gets without `n`.
    assert client.chat.completions.create(**{**ask, "n": 1}).choices[0].message.content == texts[0]
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**ask, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_logprobs_add_up_to_the_text(client):
    ask = {**ASK, "max_tokens": 10, "temperature": 0, "logprobs": True, "top_logprobs": 4}
    chat = client.chat.completions.create(**ask)
    tokens = chat.choices[0].logprobs.content
    assert len(tokens) == chat.usage.completion_tokens
    assert bytes(byte for token in tokens for byte in token.bytes).decode() == chat.choices[0].message.content
    for token in tokens:
        assert token.logprob <= 0 and len(token.top_logprobs) == 4
        assert [top.logprob for top in token.top_logprobs] == sorted(
            (top.logprob for top in token.top_logprobs), reverse=True)
        # Greedy: what was chosen is the likeliest.
        assert token.top_logprobs[0].token == token.token
        assert sum(math.exp(top.logprob) for top in token.top_logprobs) <= 1 + 1e-6
    streamed = []
    for chunk in client.chat.completions.create(**ask, stream=True):
        for choice in chunk.choices:
            streamed += choice.logprobs.content if choice.logprobs else []
    assert streamed == tokens


def test_a_bias_forbids_and_forces_tokens(client):
    ask = {**ASK, "max_tokens": 4, "temperature": 0}
    plain = client.chat.completions.create(**ask).choices[0].message.content
    forced = client.chat.completions.create(**ask, logit_bias={"30": 100})
    assert forced.usage.completion_tokens == 4
    text = forced.choices[0].message.content
    assert len(set(text)) == 1 and text != plain


def test_a_stop_text_ends_the_answer_and_is_not_shown(client):
    ask = {**ASK, "max_tokens": 24, "temperature": 0}
    whole = client.chat.completions.create(**ask).choices[0].message.content
    stop = whole[8:12]
    cut = client.chat.completions.create(**ask, stop=[stop]).choices[0]
    assert cut.message.content == whole[: whole.index(stop)] and cut.finish_reason == "stop"


def test_a_seed_repeats_an_answer(client):
    ask = {**ASK, "max_completion_tokens": 12, "temperature": 1.2, "user": "u", "metadata": {"a": "b"}, "store": True}
    answers = [client.chat.completions.create(**ask, seed=seed).choices[0].message.content for seed in (7, 7, 8, -9)]
    assert answers[0] == answers[1] and len(set(answers)) > 1


def test_usage_tells_what_was_known_from_before(client):
    ask = {"model": MODEL_ID, "max_tokens": 2, "messages": [{"role": "user", "content": "word " * 600}]}
    client.chat.completions.create(**ask)
    usage = client.chat.completions.create(**ask).usage
    assert 0 < usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens
    assert usage.completion_tokens_details.reasoning_tokens == 0


def test_a_receipt_comes_when_it_is_asked_for(client):
    choice = client.chat.completions.create(**ASK, max_tokens=4, extra_body={"receipt": True}).choices[0]
    assert len(choice.receipt["trace_root"]) == 64 and choice.receipt["output_tokens"] >= 4


def test_an_answer_has_the_form_that_was_asked_for(client):
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "green"]}, "count": {"type": "integer"}},
              "required": ["colour", "count"], "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "pick", "schema": schema, "strict": True}}
    ask = {**ASK, "max_tokens": 60, "temperature": 1, "seed": 5}
    whole = client.chat.completions.create(**ask, response_format=wanted)
    picked = json.loads(whole.choices[0].message.content)
    assert whole.choices[0].finish_reason == "stop"
    assert set(picked) == {"colour", "count"} and picked["colour"] in ("red", "green")
    assert isinstance(picked["count"], int)
    chunks = client.chat.completions.create(**ask, response_format=wanted, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    response = client.responses.create(
        model=MODEL_ID, input="Name three colours.", max_output_tokens=60,
        text={"format": {"type": "json_schema", "name": "pick", "schema": schema, "strict": True}})
    assert set(json.loads(response.output_text)) == {"colour", "count"}
    with pytest.raises(openai.BadRequestError) as refused:
        wrong = {"type": "json_schema", "json_schema": {"name": "a name", "schema": schema}}
        client.chat.completions.create(**ASK, response_format=wrong)
    assert refused.value.param.startswith("response_format")


def test_tools_without_a_choice_to_use_them_are_taken(client):
    chat = client.chat.completions.create(**ASK, max_tokens=4, tools=[TOOL], tool_choice="none")
    assert chat.choices[0].message.content and not chat.choices[0].message.tool_calls


# Completions


def test_completions_take_lists_echo_and_logprobs(node, client, key):
    prompts = ["Once upon a time", "The capital of France is"]
    both = client.completions.create(model=MODEL_ID, prompt=prompts, max_tokens=6, temperature=0, echo=True)
    assert [choice.index for choice in both.choices] == [0, 1]
    assert show(node, key)["charged"] == cost(node, both.usage.prompt_tokens, both.usage.completion_tokens)
    for choice, prompt in zip(both.choices, prompts):
        alone = client.completions.create(model=MODEL_ID, prompt=prompt, max_tokens=6, temperature=0, logprobs=3)
        assert choice.text == prompt + alone.choices[0].text
        told = alone.choices[0].logprobs
        assert "".join(told.tokens) == alone.choices[0].text and told.text_offset[0] == 0
        assert len(told.tokens) == len(told.token_logprobs) == len(told.top_logprobs) == len(told.text_offset)
        assert all(token in top for token, top in zip(told.tokens, told.top_logprobs))


@pytest.mark.parametrize("wrong", [
    ("prompt", {"prompt": [1, 2]}), ("suffix", {"suffix": "x"}), ("logprobs", {"logprobs": 6}),
    ("best_of", {"best_of": 2}), ("echo", {"echo": True, "logprobs": 1}),
], ids=lambda wrong: wrong[0])
def test_what_completions_do_not_do_is_refused(client, wrong):
    parameter, arguments = wrong
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(**{"model": MODEL_ID, "prompt": "a", **arguments})
    assert refused.value.param == parameter


# Embeddings


def test_embeddings_have_length_one_and_mean_something(node, client, key):
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose by a quarter point."]
    answer = client.embeddings.create(model=MODEL_ID, input=texts)
    cat, kitten, rates = [item.embedding for item in answer.data]
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert all(math.isclose(sum(x * x for x in vector), 1, rel_tol=1e-5) for vector in (cat, kitten, rates))
    assert sum(map(float.__mul__, cat, kitten)) > sum(map(float.__mul__, cat, rates))
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 10
    assert show(node, key)["charged"] == cost(node, answer.usage.prompt_tokens, 0)
    plain = client.embeddings.create(model=MODEL_ID, input=texts[0], encoding_format="float").data[0].embedding
    raw = client.embeddings.with_raw_response.create(model=MODEL_ID, input=texts[0], encoding_format="base64")
    data = base64.b64decode(raw.http_response.json()["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(data) // 4}f", data)) == pytest.approx(plain, rel=1e-6)


def test_embeddings_refuse_tokens_and_dimensions(client):
    for parameter, arguments in (("input", {"input": [1, 2]}), ("dimensions", {"input": "a", "dimensions": 8})):
        with pytest.raises(openai.BadRequestError) as refused:
            client.embeddings.create(model=MODEL_ID, **arguments)
        assert refused.value.param == parameter


# Responses


def test_a_response_is_answered_and_charged(node, client, key):
    response = client.responses.create(
        model=MODEL_ID, input="Name three colours.", instructions="Be brief.", max_output_tokens=8, temperature=0,
        store=False)
    assert response.object == "response" and response.output_text and response.store is False
    assert response.status == ("incomplete" if response.usage.output_tokens == 8 else "completed")
    assert show(node, key)["charged"] == cost(node, response.usage.input_tokens, response.usage.output_tokens)
    chat = client.chat.completions.create(
        model=MODEL_ID, max_tokens=8, temperature=0,
        messages=[{"role": "system", "content": "Be brief."}, *HELLO])
    assert chat.choices[0].message.content == response.output_text


def test_a_streamed_response_builds_what_the_whole_one_is(client):
    ask = {"model": MODEL_ID, "input": [{"role": "user", "content": "Name three colours."}], "max_output_tokens": 12,
           "temperature": 0}
    whole = client.responses.create(**ask)
    events = list(client.responses.create(**ask, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added",
                         "response.content_part.added"]
    assert kinds[-4:-1] == ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
    assert kinds[-1] == f"response.{whole.status}"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    assert events[-1].response.output_text == whole.output_text
    assert events[-1].response.usage == whole.usage or events[-1].response.usage.output_tokens == 12
    # The client's own helper wants an answer that was not cut.
    stop = whole.output_text[6:9]
    with client.responses.stream(**ask, extra_body={"stop": stop}) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == whole.output_text[: whole.output_text.index(stop)]


def test_a_conversation_goes_on_with_the_items_of_the_last_answer(client):
    first = client.responses.create(model=MODEL_ID, input="Name a colour.", max_output_tokens=8)
    items = [{"role": "user", "content": "Name a colour."}, *[item.model_dump() for item in first.output],
             {"role": "user", "content": "Another."}]
    assert client.responses.create(model=MODEL_ID, input=items, max_output_tokens=4).output_text


def test_a_response_has_no_memory(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODEL_ID, input="a", previous_response_id="resp_1")
    assert refused.value.param == "previous_response_id" and "input" in refused.value.body["message"]


# Headers and many at once


def test_every_answer_has_its_headers(node, client):
    raw = client.chat.completions.with_raw_response.create(**ASK, max_tokens=1)
    assert raw.request_id.startswith("req_") and int(raw.headers["openai-processing-ms"]) >= 0
    limit, remaining = (int(raw.headers[f"x-ratelimit-{name}-requests"]) for name in ("limit", "remaining"))
    assert 0 <= remaining < limit and raw.headers["x-ratelimit-reset-requests"].endswith("ms")
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="gpt-0", messages=HELLO)
    assert refused.value.response.headers["x-request-id"].startswith("req_")
    assert set(refused.value.response.json()["error"]) == {"message", "type", "param", "code"}
    for path in ("/v1/nothing", "/v1/files", "/v1/audio/speech"):
        status, _, answer = node.request("POST", path, {})
        assert status in (404, 405) and answer["error"]["message"], path


def test_many_clients_at_once_are_all_answered_and_charged(node):
    key = new_key(node)

    async def ask():
        async with openai.AsyncOpenAI(
                base_url=f"http://127.0.0.1:{node.port}/v1", api_key=key, timeout=300, max_retries=6) as client:
            return await asyncio.gather(*[
                client.chat.completions.create(**ASK, max_tokens=6, temperature=1, seed=seed, n=2)
                for seed in range(12)])

    chats = asyncio.run(ask())
    assert all(len(chat.choices) == 2 for chat in chats)
    assert show(node, key)["charged"] == sum(
        cost(node, chat.usage.prompt_tokens, chat.usage.completion_tokens) for chat in chats)


def test_retries_never_pay_twice(node):
    key = new_key(node)
    client = client_of(node, key, max_retries=2)
    ask = {**ASK, "max_tokens": 6, "temperature": 0, "n": 2, "extra_headers": {"Idempotency-Key": "once"}}
    first, second = client.chat.completions.create(**ask), client.chat.completions.create(**ask)
    assert first == second and show(node, key)["requests"] == 1
