"""The llama model in numpy float32: weights dequantised, activations never quantised, the whole text at once."""
import gguf
import numpy as np


class Reference:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        key = lambda name: reader.fields[name].contents()
        self.heads, self.kv = key("llama.attention.head_count"), key("llama.attention.head_count_kv")
        self.layers, self.eps = key("llama.block_count"), np.float32(key("llama.attention.layer_norm_rms_epsilon"))
        self.base = key("llama.rope.freq_base")
        self.w = {t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
        self.width = self.w["output_norm.weight"].shape[0]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name]

    def rotate(self, x):
        """x [T][heads][D]; llama's pairs (2i, 2i+1)."""
        t, _, d = x.shape
        angle = np.arange(t)[:, None] * (1.0 / self.base ** (np.arange(0, d, 2) / d))[None]
        c, s = np.cos(angle).astype(np.float32)[:, None], np.sin(angle).astype(np.float32)[:, None]
        out = np.empty_like(x)
        out[..., 0::2] = x[..., 0::2] * c - x[..., 1::2] * s
        out[..., 1::2] = x[..., 0::2] * s + x[..., 1::2] * c
        return out

    def logits(self, tokens):
        """[T][vocabulary] for a text of T tokens."""
        w, t = self.w, len(tokens)
        x = w["token_embd.weight"][tokens]
        mask = np.triu(np.full((t, t), -np.inf, np.float32), 1)
        for layer in range(self.layers):
            p = f"blk.{layer}."
            n = self.norm(x, p + "attn_norm.weight")
            q, k, v = (n @ w[p + f"attn_{name}.weight"].T for name in "qkv")
            d = q.shape[1] // self.heads
            q, k = self.rotate(q.reshape(t, self.heads, d)), self.rotate(k.reshape(t, self.kv, d))
            v = v.reshape(t, self.kv, d)
            out = np.empty((t, self.heads, d), np.float32)
            for h in range(self.heads):
                g = h // (self.heads // self.kv)
                s = q[:, h] @ k[:, g].T / np.float32(np.sqrt(d)) + mask
                s = np.exp(s - s.max(-1, keepdims=True))
                out[:, h] = (s / s.sum(-1, keepdims=True)) @ v[:, g]
            x = x + out.reshape(t, -1) @ w[p + "attn_output.weight"].T
            n = self.norm(x, p + "ffn_norm.weight")
            g = n @ w[p + "ffn_gate.weight"].T
            x = x + (g / (1 + np.exp(-g)) * (n @ w[p + "ffn_up.weight"].T)) @ w[p + "ffn_down.weight"].T
        head = w.get("output.weight", w["token_embd.weight"])
        return self.norm(x, "output_norm.weight") @ head.T
