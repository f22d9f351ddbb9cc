"""Llama and Gemma 3 in numpy float32: weights dequantised, activations never quantised, the whole text at once.

Written from the models' papers and the keys of their files, with numpy's own exponential, tangent and matrix product:
it shares nothing with the engine, and it is what `faithfulness.py` and `make_logits.py` hold the engine against.
"""
import gguf
import numpy as np


class Reference:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.family = reader.fields["general.architecture"].contents()
        assert self.family in ("llama", "gemma3"), self.family

        def key(name, otherwise=None):
            field = reader.fields.get(f"{self.family}.{name}")
            return otherwise if field is None else field.contents()

        self.gemma = self.family == "gemma3"
        self.heads = key("attention.head_count")
        self.kv = key("attention.head_count_kv", self.heads)
        self.layers, self.eps = key("block_count"), np.float32(key("attention.layer_norm_rms_epsilon"))
        self.base, self.window = key("rope.freq_base", 1e4), key("attention.sliding_window", 0)
        self.local_base, self.period = key("rope.freq_base_swa", 1e4), key("attention.sliding_window_pattern", 6)
        self.w = {t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
        self.width = self.w["output_norm.weight"].shape[0]
        self.head = self.w.get("output.weight", self.w["token_embd.weight"])

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name]

    def rotate(self, x, base):
        """x [T][heads][D]; llama's pairs are (2i, 2i+1), Gemma's (i, i + D/2)."""
        t, _, d = x.shape
        angle = np.arange(t)[:, None] * (1.0 / base ** (np.arange(0, d, 2) / d))[None]
        c, s = np.cos(angle).astype(np.float32)[:, None], np.sin(angle).astype(np.float32)[:, None]
        first, second = (slice(0, d // 2), slice(d // 2, d)) if self.gemma else (slice(0, d, 2), slice(1, d, 2))
        out = np.empty_like(x)
        out[..., first] = x[..., first] * c - x[..., second] * s
        out[..., second] = x[..., first] * s + x[..., second] * c
        return out

    def attention(self, x, layer):
        w, t, p = self.w, len(x), f"blk.{layer}."
        local = self.gemma and self.window and layer % self.period < self.period - 1
        base = self.local_base if local else self.base
        n = self.norm(x, p + "attn_norm.weight")
        q, k, v = (n @ w[p + f"attn_{name}.weight"].T for name in "qkv")
        d = q.shape[1] // self.heads
        q, k, v = q.reshape(t, self.heads, d), k.reshape(t, self.kv, d), v.reshape(t, self.kv, d)
        if self.gemma:
            q, k = self.norm(q, p + "attn_q_norm.weight"), self.norm(k, p + "attn_k_norm.weight")
        q, k = self.rotate(q, base), self.rotate(k, base)
        distance = np.arange(t)[:, None] - np.arange(t)[None]
        hidden = (distance < 0) | (distance >= self.window if local else False)
        mask = np.where(hidden, np.float32(-np.inf), np.float32(0))
        out = np.empty((t, self.heads, d), np.float32)
        for h in range(self.heads):
            g = h // (self.heads // self.kv)
            s = q[:, h] @ k[:, g].T / np.float32(np.sqrt(d)) + mask
            s = np.exp(s - s.max(-1, keepdims=True))
            out[:, h] = (s / s.sum(-1, keepdims=True)) @ v[:, g]
        return out.reshape(t, -1) @ w[p + "attn_output.weight"].T

    def feed(self, x, layer):
        w, p = self.w, f"blk.{layer}."
        n = self.norm(x, p + "ffn_norm.weight")
        g = n @ w[p + "ffn_gate.weight"].T
        if self.gemma:
            g = g / 2 * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (g + np.float32(0.044715) * g * g * g)))
        else:
            g = g / (1 + np.exp(-g))
        return (g * (n @ w[p + "ffn_up.weight"].T)) @ w[p + "ffn_down.weight"].T

    def hidden(self, tokens):
        """What the head reads, [T][width]."""
        x = self.w["token_embd.weight"][tokens]
        if self.gemma:
            x = x * np.float32(np.sqrt(self.width))
        for layer in range(self.layers):
            out = self.attention(x, layer)
            x = x + (self.norm(out, f"blk.{layer}.post_attention_norm.weight") if self.gemma else out)
            out = self.feed(x, layer)
            x = x + (self.norm(out, f"blk.{layer}.post_ffw_norm.weight") if self.gemma else out)
        return self.norm(x, "output_norm.weight")

    def logits(self, tokens):
        """[T][vocabulary] for a text of T tokens."""
        return self.hidden(tokens) @ self.head.T
