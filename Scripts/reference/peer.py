"""llama.cpp by its C interface, from the xllamacpp wheel: the peer of tests and benchmarks."""
import ctypes
import glob
import os
import sys

import numpy


class Opaque(ctypes.Structure):
    """A parameter struct of llama.cpp: filled by its defaults function, with a few members known by offset."""
    _fields_ = [("words", ctypes.c_uint32 * 256)]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)), ("embd", ctypes.c_void_p),
                ("pos", ctypes.POINTER(ctypes.c_int32)), ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))), ("logits", ctypes.POINTER(ctypes.c_int8))]


def _load():
    import importlib.util
    folder = os.path.dirname(importlib.util.find_spec("xllamacpp").origin)
    return ctypes.CDLL(glob.glob(folder + "/xllamacpp*.so")[0])


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_silent = LOG(lambda level, text, data: sys.stderr.write(text.decode(errors="replace")) if level == 4 else None)


class Peer:
    """One model and one context."""

    def __init__(self, path, threads=1, context=1024, vocabulary_only=False):
        lib = self.lib = _load()
        lib.llama_log_set(_silent, None)
        for name in ("llama_model_default_params", "llama_context_default_params"):
            getattr(lib, name).restype = Opaque
        for name in ("llama_model_load_from_file", "llama_init_from_model", "llama_model_get_vocab",
                     "llama_get_memory"):
            getattr(lib, name).restype = ctypes.c_void_p
        lib.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
        lib.llama_vocab_get_add_bos.restype = ctypes.c_bool
        lib.llama_batch_init.restype = Batch
        lib.llama_backend_init()
        parameters = lib.llama_model_default_params()
        if vocabulary_only:
            # The flags vocab_only, check_tensors, use_extra_bufts and no_host end the struct.
            flags = ctypes.cast(ctypes.byref(parameters, 72), ctypes.POINTER(ctypes.c_bool))
            assert flags[:4] == [False, False, True, False], "llama_model_params has changed"
            flags[0] = True
        self.model = lib.llama_model_load_from_file(path.encode(), parameters)
        assert self.model, path
        self.vocab = lib.llama_model_get_vocab(ctypes.c_void_p(self.model))
        self.size = lib.llama_vocab_n_tokens(ctypes.c_void_p(self.vocab))
        if not vocabulary_only:
            self._open(threads, context)

    def _open(self, threads, context):
        lib = self.lib
        parameters = lib.llama_context_default_params()
        # n_ctx, n_batch, n_ubatch, n_seq_max come first in every release.
        words = parameters.words
        assert (words[0], words[1], words[2]) == (512, 2048, 512), list(words[:8])
        words[0] = context
        self.context = lib.llama_init_from_model(ctypes.c_void_p(self.model), parameters)
        assert self.context
        assert lib.llama_n_ctx(ctypes.c_void_p(self.context)) == context
        lib.llama_set_n_threads(ctypes.c_void_p(self.context), threads, threads)
        assert lib.llama_n_threads(ctypes.c_void_p(self.context)) == threads

    def tokenize(self, text, special=False):
        data = text.encode()
        room = len(data) + 16
        out = (ctypes.c_int32 * room)()
        count = self.lib.llama_tokenize(ctypes.c_void_p(self.vocab), data, len(data), out, room, False, special)
        assert count >= 0
        return list(out[:count])

    def start(self):
        """The token that begins every text, if the model's file asks for one: a list of one or none."""
        wanted = self.lib.llama_vocab_get_add_bos(ctypes.c_void_p(self.vocab))
        return [self.lib.llama_vocab_bos(ctypes.c_void_p(self.vocab))] if wanted else []

    def clear(self):
        self.lib.llama_memory_clear(ctypes.c_void_p(self.lib.llama_get_memory(ctypes.c_void_p(self.context))),
                                    ctypes.c_bool(True))

    def decode(self, tokens, start=0, every=False):
        """Runs the tokens; returns the logits of the last (or of every) position."""
        n = len(tokens)
        batch = self.lib.llama_batch_init(n, 0, 1)
        batch.n_tokens = n
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = start + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1 if every or i == n - 1 else 0
        assert self.lib.llama_decode(ctypes.c_void_p(self.context), batch) == 0
        rows = range(n) if every else [n - 1]
        logits = [numpy.ctypeslib.as_array(
            self.lib.llama_get_logits_ith(ctypes.c_void_p(self.context), i), (self.size,)).copy() for i in rows]
        self.lib.llama_batch_free(batch)
        return numpy.stack(logits)
