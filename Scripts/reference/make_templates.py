"""Writes Tests/Inference/Fixtures/templates.json: templates, conversations, and what jinja2 renders, set as Hugging Face sets it.

    .venv/bin/python Scripts/reference/make_templates.py MODEL.gguf
"""
import json
import os
import sys

import gguf
import jinja2

OTHERS = [
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{% if loop.last %}!{% else %},{% endif %}{% endfor %}",
    "{%- for message in messages -%}\n  [{{- message.role -}}]  {{ message.content | trim }}\n{%- endfor %}\n",
    "{% for message in messages %}\n    {% if message['role'] == 'user' %}\nU: {{ message['content'] }}\n    {% elif message['role'] == 'system' and not loop.first %}\nS\n    {% else %}\nA: {{ message['content'] }}\n    {% endif %}\n{% endfor %}\n",
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}{% set system = 'none' %}{% set rest = messages %}{% endif %}<{{ system }}>{% for m in rest %}{{ m['content'] + '/' }}{% endfor %}",
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}odd{% endif %}{{ m.content ~ eos_token }}{% endfor %}{# a comment #}{% if add_generation_prompt %}go{% endif %}",
    "{% if tools is defined %}T{% endif %}{% if tools is not defined or messages %}N{% endif %}{{ messages | length }}{{ messages[-1]['content'] }}{{ 'user' in messages[0]['role'] }}",
    "{% for a in messages %}{% for b in messages %}{{ loop.index }}{% endfor %}{{ loop.index }}{% set x = 'in' %}{% endfor %}{{ x }}",
]
CONVERSATIONS = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief.\n"}, {"role": "user", "content": "  Why?  "}],
    [{"role": "user", "content": "a\"b'c\\"}, {"role": "assistant", "content": "\u00e9\U0001F600"}, {"role": "user", "content": "<|im_end|>{{ x }}"}],
    [{"role": "system", "content": ""}, {"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}],
]


def main():
    own = gguf.GGUFReader(sys.argv[1]).fields["tokenizer.chat_template"].contents()
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    rows = []
    for source in [own] + OTHERS:
        for messages in CONVERSATIONS:
            for prompt in (True, False):
                text = environment.from_string(source).render(
                    messages=messages, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>")
                rows.append({"template": source, "messages": messages, "prompt": prompt, "text": text})
    target = os.path.join(os.path.dirname(__file__), "../../Tests/Inference/Fixtures/templates.json")
    with open(target, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


main()
