#!/usr/bin/env python3
"""The signature grammar and the canonical encoding of docs/abi.md once more, written from the document alone.

    Scripts/reference/encode.py            writes Tests/Fixtures/vectors/*.json
    Scripts/reference/encode.py --check    fails when the files there differ

It shares no line with the host: what both agree on is what the document says.
"""

import hashlib
import json
import pathlib
import re
import struct
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "Tests" / "Fixtures" / "vectors"
SCALARS = {"bool": ">B", "i32": ">i", "u32": ">I", "i64": ">q", "u64": ">Q", "f64": ">d"}
SLICES = ("text", "bytes", "json")
NAME = re.compile(r"[a-z][a-z0-9_]{0,47}(?![a-z0-9_])")


class Refused(Exception):
    pass


class Reader:
    """Reads a signature as docs/abi.md writes the grammar; spaces may stand between any two tokens."""

    def __init__(self, text):
        self.text, self.place = text, 0
        if len(text.encode()) > 1024:
            raise Refused("more than 1024 bytes")

    def skip(self):
        while self.text[self.place:self.place + 1] == " ":
            self.place += 1

    def accept(self, token):
        self.skip()
        if self.text.startswith(token, self.place):
            self.place += len(token)
            return True
        return False

    def expect(self, token):
        if not self.accept(token):
            raise Refused(f"{token} expected")

    def name(self):
        self.skip()
        found = NAME.match(self.text, self.place)
        if not found:
            raise Refused("name expected")
        self.place = found.end()
        return found.group()

    def fields(self, results):
        self.expect("(")
        found = []
        if self.accept(")"):
            return found
        while True:
            name = self.name()
            self.expect(":")
            word = self.name()
            stream = results and word == "stream"
            if stream:
                self.expect("<")
                word = self.name()
                self.expect(">")
            if word not in SCALARS and word not in SLICES:
                raise Refused(f"no type {word}")
            found.append((name, word, stream))
            if not self.accept(","):
                break
        self.expect(")")
        return found


def parse(text):
    reader = Reader(text)
    name = reader.name()
    parameters = reader.fields(results=False)
    results = reader.fields(results=True) if reader.accept("->") else []
    reader.skip()
    if reader.place != len(text):
        raise Refused("more text follows")
    if len(parameters) + len(results) > 16:
        raise Refused("more than 16")
    for fields in (parameters, results):
        if len({field[0] for field in fields}) != len(fields):
            raise Refused("a name twice")
    if any(stream for _, _, stream in results[:-1]):
        raise Refused("a stream that is not last")
    return name, parameters, results


def canonical(text):
    name, parameters, results = parse(text)

    def row(fields):
        return "(" + ", ".join(f"{n}: stream<{t}>" if s else f"{n}: {t}" for n, t, s in fields) + ")"

    return name + row(parameters) + (" -> " + row(results) if results else "")


def encode(fields, values):
    out = b""
    for name, kind, _ in fields:
        value = values[name]
        if kind in SCALARS:
            out += struct.pack(SCALARS[kind], value)
        else:
            content = bytes.fromhex(value) if kind == "bytes" else (
                value if kind == "text" else json.dumps(value, separators=(",", ":"), sort_keys=True,
                                                        ensure_ascii=False)).encode()
            out += struct.pack(">I", len(content)) + content
    return out


