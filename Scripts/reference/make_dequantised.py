"""Writes Tests/Inference/Fixtures/dequantised.bin: random blocks of every type, and what PyPI gguf makes of them.

    .venv/bin/python Scripts/reference/make_dequantised.py

Little-endian. For each type: u32 GGUF number, u32 values n, u32 bytes, the bytes, f32 values[n].
"""
import struct
import sys
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

TYPES = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K")
HALVES = {"Q6_K": (208,), "Q4_1": (0, 2), "Q5_1": (0, 2), "Q4_K": (0, 2), "Q5_K": (0, 2)}
OUT = Path(__file__).resolve().parents[2] / "Tests/Inference/Fixtures/dequantised.bin"


def blocks(name, dice):
    """512 values: all bits random but for the exponents of floats, which stay finite; zeros and subnormals among them."""
    kind = GGMLQuantizationType[name]
    values, size = GGML_QUANT_SIZES[kind]
    if name == "F32":
        return kind, dice.normal(size=512).astype(np.float32).view(np.uint8)
    if name == "F16":
        return kind, dice.normal(size=512).astype(np.float16).view(np.uint8)
    if name == "BF16":
        return kind, (dice.normal(size=512).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    data = dice.integers(0, 256, (512 // values, size), dtype=np.uint8)
    for row, block in enumerate(data):
        for at in HALVES.get(name, (0,)):
            exponent = (0, 1, 15, 30)[row % 4] if row < 4 else dice.integers(0, 31)
            half = (int(dice.integers(0, 2)) << 15) | (int(exponent) << 10) | int(dice.integers(0, 1024))
            block[at:at + 2] = np.frombuffer(struct.pack("<H", 0 if row == 5 else half), dtype=np.uint8)
    return kind, data.reshape(-1)


def main():
    dice = np.random.default_rng(2026)
    out = []
    for name in TYPES:
        kind, data = blocks(name, dice)
        values = np.asarray(dequantize(data, kind), dtype=np.float32).reshape(-1)
        assert values.size == 512 and np.isfinite(values).all(), name
        out.append(struct.pack("<III", int(kind), values.size, data.size) + data.tobytes() + values.tobytes())
    OUT.write_bytes(b"".join(out))
    print(f"{len(TYPES)} types, {sum(map(len, out))} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
