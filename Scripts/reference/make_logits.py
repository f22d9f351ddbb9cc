"""Writes Tests/Inference/Fixtures/logits.bin: what the numpy reference predicts at every position of two texts.

    .venv/bin/python Scripts/reference/make_logits.py MODEL.gguf

Little-endian. Header: u32 texts. For each text: u32 n, u32 tokens[n], then for each position 0..<n-1:
u32 argmax, f32 margin to the second logit, f32 log p(next token), u16 top[128], f32 log p(top)[128],
f32 log of the rest's share by token number mod 64 [64] (-1e30 for nothing).
"""
import os
import struct
import sys

import numpy as np

from peer import Peer
from reference import Reference

TOP, CLASSES = 128, 64
PROSE = """A cooperative is owned by the people who use it. In the spring of 1844 a group of weavers in Rochdale put together
twenty-eight pounds and opened a small shop that sold flour, butter, sugar and oatmeal. They wrote down a handful of rules: one
member, one vote; honest weights and measures; a share of the surplus for everyone in proportion to what they had bought. The
shop was open only two nights a week at first, and many neighbours laughed at it. Within ten years there were nearly a thousand
cooperatives in Britain. What made the difference was not the price of flour, which was about the same everywhere, but the fact
that anybody could look into the books and ask a question at the meeting. Trust, the weavers found, is cheaper when it can be
checked. The same is true of a machine that answers questions. If nobody can see which program gave an answer, nobody can say
whether it was the one that the members had chosen. A signature on the answer helps, because it names who is responsible, but it
does not say that the work was done. For that, someone else must be able to do the same work again and get the same result."""
CODE = """def merge(left, right):
    result = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            result.append(left[i])
            i += 1
        else:
            result.append(right[j])
            j += 1
    result.extend(left[i:])
    result.extend(right[j:])
    return result


def merge_sort(values):
    if len(values) <= 1:
        return values
    middle = len(values) // 2
    return merge(merge_sort(values[:middle]), merge_sort(values[middle:]))


print(merge_sort([5, 2, 9, 1, 5, 6]))  # [1, 2, 5, 5, 6, 9]

Le chat dort sur le canap\u00e9 pendant que la pluie tombe. Der Hund schl\u00e4ft auf dem Sofa, w\u00e4hrend es regnet. The quick brown
fox jumps over the lazy dog; 12 + 30 = 42, and 7 * 6 = 42 as well. Q: What is the capital of Italy? A: Rome. Q: And of Japan?
A: Tokyo. Q: Who wrote Hamlet? A: William Shakespeare."""


def main():
    peer, reference = Peer(sys.argv[1]), Reference(sys.argv[1])
    out = [struct.pack("<I", 2)]
    for text in (PROSE.replace("\n", " "), CODE):
        tokens = peer.tokenize(text)
        logits = reference.logits(tokens).astype(np.float64)
        logp = logits - logits.max(-1, keepdims=True)
        logp -= np.log(np.exp(logp).sum(-1, keepdims=True))
        out.append(struct.pack("<I", len(tokens)) + np.array(tokens, "<u4").tobytes())
        for position in range(len(tokens) - 1):
            row = logp[position]
            top = np.argsort(-row, kind="stable")[:TOP]
            rest = np.exp(row)
            rest[top] = 0
            share = np.bincount(np.arange(len(row)) % CLASSES, rest, CLASSES)
            out.append(struct.pack("<Iff", int(top[0]), row[top[0]] - row[top[1]], row[tokens[position + 1]]))
            out.append(top.astype("<u2").tobytes() + row[top].astype("<f4").tobytes())
            out.append(np.where(share > 0, np.log(np.maximum(share, 1e-300)), -1e30).astype("<f4").tobytes())
        print(len(tokens), "tokens, perplexity", np.exp(-np.mean([logp[i, tokens[i + 1]] for i in range(len(tokens) - 1)])))
    with open(os.path.join(os.path.dirname(__file__), "../../Tests/Inference/Fixtures/logits.bin"), "wb") as file:
        file.write(b"".join(out))


main()
