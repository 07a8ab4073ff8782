"""One request of the model in plain PyTorch on the CPU, f32: what torch.ts compares the engine with.

    python3 torch_request.py CHECKPOINT INPUTS NEW_TOKENS LOGITS

INPUTS holds what the engine's own preprocessing made: ids.u32, images.f32 [views, 576, 588], masks.f32 [views, 576],
index.i32 [views, 144]. Prints what it runs with as one JSON object; then, for each line that it is sent, runs a request and
prints another. LOGITS is left with those that the first token is chosen from, and then those of the last.
Experts are a loop over those that any token chose, gathering its tokens by index, as published PyTorch code has it.
"""

import json
import math
import mmap
import os
import struct
import sys
import time

import torch
from torch.nn import functional as F


def read_checkpoint(path):
    """Tensors of a safetensors file: eight bytes of length, a JSON header, the data."""
    file = open(path, "rb")
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise SystemExit(f"{name}: expected F32, found {entry['dtype']}")
        begin, end = entry["data_offsets"]
        values = torch.frombuffer(data, dtype=torch.float32, offset=8 + size + begin, count=(end - begin) // 4)
        tensors[name] = values.reshape(entry["shape"]).clone()
    return tensors


def read(folder, name, dtype, *shape):
    with open(os.path.join(folder, name), "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=dtype).reshape(*shape)


def attention(q, k, v, heads, mask=None):
    """q, k, v: [batch, rows, heads * head_dim]."""
    split = lambda x: x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)
    q, k, v = split(q), split(k), split(v)
    if hasattr(F, "scaled_dot_product_attention"):
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    else:
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores + mask
        out = scores.softmax(-1) @ v
    return out.transpose(1, 2).reshape(out.shape[0], out.shape[2], -1)


class Model:
    def __init__(self, folder):
        self.w = read_checkpoint(os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "config.json")) as file:
            self.c = json.load(file)
        self.vit = self.c["vision_backbone"]
        self.eps = self.c["layer_norm_eps"]

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def layer_norm(self, x, name):
        weight, bias = self.w[name + ".weight"], self.w[name + ".bias"]
        return F.layer_norm(x, x.shape[-1:], weight, bias, self.vit["image_norm_eps"])

    def rms_norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.w[name]

    def vision_encoder(self, images, masks):
        """The tapped blocks' outputs with padding embeddings: [views, 576, taps * emb]."""
        vit = "model.vision_backbone.image_vit"
        layers = self.vit["image_num_layers"]
        taps = [layer % layers for layer in self.c["vit_layers"]]
        x = self.linear(images, f"{vit}.patch_embedding")
        first = self.w[f"{vit}.class_embedding"].expand(x.shape[0], 1, -1)
        x = torch.cat([first, x], 1) + self.w[f"{vit}.positional_embedding"]
        x = self.layer_norm(x, f"{vit}.pre_ln")
        tapped = {}
        for n in range(max(taps) + 1):
            block = f"{vit}.transformer.resblocks.{n}"
            h = self.layer_norm(x, f"{block}.attention_norm")
            q, k, v = (self.linear(h, f"{block}.attention.{part}") for part in ("wq", "wk", "wv"))
            x = x + self.linear(attention(q, k, v, self.vit["image_num_heads"]), f"{block}.attention.wo")
            h = self.linear(self.layer_norm(x, f"{block}.ffn_norm"), f"{block}.feed_forward.w1")
            x = x + self.linear(h * torch.sigmoid(1.702 * h), f"{block}.feed_forward.w2")
            if n in taps:
                tapped[n] = x[:, 1:]
        features = torch.cat([tapped[n] for n in taps], -1)
        features = features * (images != -1).flatten(1).any(1)[:, None, None]
        padded, partly = self.w["model.vision_backbone.pad_embed"]
        none = (masks == 0)[..., None] * padded
        return features + none + ((masks < 1) & (masks != 0))[..., None] * partly

    def projector(self, features):
        """Attention over each 2x2 window, its mean as the query, then the MLP: [views * 144, d]."""
        name = "model.vision_backbone"
        views, _, width = features.shape
        windows = features.reshape(views, 12, 2, 12, 2, width).transpose(2, 3).reshape(views * 144, 4, width)
        pool = f"{name}.image_pooling_2d"
        q = self.linear(windows.mean(1, keepdim=True), f"{pool}.wq")
        k, v = (self.linear(windows, f"{pool}.{part}") for part in ("wk", "wv"))
        x = self.linear(attention(q, k, v, self.vit["image_num_heads"]), f"{pool}.wo")[:, 0]
        h = F.silu(self.linear(x, f"{name}.image_projector.w1")) * self.linear(x, f"{name}.image_projector.w3")
        return self.linear(h, f"{name}.image_projector.w2")

    def embed(self, ids):
        table = self.c["embedding_size"]
        known = ids < table
        x = self.w["model.transformer.wte.embedding"][ids.clamp(max=table - 1)]
        new = self.w["model.transformer.wte.new_embedding"][(ids - table).clamp(min=0)]
        return torch.where(known[:, None], x, new)

    def rotate(self, x, position):
        """x: [rows, d]; dimension j of a head turns with j + half."""
        heads = self.c["n_heads"]
        half = x.shape[1] // heads // 2
        frequency = self.c["rope_theta"] ** (-torch.arange(half, dtype=torch.float32) / half)
        angle = (position + torch.arange(x.shape[0], dtype=torch.float32))[:, None, None] * frequency
        low, high = x.reshape(x.shape[0], heads, 2, half).unbind(2)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([low * cos - high * sin, high * cos + low * sin], -1).reshape(x.shape)

    def experts(self, h, name):
        top_k = self.c["moe_top_k"]
        share = self.linear(h, f"{name}.gate").softmax(-1)
        weight, chosen = share.topk(top_k, -1)
        out = torch.zeros_like(h)
        for e in chosen.unique().tolist():
            rows, place = torch.where(chosen == e)
            x = h[rows]
            expert = f"{name}.experts.{e}"
            x = F.silu(self.linear(x, f"{expert}.gate_proj")) * self.linear(x, f"{expert}.up_proj")
            out.index_add_(0, rows, self.linear(x, f"{expert}.down_proj") * weight[rows, place, None])
        return out

    def blocks(self, x, cache):
        """Rows of x go on from what the cache holds; gives the last row's logits."""
        position = cache[0][0].shape[0] if cache[0] else 0
        rows = x.shape[0]
        mask = torch.full((rows, rows), -math.inf).triu(1) if rows > 1 else None
        for n in range(self.c["n_layers"]):
            block = f"model.transformer.blocks.{n}"
            h = self.rms_norm(x, f"{block}.attn.attn_norm.weight")
            q, k, v = self.linear(h, f"{block}.attn.att_proj").chunk(3, -1)
            q = self.rotate(self.rms_norm(q, f"{block}.attn.q_norm.weight"), position)
            k = self.rotate(self.rms_norm(k, f"{block}.attn.k_norm.weight"), position)
            if cache[n]:
                k, v = torch.cat([cache[n][0], k]), torch.cat([cache[n][1], v])
            cache[n] = (k, v)
            out = attention(q[None], k[None], v[None], self.c["n_heads"], mask)[0]
            x = x + self.linear(out, f"{block}.attn.attn_out")
            x = x + self.experts(self.rms_norm(x, f"{block}.mlp.ff_norm.weight"), f"{block}.mlp")
        return self.linear(self.rms_norm(x[-1:], "model.transformer.ln_f.weight"), "lm_head")[0]

    def request(self, ids, images, masks, index, new_tokens):
        times = {}
        started = time.perf_counter()

        def stage(name):
            nonlocal started
            now = time.perf_counter()
            times[name + "_ms"] = 1000 * (now - started)
            started = now

        features = self.vision_encoder(images, masks)
        stage("vision_encoder")
        features = self.projector(features)
        stage("projector")
        x = self.embed(ids)
        x.index_add_(0, index[index >= 0], features[index >= 0])
        cache = [None] * self.c["n_layers"]
        logits = self.blocks(x, cache)
        tokens = [int(logits.argmax())]
        stage("prefill")
        first = logits
        while len(tokens) < new_tokens:
            logits = self.blocks(self.embed(torch.tensor(tokens[-1:])), cache)
            tokens.append(int(logits.argmax()))
        stage("decode")
        return tokens, torch.cat([first, logits]), times


