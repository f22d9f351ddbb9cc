#!/usr/bin/env python3
"""Holds the engine's predictions against the float32 model of reference.py, position by position.

    .venv/bin/python Scripts/reference/faithfulness.py MODEL.gguf [--program PATH] [--positions N]

Prints one line a text of Tests/Inference/Fixtures/texts: the mean Kullback-Leibler divergence in nats, the share of
positions where both find the same token most likely, both perplexities, and the positions where they do not although
the reference is sure of it. The limits are those of `LIMITS`; it exits with 1 when one is passed.

It is coarse: it finds a wrong model, not a wrong bit. Those are found by the two implementations of docs/arithmetic.md.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy as np
from peer import Peer
from reference import Reference

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ROOT / "Tests" / "Inference" / "Fixtures" / "texts"
ROWS = 64

# Mean divergence at most, share of equal tokens at least, perplexity within, and a margin in nats that decides.
LIMITS = {"divergence": 2e-2, "agreement": 0.93, "perplexity": 0.025, "margin": 2.0}


@dataclass
class Tally:
    """What was found on one text."""

    name: str
    positions: int = 0
    divergence: float = 0.0
    agreements: int = 0
    loss: float = 0.0
    reference_loss: float = 0.0
    sure_mismatches: int = 0

    def add(self, reference, engine, following):
        """Rows of logits of both, [n][vocabulary], and the tokens that really came."""
        p, q = log_shares(reference), log_shares(engine)
        share = np.exp(p)
        rows = np.arange(len(p))
        best, ours = p.argmax(-1), q.argmax(-1)
        second = np.partition(p, -2, axis=-1)[:, -2]
        self.positions += len(p)
        self.divergence += float((share * (p - q)).sum())
        self.agreements += int((best == ours).sum())
        self.sure_mismatches += int(((best != ours) & (p[rows, best] - second >= LIMITS["margin"])).sum())
        self.loss -= float(q[rows, following].sum())
        self.reference_loss -= float(p[rows, following].sum())

    @property
    def perplexities(self):
        return np.exp(self.loss / self.positions), np.exp(self.reference_loss / self.positions)

    def faults(self):
        """The limits that are passed, as sentences."""
        ours, theirs = self.perplexities
        found = {
            f"mean divergence {self.divergence / self.positions:.5f}":
                not self.divergence / self.positions <= LIMITS["divergence"],
            f"agreement {self.agreements / self.positions:.4f}":
                not self.agreements / self.positions >= LIMITS["agreement"],
            f"perplexity {ours:.3f} against {theirs:.3f}": not abs(ours / theirs - 1) <= LIMITS["perplexity"],
            f"{self.sure_mismatches} wrong tokens where the reference is sure": self.sure_mismatches > 0,
        }
        return [f"{self.name}: {fault}" for fault, passed in found.items() if passed]

    def __str__(self):
        ours, theirs = self.perplexities
        return (f"{self.name}: {self.positions} positions, divergence {self.divergence / self.positions:.5f}, "
                f"agreement {self.agreements / self.positions:.4f}, perplexity {ours:.3f} against {theirs:.3f}, "
                f"{self.sure_mismatches} sure mismatches")


def log_shares(logits):
    """Logarithms of probabilities, in binary64."""
    wide = logits.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(-1, keepdims=True))


def tokens_of_texts(model, positions):
    """Each text's name and its first tokens, one more than positions; Gemma's begin with its start token."""
    peer = Peer(str(model))
    texts = {}
    for path in sorted(TEXTS.glob("*.txt")):
        tokens = (peer.start() + peer.tokenize(path.read_text(encoding="utf-8")))[:positions + 1]
        assert len(tokens) == positions + 1, f"{path.name} has only {len(tokens)} tokens"
        texts[path.stem] = tokens
    return texts


def engine_rows(program, model, texts):
    """The engine's rows, text after text: calls to `read(n)` give the next n rows' bytes."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for tokens in texts:
            file.write(" ".join(map(str, tokens)) + "\n")
        file.flush()
        process = subprocess.Popen(
            [program, "--model", model, "--threads", "2", "--logits", file.name], stdout=subprocess.PIPE)
        yield process.stdout
        assert process.stdout.read() == b"" and process.wait() == 0, "the engine failed"


def compare(model, program, positions=512):
    """A tally for each text."""
    texts = tokens_of_texts(model, positions)
    reference = Reference(model)
    vocabulary = len(reference.head)
    tallies = []
    for stream in engine_rows(program, model, texts.values()):
        for name, tokens in texts.items():
            hidden = reference.hidden(np.array(tokens[:-1]))
            tally = Tally(name)
            for start in range(0, positions, ROWS):
                count = min(ROWS, positions - start)
                data = stream.read(4 * count * vocabulary)
                assert len(data) == 4 * count * vocabulary, "the engine ended before its last row"
                ours = np.frombuffer(data, np.float32).reshape(count, vocabulary)
                tally.add(hidden[start:start + count] @ reference.head.T, ours,
                          np.array(tokens[start + 1:start + count + 1]))
            tallies.append(tally)
    return tallies


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--program", default=ROOT / ".build" / "release" / "EngineBench")
    parser.add_argument("--positions", type=int, default=512)
    arguments = parser.parse_args()
    tallies = compare(arguments.model, arguments.program, arguments.positions)
    print(*tallies, sep="\n")
    faults = [fault for tally in tallies for fault in tally.faults()]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
