"""Writes CharacterClass+Table.swift: what llama.cpp takes for letters, numbers, spaces and punctuation.

    .venv/bin/python Scripts/reference/make_classes.py

Nothing is read from its tables: the peer is asked, character by character. In a vocabulary whose only merges join the
last byte of a character with `a`, `1` or `!`, a merge shows that the two are in one word.
"""
import pathlib
import tempfile

from peer import Peer
from vocabulary import ALPHABET, ROOT, write_pairs

TARGET = ROOT / "Plugins" / "Inference" / "Core" / "Tokens" / "CharacterClass+Table.swift"
CLASSES = ("other", "letter", "number", "space", "punctuation")
# What the question itself is made of.
KNOWN = {" ": 3, "a": 1, "1": 2, "!": 4}


def joined(folder, rule, characters, following):
    """Which of the characters are in one word with the ASCII character that follows."""
    path = str(pathlib.Path(folder) / f"{rule}.gguf")
    merges = [(ALPHABET[byte], second) for byte in range(256) for second in "a1!" if chr(byte) != second]
    write_pairs(path, rule, merges)
    peer = Peer(path, vocabulary_only=True)
    # One token fewer than bytes.
    return {character for character in characters
            if len(peer.tokenize(character + following)) < len((character + following).encode())}


def classify(characters):
    with tempfile.TemporaryDirectory() as folder:
        letters = joined(folder, "gpt-2", characters, "a")
        numbers = joined(folder, "gpt-2", characters, "1")
        others = joined(folder, "gpt-2", characters, "!")
        punctuation = joined(folder, "default", characters, "!")
    rows = []
    for character in characters:
        if character in KNOWN:
            rows.append(KNOWN[character])
        elif character in letters:
            rows.append(1)
        elif character in numbers:
            rows.append(2)
        elif character not in others:
            rows.append(3)
        else:
            # That rule joins operators with punctuation too; they are named in it, and are not punctuation.
            rows.append(4 if character in punctuation and character not in "$+<=>^~|" else 0)
    return rows


def source(rows):
    while rows and rows[-1] == 0:
        rows.pop()
    runs = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1][0] += 1
        else:
            runs.append([1, row])
    words = [f"0x{length << 3 | row:x}" for length, row in runs]
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 2 > 118:
            lines.append(line)
            line = "   "
        line += f" {word},"
    lines.append(line)
    return "\n".join(["// Written by Scripts/reference/make_classes.py from what the peer does; do not edit.", "",
                      "extension CharacterClass {", "  /// Runs of characters from U+0000 on: length << 3 | class.",
                      "  static let runs: [UInt32] = [", *lines, "  ]", "}", ""])


def main():
    characters = [chr(value) for value in range(0x110000) if not 0xD800 <= value < 0xE000]
    rows = classify(characters)
    # Surrogates are no characters, but they count in the runs.
    TARGET.write_text(source(rows[:0xD800] + [0] * 0x800 + rows[0xD800:]), encoding="utf-8")


if __name__ == "__main__":
    main()
