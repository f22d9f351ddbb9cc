"""Answers in a form: the real model, the `openai` client, and PyPI `jsonschema` as the judge of what comes."""

import json
import random

import jsonschema
import openai
import pydantic
import pytest

MODEL = "SmolLM2-135M-Instruct"
WORDS = ["red", "green", "deep blue", "é", "a \"quoted\" one", "back\\slash", "line\nend"]


def random_schema(dice, depth=0):
    """A strict schema of what OpenAI's structured outputs have."""
    kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "pattern", "format"]
    if depth < 3:
        kinds += ["object", "object", "array", "anyOf"]
    kind = dice.choice(kinds)
    if kind == "string":
        least = dice.randrange(3)
        return {"type": "string", "minLength": least, "maxLength": least + dice.randrange(12)}
    if kind == "integer":
        low = dice.randrange(-2000, 2000)
        return {"type": "integer", "minimum": low, "maximum": low + dice.randrange(3000)}
    if kind == "number":
        low = dice.randrange(-50, 50)
        return {"type": "number", "minimum": low, "maximum": low + dice.randrange(1, 100)}
    if kind == "enum":
        return {"enum": dice.sample([*WORDS, 1, -2.5, None, True, {"a": [1]}], dice.randrange(1, 6))}
    if kind == "const":
        return {"const": dice.choice(WORDS)}
    if kind == "pattern":
        return {"type": "string", "pattern": dice.choice(["^[a-f]{2,5}$", "^\\d{3}-\\d{2}$", "^(yes|no|may be)$"])}
    if kind == "format":
        return {"type": "string", "format": dice.choice(["date", "time", "date-time", "uuid", "ipv4"])}
    if kind == "array":
        least = dice.randrange(3)
        return {"type": "array", "items": random_schema(dice, depth + 1), "minItems": least,
                "maxItems": least + dice.randrange(3)}
    if kind == "anyOf":
        return {"anyOf": [random_schema(dice, depth + 1) for _ in range(dice.randrange(1, 4))]}
    if kind == "object":
        names = dice.sample(["name", "age", "a b", "ünï", "x\"y", "id", "list"], dice.randrange(1, 5))
        return {"type": "object", "properties": {name: random_schema(dice, depth + 1) for name in names},
                "required": [name for name in names if dice.random() < 0.7], "additionalProperties": False}
    return {"type": kind}


def ask(client, schema, **more):
    return client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Answer in JSON."}], max_tokens=400,
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}},
        **more).choices[0]


@pytest.mark.parametrize("number", range(40))
def test_what_comes_is_valid(client, number):
    dice = random.Random(number)
    schema = random_schema(dice)
    choice = ask(client, schema, seed=number, temperature=dice.choice([0, 1, 2]))
    if choice.finish_reason == "length":
        return
    assert choice.finish_reason == "stop"
    value = json.loads(choice.message.content)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)


def test_most_answers_come_to_an_end(client):
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 30},
                                               "people": {"type": "integer", "minimum": 0}},
              "required": ["city", "people"], "additionalProperties": False}
    choices = [ask(client, schema, seed=seed) for seed in range(8)]
    assert sum(choice.finish_reason == "stop" for choice in choices) >= 7
    for choice in choices:
        if choice.finish_reason == "stop":
            jsonschema.validate(json.loads(choice.message.content), schema)


def test_any_object(client):
    choice = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "A JSON object about a cat."}], max_tokens=300,
        temperature=0, response_format={"type": "json_object"}).choices[0]
    assert choice.message.content.startswith("{")
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content), dict)


def test_the_client_reads_it_as_a_class(client):
    class Person(pydantic.BaseModel):
        name: str
        age: int

    answer = client.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": "Invent a person."}], max_tokens=200, temperature=0,
        response_format=Person)
    assert isinstance(answer.choices[0].message.parsed, Person)


def test_a_stream_has_the_same_text(client):
    schema = {"type": "array", "items": {"enum": WORDS}, "minItems": 2, "maxItems": 4}
    whole = ask(client, schema, temperature=0).message.content
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Answer in JSON."}], max_tokens=400, temperature=0,
        stream=True,
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}})
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == whole


@pytest.mark.parametrize("schema, path", [
    ({"type": "object", "properties": {"a": {"not": {}}}, "required": ["a"]}, "properties.a.not"),
    ({"type": "thing"}, "type"), ({"$ref": "#"}, ""), ({"type": "string", "pattern": "(?<=a)b"}, "pattern"),
])
def test_what_is_not_held_is_refused_by_name(client, schema, path):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, schema)
    assert caught.value.param == "response_format.json_schema.schema" + ("." + path if path else "")
