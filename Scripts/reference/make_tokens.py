"""Writes Tests/Inference/Fixtures/tokens.json: 500 mixed strings and the tokens llama.cpp gives them.

    .venv/bin/python Scripts/reference/make_tokens.py MODEL.gguf
"""
import json
import os
import random
import sys

from peer import Peer

ENGLISH = """The committee met on the first Monday of March to decide what the garden would grow. Nobody's plan was
perfect, but they'd agreed that it'll be better than last year's; we've seen worse, I'm sure you're right! What did
she say? "Don't wait," he'd answered -- it's 9:30 already, and 1,234.56 euros won't pay for 3/4 of it...""".split()
CODE = ["def f(x):\n    return x**2 + 1\n", "for (int i = 0; i < n; i++) {\n\tsum += a[i];\n}\n", "SELECT * FROM t WHERE id >= 10;",
        "let value: [String: Int] = [:]", "#include <stdio.h>\n", "if err != nil {\n\t\treturn nil, err\n\t}", "<div class=\"a b\">&nbsp;</div>",
        "x = [i for i in range(100) if i % 7 == 0]", "git commit -m 'fix: off-by-one'\r\n", "0xDEADBEEF 1e-9 3.14159 1_000_000", "foo_bar.baz->qux::Quux<T&&>",
        "/* comment */ // another\n", "{\"key\": [1, 2.5, null, true]}", "    \n\t\t  \n", "$ ls -la | grep '^d' > out.txt 2>&1"]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👍🏽", "❤️", "🦜", "☕", "✨✨", "🤷‍♂️", "1️⃣", "🫠"]
CJK = ["今日は良い天気ですね。", "机器学习模型", "東京都", "한국어 문장입니다", "漢字とカナ", "他说:“你好!”", "㊗️", "１２３", "安녕", "ﾊﾝｶｸ"]
ARABIC = ["مرحبا بالعالم", "السلام عليكم ورحمة الله", "١٢٣٤", "القرآن الكريمُ", "פה עברית", "شُكْرًا", "فارسی نیم‌فاصله"]
OTHER = ["Привет, мир", "Ελληνικά", "naïve café déjà", "e\u0301 combining", "Straße ÄÖÜ", "हिन्दी में", "ไทยไม่มีช่องว่าง", "ⅣⅨ ½ ² ³", "∑∫√≈≠", "Ǆ ǅ ﬁ",
         "\u200b\u200d", "\u00ad", "\ufeff", "\U0001F1E6", "\U00020000", "\u0378", "\ue000", "Ω≈ç√∫˜µ≤", "ᏣᎳᎩ", "᚛ᚑᚌᚐᚋ᚜", "ʰʲ ˈa", "〇一二", "٠۱߂", "\u2167x\u2460y"]
SPACE = [" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2003", " \n ", "\u2028", "\u0085", "\x0b\x0c", "\x1c", "\u180e", "        "]


def make(rng):
    pools = [ENGLISH, CODE, EMOJI, CJK, ARABIC, OTHER, SPACE]
    strings = [""] + CODE + EMOJI + CJK + ARABIC + OTHER + SPACE
    strings += ["'s 't 're 've 'm 'll 'd 'S 'LL 'x '", "a'sb'tc're", "don't''''t", "'", "''", "  'll", "x" * 300, " " * 257 + "y", "aaaa " * 40,
                "<|im_start|>user", "<|endoftext|>", "<|im_end", "1" * 50, "\u0301\u0301", "\x00\x01\x7f", "ab\n\n\n  cd", "Ġhello Ċ"]
    while len(strings) < 500:
        parts = []
        for _ in range(rng.randint(1, 12)):
            pool = rng.choice(pools)
            parts.append(rng.choice(pool))
            if rng.random() < 0.5:
                parts.append(rng.choice([" ", "", "\n", "  "]))
        if rng.random() < 0.2:
            parts.append("".join(chr(rng.choice([rng.randint(1, 0x7e), rng.randint(0xa0, 0x24f), rng.randint(0x370, 0x1fff),
                                                 rng.randint(0x2000, 0x2fff), rng.randint(0x1f300, 0x1faff)])) for _ in range(12)))
        strings.append("".join(parts))
    return strings[:500]


def main():
    peer = Peer(sys.argv[1])
    # NUL ends a C string in some of the peer's paths; it is not part of the comparison.
    strings = [s.replace("\x00", "") for s in make(random.Random(2))]
    rows = [{"text": s, "plain": peer.tokenize(s), "special": peer.tokenize(s, True)} for s in strings]
    for row in rows:
        if row["special"] == row["plain"]:
            del row["special"]
    target = os.path.join(os.path.dirname(__file__), "../../Tests/Inference/Fixtures/tokens.json")
    with open(target, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


main()
