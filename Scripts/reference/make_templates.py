"""Writes Tests/Inference/Fixtures/templates.json: templates, conversations, and what jinja2 renders, set as Hugging Face sets it.

    .venv/bin/python Scripts/reference/make_templates.py MODEL.gguf
"""
import json
import os
import sys

import gguf
import jinja2
import jinja2.ext
import jinja2.sandbox

HERE = os.path.dirname(__file__)
FIXTURES = os.path.join(HERE, "../../Tests/Inference/Fixtures")
# Qwen 2.5's, Apache-2.0, from the tokenizer_config.json that https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct publishes.
FILES = ["qwen2.5.jinja"]

OTHERS = [
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{% if loop.last %}!{% else %},{% endif %}{% endfor %}",
    "{%- for message in messages -%}\n  [{{- message.role -}}]  {{ message.content | trim }}\n{%- endfor %}\n",
    "{% for message in messages %}\n    {% if message['role'] == 'user' %}\nU: {{ message['content'] }}\n    {% elif message['role'] == 'system' and not loop.first %}\nS\n    {% else %}\nA: {{ message['content'] }}\n    {% endif %}\n{% endfor %}\n",
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}{% set system = 'none' %}{% set rest = messages %}{% endif %}<{{ system }}>{% for m in rest %}{{ m['content'] + '/' }}{% endfor %}",
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}odd{% endif %}{{ m.content ~ eos_token }}{% endfor %}{# a comment #}{% if add_generation_prompt %}go{% endif %}",
    "{% if tools is defined %}T{% endif %}{% if tools is not defined or messages %}N{% endif %}{{ messages | length }}{{ messages[-1]['content'] }}{{ 'user' in messages[0]['role'] }}",
    "{% for a in messages %}{% for b in messages %}{{ loop.index }}{% endfor %}{{ loop.index }}{% set x = 'in' %}{% endfor %}{{ x }}",
    # Values and operators.
    "{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 5 }} {{ 'ab' * 3 }} {{ 'a' ~ 1 ~ none ~ true }}",
    "{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ none == false }} {{ not 1 }} {{ 1 and 'x' }} {{ '' or 'y' }} {{ [1, 2] == [1, 2] }}",
    "{{ 'x' in 'xyz' }} {{ 'q' not in ['a', 'b'] }} {{ 2 in [1, 2] }} {{ 'role' in messages[0] }} {{ 'a' if messages else 'b' }} {{ 'only' if not messages }}",
    "{{ [1, 'a', none, true, 2.5] }} {{ {'a': 1, 'b': [2]} }} {{ (1, 2)[0] }} {{ messages[0] | length > 1 }}",
    "{{ 'hello'[1:3] }} {{ 'hello'[::-1] }} {{ [1, 2, 3, 4][::2] }} {{ [1, 2, 3][-2:] }} {{ 'hello'[-1] }} {{ [1, 2, 3][5:] }} {{ [1, 2, 3][::-1] }}",
    "{{ 'a\\nb\\t\\'q\\'' }} {{ \"d'q\" }} {{ 'u\\u00e9x\\x41' }} {{ 'two' 'parts' }} {{ 1_000 }} {{ 1.5e3 }} {{ 0.1 }} {{ 1e20 }}",
    # Filters.
    "{{ messages | map(attribute='role') | join(', ') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='content') | join('|') }}",
    "{{ '  x y ' | trim }}. {{ 'xxabxx' | trim('x') }} {{ 'aBc dEf' | title }} {{ 'aBC' | capitalize }} {{ 'aBc' | upper }}{{ 'aBc' | lower }} {{ 'a-b-c' | replace('-', '+') }} {{ 'a-b-c' | replace('-', '+', 1) }}",
    "{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort | join }} {{ [3, 1, 2] | sort(reverse=true) }} {{ [1, 2, 2, 1] | unique | list }} {{ [1, 2] | first }}{{ [1, 2] | last }} {{ [] | first }} {{ 'abc' | reverse }} {{ [1, 2] | reverse | list }}",
    "{{ x | default('d') }} {{ '' | default('d') }} {{ '' | default('d', true) }} {{ none | default('d') }} {{ '42' | int + 1 }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ '2.5' | float }} {{ 5 | string + 'x' }} {{ -3 | abs }}",
    "{{ {'b': 1, 'a': {'c': [1, 2.0, 'é\"', none, true]}} | tojson }} {{ [] | tojson }} {{ {} | tojson }} {{ 'a\\n\\u0001' | tojson }}",
    "{{ {'b': 1, 'a': {'c': [1, 2], 'd': []}} | tojson(indent=2) }}",
    "{{ tools | tojson }}{{ tools | tojson(indent=4) if tools }}",
    "{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }} {% for k, v in {'b': 1, 'a': 2} | dictsort %}{{ k }}{{ v }}{% endfor %} {% for k, v in {'b': 1} | items %}{{ k }}{{ v }}{% endfor %} {{ [1, 2, 3] | select('odd') | list }} {{ [1, 0] | select | list }} {{ ['a', 'b'] | map('upper') | list }}",
    # Tests.
    "{{ x is defined }}{{ x is undefined }}{{ none is none }}{{ messages is iterable }}{{ messages is sequence }}{{ messages[0] is mapping }}{{ 'a' is string }}{{ 1 is number }}{{ true is boolean }}{{ 3 is odd }}{{ 4 is even }}{{ 6 is divisibleby 3 }}{{ 1 is eq 1 }}{{ 1 is not none }}{{ 1 is in [1] }}",
    # Methods.
    "{{ '  a b '.strip() }}.{{ 'xax'.strip('x') }}{{ 'xax'.lstrip('x') }}{{ 'xax'.rstrip('x') }} {{ 'a,b,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }} {{ 'aXb'.upper() }}{{ 'AxB'.lower() }} {{ 'a b'.title() }} {{ 'aba'.replace('a', 'c') }} {{ 'abc'.find('c') }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{{ {'a': 1}.get('a') }}{{ {'a': 1}.get('z', 9) }}{{ {'a': 1}.get('z') }} {{ {'a': 1}.keys() | list }}{{ {'a': 1}.values() | list }}",
    "{% for m in messages %}{{ m.get('name', '-') }}{{ m.content.split('\n')[-1] }}{% endfor %}",
    # Statements.
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ m.content }}{% else %}none{% endfor %}",
    "{% for m in [] %}x{% else %}empty{% endfor %}{% for a, b in [[1, 2], [3, 4]] %}{{ a + b }},{% endfor %}{% for c in 'abc' %}{{ c }}{{ loop.revindex }}{{ loop.cycle('x', 'y') }}{% endfor %}",
    "{% for m in messages %}{% if loop.previtem is defined %}{{ loop.previtem.role }}>{% endif %}{{ m.role }}{% if loop.nextitem is defined %}<{{ loop.nextitem.role }}{% endif %};{% endfor %}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %} {{ range(2, 8, 3) | list }} {{ range(3, 0, -1) | list }}",
    "{% set ns = namespace(found=false, n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% if m.role == 'user' %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}{{ ns.n }}",
    "{% set x %}a{{ 1 + 1 }}b{% endset %}[{{ x }}]{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set l = [1] + [2] %}{{ l }}{% set d = dict(a=1) %}{{ d.a }}",
    "{% macro f(a, b='B', c=none) %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(1, c=3) }}{% macro g(x) %}{{ f(x) | upper }}{% endmacro %}{{ g('q') }}",
    "{% if messages[0].role == 'system' %}s{% elif messages | length > 2 %}l{% else %}e{% endif %}{% if not tools %}n{% endif %}{% if tools is not none %}t{% endif %}",
    "{% raw %}{{ x }} {% if %}{% endraw %}{# c #}{{ 'after' }}{#- trimmed -#}   z",
    # White space.
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a  {%- if true %}  b  {%- endif -%}  c\n\n {{- 'd' -}} \n e {{ 'f' }}\n",
    "  {%+ if true %}x{% endif %}\n{% if true +%}\ny{% endif %}\n   {# comment #}\nz{{ 'w' }}\n\n",
    "{% for m in messages %}\n{{ m.role }}\n{% endfor %}\n\t{% set x = 1 %}\t{{ x }}\r\n{% if x %}\r\n y\r\n{% endif %}",
    # Faults.
    "{{ raise_exception('no ' + messages[0].role) }}", "{{ x.y }}", "{{ [1] + 'a' }}", "{{ 1 // 0 }}", "{{ messages | length + 'a' }}",
    "{% if messages[0].role != 'user' %}{{ raise_exception('must begin with user') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}{% endif %}[INST] {{ message.content }} [/INST]{% endfor %}",
    # Tools, as several families write them.
    "{%- if tools is not none and tools %}<tools>{% for tool in tools %}{{ tool.function.name }}: {{ tool.function.description | default('-') }} {% for name, p in tool.function.parameters.properties.items() %}{{ name }} ({{ p.type }}{% if name in tool.function.parameters.required %}*{% endif %}){% if not loop.last %}, {% endif %}{% endfor %};{% endfor %}</tools>{% endif %}{% for m in messages %}{% if m.tool_calls is defined and m.tool_calls %}{% for c in m.tool_calls %}[{{ c.function.name }}{% for k, v in c.function.arguments | items %} {{ k }}={{ v if v is string else v | tojson }}{% endfor %}]{% endfor %}{% elif m.role == 'tool' %}({{ m.tool_call_id }}: {{ m.content }}){% else %}{{ m.role }}: {{ m.content }}{% endif %}\n{% endfor %}",
    "{%- set last = namespace(index=-1) %}{%- for m in messages[::-1] %}{%- if m.role == 'user' and last.index == -1 %}{%- set last.index = messages | length - 1 - loop.index0 %}{%- endif %}{%- endfor %}{{ last.index }}{%- for m in messages %}{%- set content = m.content if m.content is string else '' %}{%- if '</think>' in content %}{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}{{ '\\n' ~ content }}{%- endfor %}",
]
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "The weather of a place — now", "parameters": {
        "type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer", "default": 1.0}},
        "required": ["place"]}}},
    {"type": "function", "function": {"name": "add", "parameters": {
        "type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "number"}}}, "required": []}}},
]
CONVERSATIONS = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief.\n"}, {"role": "user", "content": "  Why?  "}],
    [{"role": "user", "content": "a\"b'c\\"}, {"role": "assistant", "content": "\u00e9\U0001F600"}, {"role": "user", "content": "<|im_end|>{{ x }}"}],
    [{"role": "system", "content": ""}, {"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}],
    [{"role": "user", "content": "Weather in Zürich?"},
     {"role": "assistant", "content": "", "tool_calls": [
         {"type": "function", "function": {"name": "weather", "arguments": {"place": "Z\"ü\"rich", "days": 2}}, "id": "c1"},
         {"type": "function", "function": {"name": "add", "arguments": {"numbers": [1, 2.5, -3e-7]}}, "id": "c2"}]},
     {"role": "tool", "content": "sun", "tool_call_id": "c1"}, {"role": "tool", "content": "{\"sum\": 3.5}", "tool_call_id": "c2"},
     {"role": "assistant", "content": "<think>\nhm\n</think>\n\nSun."}, {"role": "user", "content": "line one\nline two"}],
    [{"role": "system", "content": "S"}, {"role": "assistant", "content": "first"}, {"role": "user", "content": "\t x \n"}],
]


class Generation(jinja2.ext.Extension):
    """`{% generation %}` … `{% endgeneration %}`, which changes no text."""

    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def main():
    """As transformers' apply_chat_template sets jinja2 up."""
    own = gguf.GGUFReader(sys.argv[1]).fields["tokenizer.chat_template"].contents()
    files = [open(os.path.join(FIXTURES, "templates", name), encoding="utf-8").read() for name in FILES]
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    templates, rows = [own, *files, *OTHERS], []
    for number, source in enumerate(templates):
        for conversation, messages in enumerate(CONVERSATIONS):
            for prompt, tools in ((True, False), (False, False), (True, True)):
                try:
                    text = environment.from_string(source).render(
                        messages=messages, tools=TOOLS if tools else None, documents=None, add_generation_prompt=prompt,
                        bos_token="<s>", eos_token="</s>")
                except Exception:  # whatever Python raises there: ours must refuse too
                    text = None
                rows.append([number, conversation, prompt, tools, text])
    fixture = {"templates": templates, "conversations": CONVERSATIONS, "tools": TOOLS, "rows": rows}
    with open(os.path.join(FIXTURES, "templates.json"), "w", encoding="utf-8") as file:
        json.dump(fixture, file, separators=(",", ":"))
        file.write("\n")


main()
