"""Strings that tokenizers disagree on, from a seed: scripts, emoji, spaces of all kinds, code, digits, control characters."""
import random
import unicodedata

from vocabulary import ROOT

WORDS = """The committee met on Monday; nobody's plan was perfect, but they'd agreed it'll be BETTER: WE'LL I'M HE'S "Don't wait,"
he'd answered -- it's 9:30 already. 1,234.56 euros won't pay for 3/4 of it... naïve café Straße ÄÖÜ e\u0301 n\u0303 Привет, мир
Ελληνικά हिन्दी में ไทยไม่มีช่องว่าง தமிழ் বাংলা ქართული հայերեն አማርኛ မြန်မာ ខ្មែរ ລາວ བོད་ ᏣᎳᎩ ᚛ᚑᚌᚐᚋ᚜ 今日は良い天気ですね。 机器学习模型
東京都 한국어 문장입니다 漢字とカナ 他说:“你好!” ㊗️ １２３ 안녕 ﾊﾝｶｸ مرحبا بالعالم السلام عليكم القرآن الكريمُ פה עברית שלום فارسی نیم‌فاصله ١٢٣٤
😀 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽 ❤️ 🦜 1️⃣ 🤷‍♂️ 🫠 ⅣⅨ ½ ² ³ ∑∫√≈≠ Ǆ ǅ ﬁ ʰʲ ˈa 〇一二 ٠۱߂ \u2167x\u2460y \U00020000 \U0001F1E6 \u0378 \ue000
def f(x): return x**2+1 for(int i=0;i<n;i++){sum+=a[i];} SELECT * FROM t WHERE id>=10; value:[String:Int]=[:] #include <stdio.h>
if err != nil <div class="a b">&nbsp;</div> 0xDEADBEEF 1e-9 3.14159 1_000_000 foo_bar.baz->qux::Quux<T&&> /* c */ // d {"k":[1,2.5,null]}
$ ls -la|grep '^d'>out 2>&1 ![a](b) **bold** `code` ### # - * + > ~~x~~ == != <= => ... ??? !!! ((())) [[]] {{}} \\n \\u0041 \\x00 %20 &amp;
1 12 123 1234 12345678901234567890 HelloWorld helloWORLD XMLHttpRequest iPhone McDonald's O'Neil ÉCOLE éCole ΑΒΓδε ПриВЕТ 'S 'LL 'Re x'd""".split()
SPACES = [" ", "  ", "   ", " " * 7, " " * 40, "\n", "\n\n", "\n" * 5, "\n" * 35, "\t", "\t\t\t", "\r\n", "\r", "\r\n\r\n", " \n", "\n ", " \n  \n",
          "\t \t", "\u00a0", "\u3000", "\u2003", "\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1f", "\u180e", "\u200b", "\u202f",
          "\u205f", "\ufeff", "\u1680", "\u00a0 ", " \u3000 ", "▁", "▁▁", " ▁"]
CONTROLS = [chr(value) for value in range(1, 32)] + ["\x7f", "\x80", "\x9f", "\u00ad", "\u200c", "\u200d", "\u200e", "\u202e", "\u2066",
                                                    "\ufe0f", "\ufffd", "\ufffe", "\uffff", "\U000e0001", "\U0010ffff"]
BLOCKS = [(0x20, 0x7e), (0xa0, 0x24f), (0x250, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0xdff), (0xe00, 0x109f), (0x10a0, 0x1fff),
          (0x2000, 0x2bff), (0x3040, 0x30ff), (0x3400, 0x9fff), (0xac00, 0xd7a3), (0xe000, 0xf8ff), (0xf900, 0xffff), (0x10000, 0x1ffff),
          (0x20000, 0x2ffff), (0xe0000, 0xe01ef), (0x1f300, 0x1faff)]


def scrap(rng, specials):
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(WORDS)
    if kind < 0.7:
        return rng.choice(SPACES)
    if kind < 0.76:
        return rng.choice(CONTROLS)
    if kind < 0.84:
        first, last = rng.choice(BLOCKS)
        return "".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 8)))
    if kind < 0.88:
        return unicodedata.normalize(rng.choice(["NFD", "NFC"]), rng.choice(WORDS))
    if kind < 0.92:
        return str(rng.randint(0, 10 ** rng.randint(1, 15)))
    if kind < 0.95 and specials:
        special = rng.choice(specials)
        return special if rng.random() < 0.7 else special[:rng.randint(1, len(special))]
    if kind < 0.97:
        return rng.choice("<>|[]_#'\"-=/") * rng.randint(1, 6)
    return rng.choice("aA1 \n\t.é日😀'") * rng.randint(2, 60)


def lines():
    """Real text: what this repository says of itself, in prose and in code."""
    files = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("Plugins/Inference/**/*.swift"), *ROOT.glob("Plugins/Inference/**/*.c")])
    return [line for path in files for line in path.read_text(encoding="utf-8").splitlines(keepends=True)]


def strings(count, seed, specials=()):
    """`count` strings without NUL, which ends a text in some of the peer's paths."""
    rng, real, specials = random.Random(seed), lines(), list(specials)
    made = ["", *WORDS, *SPACES, *CONTROLS, *specials[:200], "don't''''t", "a'sb'tc're", "  'll", "x" * 2000, "ab" * 700, " " * 3001 + "y"]
    while len(made) < count:
        if rng.random() < 0.15:
            start = rng.randrange(len(real))
            made.append("".join(real[start:start + rng.randint(1, 4)]))
            continue
        made.append("".join(scrap(rng, specials) + rng.choice(["", "", " "]) for _ in range(rng.randint(1, 12))))
    return [text.replace("\x00", "") for text in made[:count]]
