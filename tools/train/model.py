"""MolmoE in PyTorch, in the shape of the engine: pictures as prefix, questions as segments behind it.

A batch holds pictures of one tiling. Each picture is seen once; its questions see the picture and themselves, never
each other, and each begins at the position after the picture, as it does when it is asked alone.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from fast import Experts, Norm, Pick, QuickGelu

DEFAULT = dict(
    crop=64, patch=8, vit_emb=64, vit_heads=4, vit_layers=4, vit_mlp=192, taps=[-1, -3],
    d_model=64, heads=4, layers=8, experts=32, top_k=8, hidden=32, vocab=0, image_ids=5, theta=10000.0,
)


def linear(inputs, outputs, bias=False, scale=1.0):
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.normal_(layer.weight, std=scale / math.sqrt(inputs))
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def heads_of(x, heads):
    """[..., rows, width] to [..., heads, rows, width / heads]"""
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def merged(x):
    return x.transpose(-2, -3).flatten(-2)


class RmsNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return Norm.apply(x, self.weight)


class VitBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        emb, out = c["vit_emb"], 1 / math.sqrt(2 * c["vit_layers"])
        self.heads = c["vit_heads"]
        self.attention_norm = nn.LayerNorm(emb, eps=1e-5)
        self.qkv = linear(emb, 3 * emb, bias=True)
        self.wo = linear(emb, emb, bias=True, scale=out)
        self.ffn_norm = nn.LayerNorm(emb, eps=1e-5)
        self.w1 = linear(emb, c["vit_mlp"], bias=True)
        self.w2 = linear(c["vit_mlp"], emb, bias=True, scale=out)

    def forward(self, x):
        q, k, v = (heads_of(t, self.heads) for t in self.qkv(self.attention_norm(x)).chunk(3, -1))
        scores = (q * (q.shape[-1] ** -0.5)) @ k.transpose(-1, -2)
        x = x + self.wo(merged(scores.softmax(-1) @ v))
        return x + self.w2(QuickGelu.apply(self.w1(self.ffn_norm(x))))


class Vision(nn.Module):
    """Crops and masks to one feature a pooled cell."""

    def __init__(self, c):
        super().__init__()
        emb, both = c["vit_emb"], c["vit_emb"] * len(c["taps"])
        self.side = c["crop"] // c["patch"]
        self.taps = [tap % c["vit_layers"] for tap in c["taps"]]
        self.heads = c["vit_heads"]
        self.patch_embedding = linear(3 * c["patch"] ** 2, emb)
        self.class_embedding = nn.Parameter(torch.randn(emb) * 0.1)
        self.positions = nn.Parameter(torch.randn(1 + self.side**2, emb) * 0.3)
        self.pre_ln = nn.LayerNorm(emb, eps=1e-5)
        self.blocks = nn.ModuleList(VitBlock(c) for _ in range(c["vit_layers"]))
        self.pad_embed = nn.Parameter(torch.randn(2, both) * 0.02)
        self.wq, self.wk, self.wv = (linear(both, emb, bias=True) for _ in range(3))
        self.wo = linear(emb, emb, bias=True)
        self.w1, self.w3 = linear(emb, c["hidden"], scale=2), linear(emb, c["hidden"], scale=2)
        self.w2 = linear(c["hidden"], c["d_model"])

    def forward(self, images, masks, see=None):
        """images [pictures, views, patches, values], masks [pictures, views, patches] to [pictures, views, cells, d]"""
        pictures, views = images.shape[:2]
        x = self.patch_embedding(images.flatten(0, 1))
        first = self.class_embedding.expand(x.shape[0], 1, -1)
        x = self.pre_ln(torch.cat([first, x], 1) + self.positions)
        outputs = []
        for block in self.blocks[: max(self.taps) + 1]:
            x = block(x)
            outputs.append(x)
        if see is not None:
            see["vit.hidden"] = [outputs[tap] for tap in self.taps]
        x = torch.cat([outputs[tap] for tap in self.taps], -1)[:, 1:]
        mask = masks.flatten(0, 1).unsqueeze(-1)
        x = x + torch.where(mask == 0, self.pad_embed[0], torch.where(mask < 1, self.pad_embed[1], 0.0))
        half = self.side // 2
        windows = x.unflatten(1, (half, 2, half, 2)).transpose(2, 3).flatten(1, 2).flatten(2, 3)  # [crops, cells, 4, both]
        q = heads_of(self.wq(windows.mean(2, keepdim=True)), self.heads)
        k, v = heads_of(self.wk(windows), self.heads), heads_of(self.wv(windows), self.heads)
        scores = (q * (q.shape[-1] ** -0.5)) @ k.transpose(-1, -2)
        pooled = self.wo(merged(scores.softmax(-1) @ v)).squeeze(2)
        features = self.w2(F.silu(self.w1(pooled)) * self.w3(pooled))
        if see is not None:
            see["vision.prepool"], see["vision.pooled"], see["vision.features"] = windows, pooled, features
        return features.unflatten(0, (pictures, views))


def rotated(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, out = c["d_model"], 1 / math.sqrt(2 * c["layers"])
        self.heads = c["heads"]
        self.attn_norm, self.q_norm, self.k_norm, self.ff_norm = (RmsNorm(d) for _ in range(4))
        self.att_proj = linear(d, 3 * d)
        self.attn_out = linear(d, d, scale=out)
        self.gate = linear(d, c["experts"], scale=0.3)
        self.gate_up = nn.Parameter(torch.randn(c["experts"], d, 2 * c["hidden"]) / math.sqrt(d))
        # Weights of the router are not scaled to 1: larger outputs make up for it, so that experts matter from the start.
        self.down = nn.Parameter(torch.randn(c["experts"], c["hidden"], d) * (5 / math.sqrt(c["hidden"])))

    def attention(self, x, prefix, segments, cos, sin, see):
        q, k, v = self.att_proj(x).chunk(3, -1)
        q = rotated(heads_of(self.q_norm(q), self.heads), cos, sin) * (q.shape[-1] / self.heads) ** -0.5
        k = rotated(heads_of(self.k_norm(k), self.heads), cos, sin)
        v = heads_of(v, self.heads)
        if see is not None:
            see.setdefault("llm.k", []).append(k)
            see.setdefault("llm.v", []).append(v)
        pk, pv = k[:, :, :prefix], v[:, :, :prefix]
        future = torch.full((prefix, prefix), -1e30).triu(1)
        parts = []
        if prefix > 0:
            parts.append((q[:, :, :prefix] @ pk.transpose(-1, -2) + future).softmax(-1) @ pv)
        if segments > 0:
            sq, sk, sv = (t[:, :, prefix:].unflatten(2, (segments, -1)) for t in (q, k, v))
            length = sq.shape[3]
            to_prefix = (q[:, :, prefix:] @ pk.transpose(-1, -2)).unflatten(2, (segments, -1))
            to_self = sq @ sk.transpose(-1, -2) + torch.full((length, length), -1e30).triu(1)
            share = torch.cat([to_prefix, to_self], -1).softmax(-1)
            mixed = (share[..., :prefix].flatten(2, 3) @ pv) + (share[..., prefix:] @ sv).flatten(2, 3)
            parts.append(mixed)
        return self.attn_out(merged(torch.cat(parts, 2)))

    def forward(self, x, valid, prefix, segments, cos, sin, top_k, losses, see):
        x = x + self.attention(self.attn_norm(x), prefix, segments, cos, sin, see)
        h = Pick.apply(self.ff_norm(x).flatten(0, 1), valid)
        logits = self.gate(h)
        shares = logits.softmax(-1)
        weights, chosen = shares.topk(top_k, -1)
        if losses is not None:
            used = torch.bincount(chosen.reshape(-1), minlength=shares.shape[1]) / chosen.numel()
            losses["balance"] = losses.get("balance", 0) + shares.shape[1] * (used * shares.mean(0)).sum()
            # Zero where the chosen experts have equal weights.
            even = top_k * (weights / weights.sum(-1, keepdim=True)).square().sum(-1) - 1
            losses["even"] = losses.get("even", 0) + even.mean()
            losses["z"] = losses.get("z", 0) + logits.logsumexp(-1).square().mean()
        if see is not None:
            for name, value in (("logits", logits), ("experts", chosen), ("weights", weights)):
                see.setdefault("router." + name, []).append(value)
        y = Experts.apply(h, weights, chosen, self.gate_up, self.down)
        return x + torch.zeros_like(x).flatten(0, 1).index_copy(0, valid, y).view_as(x)


class Nano(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        d = c["d_model"]
        self.vision = Vision(c)
        self.words = nn.Parameter(torch.randn(c["vocab"] + c["image_ids"], d) * 0.5)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.ln_f = RmsNorm(d)
        self.lm_head = linear(d, c["vocab"])

    def table(self, positions):
        half = self.c["d_model"] // self.c["heads"] // 2
        inverse = 1.0 / (self.c["theta"] ** (torch.arange(half, dtype=torch.float32) / half))
        angle = positions.float().unsqueeze(1) * inverse
        return angle.cos(), angle.sin()

    def embeds(self, prefix_ids, input_idx, features, segment_ids):
        """Prefix with image features added, then all segments: [pictures, prefix + segments * length, d]"""
        pictures = features.shape[0] if features is not None else segment_ids.shape[0]
        prefix = F.embedding(prefix_ids, self.words).expand(pictures, -1, -1)
        if features is not None:
            used = (input_idx >= 0).nonzero().squeeze(1)
            cells = features.flatten(1, 2).index_select(1, used)
            prefix = prefix.index_add(1, input_idx[used], cells)
        return torch.cat([prefix, F.embedding(segment_ids, self.words).flatten(1, 2)], 1)

    def decode(self, x, valid, prefix, segments, top_k=None, skip=(), losses=None, see=None, asked=None):
        length = (x.shape[1] - prefix) // max(segments, 1)
        positions = torch.cat([torch.arange(prefix), (prefix + torch.arange(length)).repeat(segments)])
        cos, sin = self.table(positions)
        top_k = self.c["top_k"] if top_k is None else top_k
        for layer, block in enumerate(self.blocks):
            if layer not in skip:
                # Behind the last block only the positions that are asked for are read.
                rows = asked if asked is not None and layer == len(self.blocks) - 1 else valid
                x = block(x, rows, prefix, segments, cos, sin, top_k, losses, see)
            if see is not None:
                see.setdefault("llm.hidden", []).append(x)
        return x

    def forward(self, batch, top_k=None, skip=(), losses=None):
        """Logits at the positions that predict an answer token, and those tokens: [answers, vocab], [answers]"""
        features = self.vision(batch["images"], batch["masks"])
        x = self.embeds(batch["prefix"], batch["input_idx"], features, batch["inputs"])
        prefix, segments = batch["prefix"].numel(), batch["inputs"].shape[1]
        x = self.decode(x, batch["valid"], prefix, segments, top_k, skip, losses, asked=batch["asked"])
        logits = self.lm_head(self.ln_f(Pick.apply(x.flatten(0, 1), batch["asked"])))
        return features, logits, batch["targets"]
