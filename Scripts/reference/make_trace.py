#!/usr/bin/env python3
"""Prints Tests/Inference/Fixtures/trace.json: leaves, roots and audit paths by hashlib and the recursion of RFC 6962.

Independent of the engine's own code: BLAKE2b is Python's, and the tree is split at the largest power of two below the
count as section 2.1 of the RFC says it, not paired level by level.

    Scripts/reference/make_trace.py > Tests/Inference/Fixtures/trace.json
"""
import hashlib
import json
import struct

# The inputs of the RFC 6962 test vectors in certificate-transparency's own tests.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]


def h(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return h(b"")
    if len(leaves) == 1:
        return h(b"\x00" + leaves[0])
    k = split(len(leaves))
    return h(b"\x01" + root(leaves[:k]) + root(leaves[k:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return path(index, leaves[:k]) + [root(leaves[k:])]
    return path(index - k, leaves[k:]) + [root(leaves[:k])]


def leaf(position: int, token: int, digests: list[bytes]) -> bytes:
    return h(b"symbolon.leaf/1" + struct.pack(">II", position, token) + b"".join(digests))


def main() -> None:
    inputs = [bytes.fromhex(text) for text in INPUTS]
    many = [h(struct.pack(">I", index)) for index in range(1000)]
    digests = [h(bytes([index])) for index in range(5)]
    print(json.dumps({
        "inputs": INPUTS,
        "roots": [root(inputs[:count]).hex() for count in range(len(inputs) + 1)],
        "paths": [[[p.hex() for p in path(index, inputs[:count])] for index in range(count)]
                  for count in range(1, len(inputs) + 1)],
        # Leaf number n is H(n as four bytes, big-endian); the roots are those of a trace of so many leaves.
        "traces": [[count, root(many[:count]).hex()] for count in [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 1000]],
        # Position, token, and two layers with digests H(00), H(01), ...
        "leaves": [[position, token, leaf(position, token, digests).hex()]
                   for position, token in [(0, 0), (1, 49151), (1048575, 262143)]],
    }, indent=1))


if __name__ == "__main__":
    main()
