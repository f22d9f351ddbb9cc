#!/usr/bin/env python3
"""Checks what `symbolon ledger prove` printed, with nothing but Python's own library and docs/ledger.md.

    symbolon ledger prove --account ACCOUNT --json > proof.json
    python3 Examples/verify-proof/verify.py proof.json

Written from the documentation, to show that a stranger can. Exit status 0: the file proves what is printed."""

import hashlib
import json
import struct
import sys

# Ed25519, RFC 8032: the curve -x^2 + y^2 = 1 + d x^2 y^2 modulo 2^255 - 19.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1


class Wrong(Exception):
    """What does not hold."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def recover(data):
    """The point (x, y, 1, xy) that 32 bytes stand for."""
    y = int.from_bytes(data, "little") & (2**255 - 1)
    if len(data) != 32 or y >= P:
        raise Wrong("a point of the signature is no point of the curve")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and data[31] >> 7):
        raise Wrong("a point of the signature is no point of the curve")
    if x & 1 != data[31] >> 7:
        x = P - x
    return x, y, 1, x * y % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


BASE = recover((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    """Whether the signature is the key's: S B = R + H(R, A, message) A."""
    if len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + key + message).digest()
    left = times(s, BASE)
    right = add(recover(signature[:32]), times(int.from_bytes(hashed, "little") % ORDER, recover(key)))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def slice16(data):
    return struct.pack(">H", len(data)) + data


def slice32(data):
    return struct.pack(">I", len(data)) + data


def climb(path, leaf):
    """The RFC 6962 root that a path leads to."""
    index, last = path["index"], path["count"] - 1
    if not 0 <= index <= last:
        raise Wrong("a path's place is not below its count")
    digest, hashes = sha256(b"\0", leaf), [bytes.fromhex(text) for text in path["hashes"]]
    while last:
        # A last node without a neighbour rises as it is.
        if index & 1 or index < last:
            if not hashes:
                raise Wrong("a path is shorter than its place asks for")
            beside = hashes.pop(0)
            digest = sha256(b"\1", beside, digest) if index & 1 else sha256(b"\1", digest, beside)
        index, last = index >> 1, last >> 1
    if hashes:
        raise Wrong("a path is longer than its place allows")
    return digest


def read_header(data):
    """The members of a block's head, version 2."""
    tag = b"symbolon/block/v2\0"
    if not data.startswith(tag) or len(data) != len(tag) + 32 + 8 + 32 + 8 + 4 + 5 * 32:
        raise Wrong("the block's head is not one of version 2")
    names = "chain height previous time_ms transactions transaction_root event_root layer_root state_root proposer"
    return dict(zip(names.split(), struct.unpack(">32sQ32sQI32s32s32s32s32s", data[len(tag):])))


def section(entry):
    return slice16(entry["namespace"].encode()) + bytes.fromhex(entry["root"])


def bit(path, depth):
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def tree_root(state, inside):
    """The root of the namespace's tree that follows from the key and its way."""
    path = sha256(bytes.fromhex(state["key"]))
    siblings = [bytes.fromhex(text) for text in inside["siblings"]]
    value, other = state.get("value"), inside.get("other")
    if value is not None:
        if other is not None:
            raise Wrong("a key with a value has another's leaf")
        digest = sha256(b"\0", path, sha256(bytes.fromhex(value)))
    elif other is None:
        digest = bytes(32)
    else:
        elsewhere = bytes.fromhex(other["path"])
        if elsewhere == path or any(bit(elsewhere, depth) != bit(path, depth) for depth in range(len(siblings))):
            raise Wrong("the other leaf is not on the key's way")
        digest = sha256(b"\0", elsewhere, bytes.fromhex(other["value"]))
    for depth in reversed(range(len(siblings))):
        pair = (siblings[depth], digest) if bit(path, depth) else (digest, siblings[depth])
        digest = sha256(b"\1", *pair)
    return digest


