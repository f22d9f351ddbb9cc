"""Token ids equal llama.cpp's on thousands of strings: two real models, and small vocabularies for all rules."""

import random
import subprocess
import sys

import gguf
import pytest
from node import BUILT, MODELS, ROOT

sys.path.insert(0, str(ROOT / "Scripts" / "reference"))

import strings  # noqa: E402
import vocabulary  # noqa: E402
from peer import Peer  # noqa: E402

SEED = 41
# Names of `tokenizer.ggml.pre`, one or more for every pipeline of PreTokenizer.
RULES = ["gpt-2", "smollm", "default", "llama-bpe", "smaug-bpe", "qwen2", "tekken", "gpt-4o", "falcon",
         "deepseek-coder"]
# llama.cpp runs these by std::regex, which recurses once a character: long words exhaust its stack.
LONGEST = 4000
SPECIALS = [("<|begin|>", gguf.TokenType.CONTROL), ("<tool>", gguf.TokenType.USER_DEFINED),
            ("<tool>x", gguf.TokenType.USER_DEFINED), ("l><|end|", gguf.TokenType.USER_DEFINED),
            ("  ", gguf.TokenType.USER_DEFINED), ("   ", gguf.TokenType.USER_DEFINED),
            ("<|end|>", gguf.TokenType.CONTROL)]


def ours(model, texts, folder):
    """For each text its tokens, those where control tokens count, and the bytes of the first."""
    file = folder / "texts"
    file.write_text("\n".join(text.encode().hex() for text in texts))
    result = subprocess.run([BUILT / "EngineBench", "--model", model, "--tokens", file], stdout=subprocess.PIPE,
                            text=True, check=True)
    rows = [row.split("\t") for row in result.stdout.split("\n")[:-1]]
    return [([*map(int, plain.split())], [*map(int, special.split())], bytes.fromhex(decoded))
            for plain, special, decoded in rows]


def compare(model, texts, folder, lossless=True, blank=None):
    """Ids equal the peer's, and the ids give the text back; `blank` is what a vocabulary writes for a space."""
    peer = Peer(str(model), vocabulary_only=True)
    found = ours(model, texts, folder)
    assert len(found) == len(texts)
    wrong = []
    for text, (plain, special, decoded) in zip(texts, found):
        expected = peer.tokenize(text), peer.tokenize(text, True)
        if (plain, special) != expected:
            wrong.append((text, plain, special, *expected))
        elif lossless and decoded != (text.replace(blank, " ") if blank else text).encode():
            wrong.append((text, decoded))
    assert not wrong, f"{len(wrong)} of {len(texts)} differ: {wrong[:3]}"


def named(model):
    """The tokens of a file that are recognised as a whole."""
    fields = gguf.GGUFReader(model).fields
    kinds = fields["tokenizer.ggml.token_type"].contents()
    tokens = fields["tokenizer.ggml.tokens"].contents()
    special = [token for token, kind in zip(tokens, kinds) if kind in (2, 3, 4)]
    return [token for token in special if "unused" not in token] + special[10:20]


@pytest.mark.parametrize("name", ["SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"])
def test_real_models_give_the_peers_tokens(name, tmp_path):
    # SmolLM2's vocabulary lacks some bytes, and both drop them.
    texts = strings.strings(10_000, SEED, named(MODELS / name))
    compare(MODELS / name, texts, tmp_path, lossless="gemma" in name, blank="▁")


@pytest.fixture(scope="module")
def merges():
    return vocabulary.train(["".join(random.Random(SEED).sample(strings.lines(), 400)), "\n".join(strings.WORDS) * 3,
                             "".join(strings.strings(1500, SEED + 1))], 900)


@pytest.mark.parametrize("rule", RULES)
def test_rules_of_cutting_are_the_peers(rule, merges, tmp_path):
    path = tmp_path / "small.gguf"
    vocabulary.write_pairs(path, rule, merges, SPECIALS)
    texts = strings.strings(4_000, SEED + 2, [text for text, _ in SPECIALS])
    compare(path, [text for text in texts if len(text) < LONGEST], tmp_path)


@pytest.mark.parametrize("space", [True, False])
def test_pieces_with_and_without_a_space_before_them(space, merges, tmp_path):
    path = tmp_path / "small.gguf"
    inverse = {character: byte for byte, character in vocabulary.ALPHABET.items()}
    pieces = {}
    for rank, (left, right) in enumerate(merges):
        data = bytes(inverse[character] for character in left + right)
        try:
            pieces.setdefault(data.decode().replace(" ", "▁"), -float(rank // 3))
        except UnicodeDecodeError:
            continue
    characters = sorted(set("".join(pieces)) | set("abcdefghijklmnopqrstuvwxyz▁.,"))
    pieces |= {character: -2000.0 for character in characters if character not in pieces}
    vocabulary.write_pieces(path, pieces.items(), SPECIALS, space)
    compare(path, strings.strings(4_000, SEED + 3, [text for text, _ in SPECIALS]), tmp_path, blank="▁")


def test_every_character_is_in_the_peers_class(tmp_path):
    """Letters, numbers, spaces and the rest, for all of Unicode: see Scripts/reference/make_classes.py."""
    path = tmp_path / "classes.gguf"
    alphabet = vocabulary.ALPHABET.values()
    merges = [(character, second) for character in alphabet for second in "a1!" if character != second]
    characters = [chr(value) for value in range(1, 0x110000) if not 0xD800 <= value < 0xE000]
    # What lies beyond the last letter is sampled.
    characters = characters[:0x33500] + characters[0xE0000 - 0x801:0xE0200 - 0x801] + characters[0x33500::997]
    for rule in ("gpt-2", "default"):
        vocabulary.write_pairs(path, rule, merges)
        texts = ["\n".join(f"{character}a\n{character}1\n{character}!" for character in characters[start:start + 64])
                 for start in range(0, len(characters), 64)]
        compare(path, texts, tmp_path)
