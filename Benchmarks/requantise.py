#!/usr/bin/env python3
"""Writes a model anew with all its matrices in one type, so that both sides of a benchmark read the same file.

    requantise.py MODEL TYPE OUTPUT        TYPE: q4_0, q8_0, or another type that PyPI gguf quantises

Vectors (norms) stay as they are. The weights go through float32, so the text the new file writes is a little worse
than the old one's: it is for measuring speed.
"""

import sys

import gguf

FILE_TYPES = {"q4_0": gguf.LlamaFileType.MOSTLY_Q4_0, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
# The writer sets these itself.
OWN = ("general.architecture", "general.file_type", "general.quantization_version")


def requantise(source, kind, target):
    reader = gguf.GGUFReader(source)
    wanted = gguf.GGMLQuantizationType[kind.upper()]
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in OWN:
            continue
        element = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], element)
    for tensor in reader.tensors:
        if len(tensor.shape) < 2:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, gguf.quants.quantize(values, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def weight_bytes(model):
    """The bytes of all tensors: what one token's decoding reads of a model whose head is its embedding."""
    return sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(model).tensors)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] not in FILE_TYPES:
        sys.exit(f"usage: requantise.py MODEL {'|'.join(FILE_TYPES)} OUTPUT")
    requantise(*sys.argv[1:])
