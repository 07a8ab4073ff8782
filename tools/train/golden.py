"""Records what the exported model does with a few test samples, in the format of the engine's reference sets.

`python3 tools/train/golden.py --out FOLDER --to engine/nano` adds index.json and cases/ beside the weights, so that the
folder is a set of its own: the engine is held to every tensor in it. Weights as stored (f16), arithmetic in float64.
"""
import argparse
import json
from pathlib import Path

from needs import torch
import numpy

from data import bundle, index, write_samples
from evaluate import TYPES
from export import load, write_safetensors

# A choice that rounding could turn makes no reference.
LEAST_GAP = 4e-5
LEAST_MARGIN = 0.01
# Views and type of question: every type, every number of crops up to six.
WANTED = [
    (2, "color"), (2, "shape"), (2, "count"), (2, "place"), (2, "relation"), (2, "larger"), (2, "exists"), (2, "size"),
    (2, "mark"), (2, "caption"), (3, "color"), (3, "relation"), (3, "count"), (3, "mark"), (3, "caption"), (5, "place"),
    (5, "mark"), (5, "caption"), (7, "mark"), (7, "caption"),
]


@torch.no_grad()
def run(model, batch, ids, top_k, skip):
    """One pass over the whole sequence: everything seen, and logits [positions, vocab]."""
    see = {}
    one = {**batch, "segments": torch.tensor([[ids]])}
    features = model.vision(batch["images"], batch["masks"], see)
    x = model.embeds(batch["prefix"], batch["input_idx"], features, one["segments"])
    see["llm.embeds"] = x
    valid = torch.arange(x.shape[1])
    x = model.decode(x, valid, batch["prefix"].numel(), 1, top_k, skip, see=see)
    see["llm.ln_f"] = model.ln_f(x)
    return see, model.lm_head(see["llm.ln_f"])[0]


def gaps(see, k):
    ordered = [logits.sort(-1, descending=True).values for logits in see["router.logits"]]
    return min(float((o[:, k - 1] - o[:, k]).min()) for o in ordered) if k < ordered[0].shape[1] else 1.0


def record(model, batch, most=8):
    """Tensors, samples and counts of one case; None where a choice is a near-tie."""
    c = model.c
    k, layers = c["top_k"], c["layers"]
    ids = batch["segments"][0, 0, : int(batch["answer_at"][0, 0])].tolist()
    see, logits = run(model, batch, ids, None, ())
    length, views = logits.shape[0], batch["images"].shape[1]
    margin = logits.topk(2, -1).values
    margin = margin[:, 0] - margin[:, 1]
    if gaps(see, k) < LEAST_GAP or float(margin[-1]) < LEAST_MARGIN:
        return None

    tokens, rows, steps, all_logits = [], [], [], logits[-1:]
    while len(tokens) < most:
        tokens.append(int(all_logits[-1].argmax()))
        if len(tokens) == most:
            break
        seen, after = run(model, batch, ids + tokens, None, ())
        best = after[-1].topk(2).values
        if gaps(seen, k) < LEAST_GAP or float(best[0] - best[1]) < LEAST_MARGIN:
            return None
        steps.append(seen)
        all_logits = torch.cat([all_logits, after[-1:]])
    positions = sorted({*range(0, length, 29), *range(length - 3, length)})
    cells = [[view, cell] for view in {0, views - 1} for cell in (0, 3, 5, 10, 15)]
    flat = [view * 16 + cell for view, cell in cells]
    vit_tokens = [0, 1, 2, 8, 9, 33, 37, 64]

    out = {
        "input.ids": batch["prefix"].tolist() + ids,
        "input.images": batch["images"][0],
        "input.image_masks": batch["masks"][0],
        "input.image_input_idx": batch["input_idx"].view(views, 16),
        "vit.hidden": torch.stack([h[0, vit_tokens] for h in see["vit.hidden"]]),
        "vision.prepool": see["vision.prepool"].flatten(0, 1)[flat],
        "vision.pooled": see["vision.pooled"].flatten(0, 1)[flat],
        "vision.features": see["vision.features"].flatten(0, 1)[flat],
        "llm.embeds": see["llm.embeds"][0, positions],
        "llm.hidden": torch.stack([h[0, positions] for h in see["llm.hidden"]]),
        "llm.ln_f": see["llm.ln_f"][0, positions],
        "llm.k": see["llm.k"][0][0][:, positions],
        "llm.v": see["llm.v"][0][0][:, positions],
        "logits.last": logits[-1],
        "logits.argmax": logits.argmax(-1),
        "logits.margin": margin,
        "gen.tokens": tokens,
        "gen.logits": all_logits,
        "gen.hidden": torch.stack([torch.stack([h[0, -1] for h in s["llm.hidden"]]) for s in steps]),
    }
    for n in range(layers):
        for what in ("logits", "experts", "weights"):
            out[f"router.{what}.{n}"] = see[f"router.{what}"][n][positions]
        for what in ("experts", "weights"):
            out[f"gen.router.{what}.{n}"] = torch.stack([s[f"router.{what}"][n][-1] for s in steps])
    samples = {
        "vit.hidden": {"crop": 0, "vit_layers": c["taps"], "tokens": vit_tokens},
        "vision.prepool": cells, "vision.pooled": cells, "vision.features": cells, "router": positions,
        **{name: positions for name in ("llm.embeds", "llm.hidden", "llm.ln_f")},
        **{name: {"block": 0, "positions": positions} for name in ("llm.k", "llm.v")},
    }
    arrays = {}
    for name, value in out.items():
        array = numpy.asarray(value.numpy() if torch.is_tensor(value) else value)
        arrays[name] = array.astype("<i4" if array.dtype.kind == "i" else "<f2" if name == "input.images" else "<f4")
    return arrays, samples, flops(c, views, length, most - 1)