def signatures():
    good = ["stop()", "transfer(from: bytes, to: bytes, amount: u64) -> (receipt: bytes)",
            "generate(request: json) -> (events: stream<json>)", " f( a:u64 ,b : text )->( c:bool ) ",
            "all(a: bool, b: i32, c: u32, d: i64, e: u64, f: f64, g: text, h: bytes, i: json)", "f()->()",
            "n" * 48 + "(a: u64) -> (a: u64)", "stream(stream: u64) -> (stream: stream<bool>)",
            "f(" + ", ".join(f"a{i}: u32" for i in range(15)) + ") -> (z: stream<f64>)", "bool(bool: bool)"]
    bad = ["", "f", "f(", "F()", "1f()", "_f()", "f(a)", "f(a:)", "f(a: u65)", "f(a: u64,)", "f() ->", "f() -> a",
           "f(a: stream<u64>)", "f() -> (a: stream<text>, b: u64)", "f() -> (a: stream<stream<u64>>)",
           "f(a: u64, a: u64)", "f() -> (a: u64, a: u64)", "f() x", "f(é: u64)", "f(\u0000: u64)", "f(a:\tu64)",
           "f() - > (a: u64)", "f() -> (a: stream<u64)", "n" * 49 + "()", "f(a: U64)", "f(a: u64) -> (b: u64) -> (c: u64)",
           "f(" + ", ".join(f"a{i}: u32" for i in range(17)) + ")", "f(" + " " * 1024 + ")"]
    for text in bad:
        try:
            parse(text)
        except Refused:
            continue
        raise SystemExit(f"encode.py accepts {text!r}")
    return {"accepted": [{"text": text, "canonical": canonical(text),
                          "identity": hashlib.sha256(canonical(text).encode()).hexdigest()} for text in good],
            "refused": bad}


def arguments():
    cases = [
        ("f()", {}),
        ("transfer(to: bytes, amount: u64)", {"to": "00ff10", "amount": 5}),
        ("f(a: bool, b: i32, c: u64, d: text, e: bytes)", {"a": True, "b": -2, "c": 258, "d": "hé", "e": "0aff"}),
        ("f(a: bool, b: bool)", {"a": False, "b": True}),
        ("f(a: i32, b: i32, c: u32)", {"a": -2147483648, "b": 2147483647, "c": 4294967295}),
        ("f(a: i64, b: i64, c: u64)", {"a": -9223372036854775808, "b": -1, "c": 18446744073709551615}),
        ("f(a: f64, b: f64, c: f64)", {"a": 0.5, "b": -1.0e300, "c": 5e-324}),
        ("f(a: text, b: text)", {"a": "", "b": "\U0001f54a ünï\u0000"}),
        ("f(a: bytes, b: u32, c: bytes)", {"a": "", "b": 7, "c": "ff" * 40}),
        ("f(a: json)", {"a": {"b": [1, True, None], "a": "é"}}),
        ("f(a: json, b: json)", {"a": 18446744073709551615, "b": ""}),
    ]
    refused = [
        ("f(a: u32)", "000000", "ends inside a scalar"), ("f(a: u32)", "0000000000", "a byte follows"),
        ("f()", "00", "a byte follows"), ("f(a: bool)", "02", "a bool is 0 or 1"),
        ("f(a: bytes)", "000000", "ends inside a length"), ("f(a: bytes)", "0000000300", "ends inside a slice"),
        ("f(a: bytes)", "ffffffff00", "a length beyond the end"), ("f(a: text)", "00000001ff", "not UTF-8"),
        ("f(a: text)", "00000002c080", "an overlong form is not UTF-8"),
        ("f(a: text)", "00000003eda080", "a surrogate is not UTF-8"), ("f(a: json)", "00000001ff", "not UTF-8"),
        ("f(a: text, b: u64)", "0000000161", "a parameter is missing"),
    ]
    return {"accepted": [{"signature": text, "arguments": values, "canonical": encode(parse(text)[1], values).hex()}
                         for text, values in cases],
            "refused": [{"signature": text, "canonical": hexadecimal, "because": reason}
                        for text, hexadecimal, reason in refused]}


def main():
    failed = False
    for name, content in (("signatures", signatures()), ("arguments", arguments())):
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        path = FOLDER / f"{name}.json"
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                print(f"{path} is not what Scripts/reference/encode.py writes: run it", file=sys.stderr)
                failed = True
        else:
            path.write_text(text, encoding="utf-8")
    sys.exit(1 if failed else 0)


main()