def product_gflops(size=1024):
    """Says whether torch has a fast BLAS: distributions fall back on the reference one, which is ten times slower."""
    a = torch.rand(size, size)
    best = math.inf
    for _ in range(3):
        started = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def blas_files():
    """The linear algebra libraries that are loaded: names such as libblas.so.3 do not tell which one they stand for."""
    if not os.path.exists("/proc/self/maps"):
        return []
    with open("/proc/self/maps") as file:
        paths = {line.split()[-1] for line in file if ".so" in line}
    return sorted(path for path in paths if "blas" in path or "mkl" in path)


@torch.inference_mode()
def main():
    checkpoint, inputs, new_tokens, kept = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(os.cpu_count())
    facts = {"torch": torch.__version__, "threads": torch.get_num_threads(), "product_gflops": product_gflops()}
    print(json.dumps({**facts, "blas": blas_files()}), flush=True)
    model = Model(checkpoint)
    ids = read(inputs, "ids.u32", torch.int32, -1).long()
    images = read(inputs, "images.f32", torch.float32, -1, 576, 588)
    masks = read(inputs, "masks.f32", torch.float32, -1, 576)
    index = read(inputs, "index.i32", torch.int32, -1).long()
    for _ in sys.stdin:
        tokens, logits, times = model.request(ids, images, masks, index, new_tokens)
        with open(kept, "wb") as file:
            file.write(logits.numpy().tobytes())
        print(json.dumps({"tokens": tokens, "times": times}), flush=True)


main()
