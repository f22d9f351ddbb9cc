"""Small vocabularies as GGUF files, for rules of cutting words whose models are not here."""
import collections
import pathlib

import gguf

ROOT = pathlib.Path(__file__).resolve().parents[2]


def alphabet():
    """GPT-2's character of each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters, following = {}, 256
    for byte in range(256):
        characters[byte] = chr(byte if byte in printable else following)
        following += byte not in printable
    return characters


ALPHABET = alphabet()


def spelt(data):
    return "".join(ALPHABET[byte] for byte in data)


def train(texts, count):
    """The `count` most frequent merges of bytes, with nothing between them and whole lines: any rule shows."""
    lines = [[ALPHABET[byte] for byte in line.encode()] for text in texts for line in text.splitlines(keepends=True)]
    merges, known = [], set(ALPHABET.values())
    while len(merges) < count:
        pairs = collections.Counter(pair for line in lines for pair in zip(line, line[1:]))
        best = [pair for pair, _ in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
                if "".join(pair) not in known and len("".join(pair)) <= 12][:40]
        if not best:
            break
        taken = set()
        for left, right in best:
            # Several at once, as long as they do not share a token: this is to be quick, not to be good.
            if left in taken or right in taken:
                continue
            taken |= {left, right}
            merges.append((left, right))
            known.add(left + right)
            for line in lines:
                place = 0
                while place + 1 < len(line):
                    if line[place] == left and line[place + 1] == right:
                        line[place:place + 2] = [left + right]
                    place += 1
    return merges[:count]


def write_pairs(path, rule, merges, specials=()):
    """A vocabulary of bytes and merges; `specials` are (text, type)."""
    tokens = [*ALPHABET.values(), *dict.fromkeys(left + right for left, right in merges)]
    types = [gguf.TokenType.NORMAL] * len(tokens)
    tokens += [text for text, _ in specials]
    types += [kind for _, kind in specials]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(rule)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([f"{left} {right}" for left, right in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(len(tokens) - 1)
    _close(writer)


def write_pieces(path, pieces, specials=(), space=True):
    """A SentencePiece vocabulary of pieces with scores, all bytes, and `specials` (text, type)."""
    rows = [("<unk>", 0.0, gguf.TokenType.UNKNOWN), ("<s>", 0.0, gguf.TokenType.CONTROL),
            ("</s>", 0.0, gguf.TokenType.CONTROL)]
    rows += [(f"<0x{byte:02X}>", 0.0, gguf.TokenType.BYTE) for byte in range(256)]
    rows += [(piece, score, gguf.TokenType.NORMAL) for piece, score in pieces]
    rows += [(text, -1000.0, kind) for text, kind in specials]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    for add, column in ((writer.add_token_list, 0), (writer.add_token_scores, 1), (writer.add_token_types, 2)):
        add([row[column] for row in rows])
    writer.add_add_space_prefix(space)
    _close(writer)


def _close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
