"""Tools with the real model and the `openai` client: offered, demanded, answered."""

import json

import pytest

MODEL = "SmolLM2-135M-Instruct"
ADD = {"type": "function", "function": {
    "name": "add", "description": "Adds two whole numbers.", "parameters": {
        "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"],
        "additionalProperties": False}}}
NOW = {"type": "function", "function": {"name": "now", "description": "The time."}}
QUESTION = [{"role": "user", "content": "What is 2 plus 3? Use the tool."}]


def ask(client, messages, **more):
    return client.chat.completions.create(
        model=MODEL, messages=messages, tools=[ADD, NOW], max_tokens=200, temperature=0, **more)


@pytest.mark.parametrize("choice, names", [
    ({"type": "function", "function": {"name": "add"}}, {"add"}), ("required", {"add", "now"}),
])
def test_a_demanded_call_comes_and_goes_on(client, choice, names):
    answer = ask(client, QUESTION, tool_choice=choice).choices[0]
    assert answer.finish_reason == "tool_calls" and answer.message.content is None
    call = answer.message.tool_calls[0]
    assert call.type == "function" and call.function.name in names and call.id.startswith("call_")
    if call.function.name == "add":
        assert {type(value) for value in json.loads(call.function.arguments).values()} == {int}
    more = [*QUESTION, answer.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "5"}]
    rest = ask(client, more).choices[0]
    assert rest.finish_reason in ("stop", "length", "tool_calls")


def test_a_stream_of_a_call_adds_up(client):
    choice = {"type": "function", "function": {"name": "add"}}
    whole = ask(client, QUESTION, tool_choice=choice, seed=5).choices[0].message.tool_calls[0]
    name, arguments, finish = "", "", None
    for chunk in ask(client, QUESTION, tool_choice=choice, seed=5, stream=True):
        for part in chunk.choices:
            finish = part.finish_reason or finish
            for call in part.delta.tool_calls or []:
                assert call.index == 0
                name += call.function.name or ""
                arguments += call.function.arguments or ""
    assert (name, arguments, finish) == (whole.function.name, whole.function.arguments, "tool_calls")


def test_none_offers_nothing_and_auto_says_what_it_costs(client):
    plain = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=4, temperature=0)
    none = ask(client, QUESTION, tool_choice="none")
    auto = ask(client, QUESTION)
    assert none.usage.prompt_tokens == plain.usage.prompt_tokens < auto.usage.prompt_tokens
    assert auto.choices[0].finish_reason in ("stop", "length", "tool_calls")
