"""Accuracy by question type: an answer is right if greedy decoding says exactly it."""
from needs import checkpoint_of, torch

TYPES = ["color", "shape", "count", "place", "relation", "larger", "exists", "size", "mark", "caption"]


@torch.no_grad()
def answered(model, batch, top_k=None, skip=()):
    """One truth value a question: every answer token, the end included, is the likeliest after those before it."""
    _, logits, targets = model(batch, top_k, skip)
    wrong = torch.zeros(batch["types"].numel(), dtype=torch.long)
    wrong.index_add_(0, batch["asked_question"], (logits.argmax(-1) != targets).long())
    return wrong == 0


def score(model, batches, top_k=None, skip=()):
    right = {name: [] for name in TYPES}
    for batch in batches:
        for kind, hit in zip(batch["types"].flatten().tolist(), answered(model, batch, top_k, skip).tolist()):
            right[TYPES[kind]].append(hit)
    return right


def main():
    import argparse
    import json
    import math
    from pathlib import Path

    from data import bundle, write_samples
    from model import Nano

    options = argparse.ArgumentParser(description="Accuracy of a checkpoint on the test split, and what each knob takes.")
    options.add_argument("--out", type=Path, required=True, help="the folder that train.py wrote")
    options.add_argument("--samples", type=int, default=2000)
    options.add_argument("--knob-samples", type=int, default=1000)
    args = options.parse_args()
    state = checkpoint_of(args.out)
    bundle()
    model = Nano(state["config"])
    model.load_state_dict(state["model"])
    # What ships is f16; this is measured on what ships.
    for p in model.parameters():
        p.data = p.data.half().float()

    def samples(count, crops):
        path = args.out / f"test-{count}-{crops}.bin"
        return write_samples(path, "--split", "test", "--samples", str(count), "--max-crops", str(crops), "--batch", "50")

    def summary(right):
        share = {name: sum(r) / len(r) for name, r in right.items()}
        hits, n = sum(sum(r) for r in right.values()), sum(len(r) for r in right.values())
        p = hits / n
        # Wilson's interval, 95 %
        middle, half = p + 1.92 / n, 1.96 * math.sqrt(p * (1 - p) / n + 0.96 / n**2)
        low, high = (middle - half) / (1 + 3.84 / n), (middle + half) / (1 + 3.84 / n)
        return {"all": p, "low": low, "high": high, "samples": n, **share}

    c = model.c
    most, blocks = 6, range(c["layers"])
    table = {"full": summary(score(model, samples(args.samples, most)))}
    few = samples(args.knob_samples, most)
    for k in sorted({1, 2, c["top_k"] // 2, c["top_k"], c["experts"]}):
        table[f"top_k {k}"] = summary(score(model, few, top_k=k))
    for kept in blocks:
        table[f"first {kept + 1} blocks"] = summary(score(model, few, skip=tuple(blocks)[kept + 1 :]))
    for block in blocks:
        table[f"without block {block}"] = summary(score(model, few, skip=(block,)))
    for crops in (1, 2, 4, most):
        table[f"crops {crops}"] = summary(score(model, samples(args.knob_samples, crops)))
    for name, row in table.items():
        print(f"{name:18}", " ".join(f"{key} {value:.3f}" if value <= 1 else f"n {value}" for key, value in row.items()))
    (args.out / "evaluation.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