def flops(c, n, length, forwards):
    """Matrix products only, 2 a multiply-add."""
    e, d, h, blocks = c["vit_emb"], c["d_model"], c["hidden"], c["layers"]
    patches, cells, layers = 64, 16, c["vit_layers"]
    vit = dict(
        patch_embed=2 * n * patches * 3 * c["patch"] ** 2 * e, attn_proj=8 * n * (patches + 1) * e * e * layers,
        attn_qk=2 * n * (patches + 1) ** 2 * e * layers, attn_pv=2 * n * (patches + 1) ** 2 * e * layers,
        mlp=4 * n * (patches + 1) * e * c["vit_mlp"] * layers,
    )
    total = sum(vit.values())
    vit.update(total=total, total_without_layers_after_last_used=total, layers_executed=layers, layers_needed=layers)
    projector = dict(
        pool_proj=2 * n * cells * 19 * e * e, pool_qk=8 * n * cells * e, pool_pv=8 * n * cells * e,
        mlp=2 * n * cells * h * (2 * e + d),
    )
    projector["total"] = sum(projector.values())

    def llm(tokens, pairs):
        return dict(
            attn_proj=8 * blocks * tokens * d * d, attn_qk_causal=2 * blocks * pairs * d, attn_pv_causal=2 * blocks * pairs * d,
            router=2 * blocks * tokens * d * c["experts"], experts=6 * c["top_k"] * blocks * tokens * d * h,
        )

    longer = sum(range(length + 1, length + 1 + forwards))
    return {
        "prefill": {"vision_encoder": vit, "projector": projector, "llm": llm(length, length * (length + 1) // 2),
                    "lm_head": {"rows": length, "total": 2 * length * d * c["vocab"]}},
        "decode_all_steps": {"forwards": forwards, "llm": llm(forwards, longer),
                             "lm_head": {"rows": forwards, "total": 2 * forwards * d * c["vocab"]}},
    }


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True, help="the folder that train.py wrote")
    options.add_argument("--to", type=Path, required=True, help="the folder that export.py wrote")
    args = options.parse_args()
    model = load(args.out).double()
    bundle()
    batches = write_samples(args.out / "test-6000-6-single.bin", "--split", "test", "--samples", "6000", "--batch", "1")
    (args.to / "cases").mkdir(parents=True, exist_ok=True)
    cases, wanted = [], list(WANTED)
    for batch in batches:
        kind = (batch["images"].shape[1], TYPES[int(batch["types"][0, 0])])
        if kind not in wanted:
            continue
        # Pictures as f16: that is how they are recorded, at half the size.
        images = batch["images"].half().double()
        batch = index({**batch, "images": images, "masks": batch["masks"].double()})
        made = record(model, batch)
        if made is None:
            continue
        wanted.remove(kind)
        arrays, samples, counts = made
        name = f"{kind[1]}_{kind[0]}"
        k, layers = model.c["top_k"], list(range(model.c["layers"]))
        case = {
            "case": name, "sample": f"shapes-test-{int(batch['n'][0])}",
            "settings": {"top_k_per_block": [k] * len(layers), "skipped_blocks": [], "active_blocks": layers},
            "prompt": {"length": len(arrays["input.ids"]), "bos": model.c["vocab"] - 1},
            "images": {"shape": list(arrays["input.images"].shape), "tensor": "input.images"},
            "generation": {"count": len(arrays["gen.tokens"]), "greedy": True, "stop_at_eos": False},
            "samples": samples, "flops": counts, "file": f"{name}.safetensors",
        }
        write_safetensors(args.to / "cases" / case["file"], arrays)
        (args.to / "cases" / f"{name}.json").write_text(json.dumps(case, indent=1) + "\n")
        cases.append({"case": name, "what": f"{kind[0]} crops of a test picture, a question of type {kind[1]}"})
    index_json = {"config": "nano", "stored_dtype": "F16", "compute_dtype": "F64", "cases": cases}
    (args.to / "index.json").write_text(json.dumps(index_json, indent=1) + "\n")
    print(len(cases), "cases; not found:", wanted)


if __name__ == "__main__":
    main()