def absent_top(state, between):
    """The root over the namespaces, in which two neighbours leave no room for this one."""
    name, count = state["namespace"].encode(), between["count"]
    before, after = between.get("before"), between.get("after")
    if state.get("value") is not None:
        raise Wrong("a namespace that is not there holds no value")
    for entry in (before, after):
        if entry and entry["path"]["count"] != count:
            raise Wrong("the neighbours are not of the same state")
    if before and not before["namespace"].encode() < name or after and not name < after["namespace"].encode():
        raise Wrong("the neighbours are not on both sides of the namespace")
    tops = {climb(entry["path"], section(entry)) for entry in (before, after) if entry}
    places = [entry["path"]["index"] if entry else None for entry in (before, after)]
    if before and after:
        fits = places[0] + 1 == places[1] and len(tops) == 1
    elif before:
        fits = places[0] == count - 1
    else:
        fits = places[1] == 0 if after else count == 0
    if not fits:
        raise Wrong("there is room between the neighbours")
    return tops.pop() if tops else sha256()


def state_root(state):
    if "inside" in state:
        path = state["inside"]["path"]
        leaf = slice16(state["namespace"].encode()) + tree_root(state, state["inside"])
        count, top = path["count"], climb(path, leaf)
    else:
        count, top = state["between"]["count"], absent_top(state, state["between"])
    return sha256(b"symbolon/state/v2\0", struct.pack(">I", count), top)


def transaction_root(proof):
    data = bytes.fromhex(proof["bytes"])
    body, signature = data[:-64], data[-64:]
    tag = b"symbolon/tx/v1\0"
    if not body.startswith(tag) or not signed(body[len(tag) + 32:len(tag) + 64], body, signature):
        raise Wrong("the sender did not sign the transaction")
    leaf = sha256(body) + struct.pack(">I", proof["status"]) + slice16(proof["code"].encode())
    return climb(proof["path"], leaf + slice32(bytes.fromhex(proof["result"])))


def check(proof):
    """Says in one sentence what a proof proves, or raises what does not hold."""
    if proof["format"] != "symbolon.ledger.proof/1":
        raise Wrong("this is no proof of a ledger")
    network, data = proof["network"], bytes.fromhex(proof["block"]["header"])
    head, authority = read_header(data), bytes.fromhex(network["authority"])
    name = network["name"].encode()
    chain = sha256(b"symbolon/chain/v1\0", slice16(name), authority, struct.pack(">Q", network["supply"]))
    if head["chain"] != chain or head["proposer"] != authority:
        raise Wrong("the block is not of this network's authority")
    if head["height"] and not signed(authority, data, bytes.fromhex(proof["block"]["signature"])):
        raise Wrong("the authority did not sign the block's head")
    if ("transaction" in proof) == ("state" in proof):
        raise Wrong("it proves one thing or another, not both")
    place = f"block {head['height']} of {network['name']} ({chain.hex()})"
    if "transaction" in proof:
        item = proof["transaction"]
        count = item["path"]["count"]
        if transaction_root(item) != head["transaction_root"] or count != head["transactions"]:
            raise Wrong("the path does not lead to the block's transaction root")
        outcome = "succeeded" if item["status"] == 0 else f"was refused ({item['code']})"
        return f"Transaction {sha256(bytes.fromhex(item['bytes'])[:-64]).hex()} {outcome} in {place}."
    state = proof["state"]
    if state_root(state) != head["state_root"]:
        raise Wrong("the path does not lead to the block's state root")
    return f"{state['namespace']}/{state['key']} holds {state.get('value') or 'nothing'} after {place}."


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: verify.py PROOF.json")
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            print(check(json.load(file)))
    except Wrong as error:
        sys.exit(f"This proves nothing: {error}.")
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error) as error:
        sys.exit(f"This is no proof that `symbolon ledger prove` printed: {error!r}.")


if __name__ == "__main__":
    main()
