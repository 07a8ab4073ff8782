"""Trains nano: `python3 tools/train/train.py --out FOLDER`. A second call goes on where the first stopped.

Debian's python3-torch 1.13 with libopenblas0-openmp; about two hours on two cores. Phases follow one another; within a
phase the learning rate depends on the time spent in it, so that a slow machine ends in time too.

Two processes of one thread each share every batch and add their gradients: threads that meet after every small product
wait for each other most of the time, processes that meet once a step do not.
"""
import os

RANKS = 2
RANK = int(os.environ.get("NANO_RANK", "0"))
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
# Freed activations stay with the process: giving them back and faulting them in again costs a third of the time.
RAISED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(8 << 30), "MALLOC_TOP_PAD_": str(64 << 20)}
if __name__ == "__main__" and RANK == 0 and any(name not in os.environ for name in RAISED):
    import sys

    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **RAISED})

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from needs import checkpoint_of, torch
from torch import distributed, nn
from torch.nn import functional as F

from data import Stream, bundle, index, write_samples
from evaluate import score
from model import DEFAULT, Nano

# name, minutes, peak rate, share of the phase before the rate falls, rate at its end, rate of vision against the
# rest, weight of the helper losses, experts a token where not the model's own, weight of the
# loss that keeps the chosen experts' weights alike, options of the generator
PHASES = json.loads((Path(__file__).parent / "phases.json").read_text())
HELPERS = {"color": 8, "kind": 7, "size": 3, "digit": 11, "centre_x": 8, "centre_y": 8, "owner": 2, "cell": 16}
HELPER_WEIGHT = {"digit": 1.5, "kind": 1.5, "owner": 0.5, "cell": 0.5}
WARM_UP_STEPS = 150
CHECK_MINUTES = 5
EVALUATED = 2  # one check in so many
MOST_SECONDS = 60  # that one step can have taken
VALIDATION = ["--samples", "200", "--from", "10000000", "--batch", "32"]


class Helper(nn.Module):
    """Reads from each image feature what its cell shows. Used in training only."""

    def __init__(self, c):
        super().__init__()
        self.head = nn.Linear(c["d_model"], sum(HELPERS.values()))

    def forward(self, features, labels):
        logits = self.head(features.flatten(0, 2)).split(list(HELPERS.values()), -1)
        labels = labels.flatten(0, 2)
        cell = torch.arange(features.shape[2]).repeat(features.shape[0] * features.shape[1], 1).flatten()
        shown = labels[:, 0] > 0
        loss, hits = 0, {}
        for (name, _), x, at in zip(HELPERS.items(), logits, range(len(HELPERS))):
            target = cell if name == "cell" else labels[:, at]
            known = target >= 0
            x, target = x[known], target[known]
            # Most cells are empty: what says where and what is weighs more where something is.
            special = shown[known] if name in ("cell", "centre_x", "centre_y") else target > 0
            weight = torch.where(special, 1.0, 0.05 if name == "digit" else 0.2)
            each = F.cross_entropy(x, target, reduction="none")
            loss = loss + HELPER_WEIGHT.get(name, 1) * (each * weight).sum() / weight.sum()
            hits[name] = (x.argmax(-1) == target)[special].float().mean().item()
        return loss, hits


def groups(model, helper):
    vision = list(model.vision.parameters())
    known = {id(p) for p in vision}
    rest = [p for p in [*model.parameters(), *helper.parameters()] if id(p) not in known]
    parts = []
    for where, params in (("vision", vision), ("rest", rest)):
        for decay in (0.03, 0.0):
            chosen = [p for p in params if (p.dim() > 1) == (decay > 0)]
            parts.append({"params": chosen, "weight_decay": decay, "where": where})
    return torch.optim.AdamW(parts, lr=0, betas=(0.9, 0.98), eps=1e-8, foreach=True)


def rate(phase, minutes, step):
    share = min(1.0, minutes / phase["minutes"])
    fall = max(0.0, (share - phase["steady"]) / max(1e-9, 1 - phase["steady"]))
    return phase["rate"] * (1 - (1 - phase["end"]) * fall) * min(1.0, (step + 1) / WARM_UP_STEPS)


def save(path, state):
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.rename(path)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True)
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    if RANK == 0:
        bundle()
        write_samples(args.out / "validation.bin", *VALIDATION)
        meeting = tempfile.mktemp(prefix="nano-")
        for rank in range(1, RANKS):
            env = {**os.environ, "NANO_RANK": str(rank), "NANO_MEETING": meeting}
            subprocess.Popen([sys.executable, *sys.argv], env=env)
    else:
        meeting = os.environ["NANO_MEETING"]
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=RANK, world_size=RANKS)
    held_out = write_samples(args.out / "validation.bin", *VALIDATION)
    vocab = int(held_out[0]["prefix"][0]) + 1
    model = Nano({**DEFAULT, "vocab": vocab})
    helper = Helper(model.c)
    optimizer = groups(model, helper)
    place = {"phase": 0, "minutes": 0.0, "step": 0, "all_minutes": 0.0, "pictures": 0}
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        state = checkpoint_of(args.out)
        model.load_state_dict(state["model"])
        helper.load_state_dict(state["helper"])
        optimizer.load_state_dict(state["optimizer"])
        place = state["place"]
    if RANK == 0:
        print(sum(p.numel() for p in model.parameters()), "parameters;", place, flush=True)

    while place["phase"] < len(PHASES):
        train_phase(PHASES[place["phase"]], place, model, helper, optimizer, held_out, args.out)
        place.update(phase=place["phase"] + 1, minutes=0.0, step=0)
        state = {"model": model.state_dict(), "helper": helper.state_dict(), "optimizer": optimizer.state_dict()}
        if RANK == 0:
            save(checkpoint, {**state, "place": place, "config": model.c})


def part_of(batch):
    """This process's pictures; all make the same batches."""
    mine = {name: batch[name] for name in ("prefix", "input_idx")}
    for name in ("n", "segments", "answer_at", "types", "labels", "masks", "images"):
        mine[name] = batch[name][RANK::RANKS]
    return index(mine)


def add_gradients(params, seconds):
    """The mean over the processes, in place; and the first one's seconds, by which all go."""
    clock = torch.tensor([seconds if RANK == 0 else 0.0])
    flat = torch.cat([clock, *((p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in params)])
    distributed.all_reduce(flat)
    for p, grad in zip(params, flat[1:].split([p.numel() for p in params])):
        p.grad = (grad / RANKS).view_as(p) if p.grad is not None else None
    return float(flat[0])


def train_phase(phase, place, model, helper, optimizer, held_out, out):
    params = [*model.parameters(), *helper.parameters()]
    stream = Stream(["--from", str(place["pictures"]), *phase["data"]])
    log = open(out / "log.jsonl", "a") if RANK == 0 else None
    seen, hits, checks, checked, began = [], {}, 0, place["minutes"], time.time()
    last = began
    while place["minutes"] < phase["minutes"]:
        at = time.time()
        batch = part_of(stream.next())
        waited = time.time() - at
        lr = rate(phase, place["minutes"], place["step"])
        for group in optimizer.param_groups:
            group["lr"] = lr * (phase["vision"] if group["where"] == "vision" else 1.0)
        losses = {}
        if batch["segments"].shape[1] == 0:
            features, answers = model.vision(batch["images"], batch["masks"]), torch.zeros(())
            right = torch.zeros(1)
        else:
            features, logits, targets = model(batch, phase.get("top_k"), losses=losses)
            answers = F.cross_entropy(logits, targets)
            right = (logits.argmax(-1) == targets).float()
        helping, hits = helper(features, batch["labels"])
        loss = answers + phase["helper"] * helping + 0.01 * losses.get("balance", 0) / 8 + 0.001 * losses.get("z", 0) / 8
        loss = loss + phase.get("even", 0) * losses.get("even", 0) / 8
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        now = time.time()
        # A process that was halted for a while did not train meanwhile.
        spent, last = add_gradients(params, min(now - last, MOST_SECONDS)) / 60, now
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if math.isfinite(float(norm)):
            optimizer.step()
        place["minutes"] += spent
        place["all_minutes"] += spent
        place["step"] += 1
        place["pictures"] += RANKS * batch["n"].numel()
        seen.append([float(answers), float(helping), float(right.mean()), waited, float(losses.get("balance", 0)) / 8, float(losses.get("even", 0)) / 8])
        if place["step"] % 50 == 0 and RANK == 0:
            mean = torch.tensor(seen).mean(0).tolist()
            line = {**place, "name": phase["name"], "rate": lr, "loss": mean[0], "helping": mean[1], "tokens": mean[2]}
            line.update(waited=mean[3], balance=mean[4], even=mean[5], norm=float(norm), cells=hits)
            line["seconds_a_step"] = (time.time() - began) / len(seen)
            print(json.dumps(rounded(line)), file=log, flush=True)
            seen, began = [], time.time()
        if place["minutes"] - checked >= CHECK_MINUTES:
            checked, checks = place["minutes"], checks + 1
            if RANK > 0:
                continue
            state = {"model": model.state_dict(), "helper": helper.state_dict(), "optimizer": optimizer.state_dict()}
            save(out / "checkpoint.pt", {**state, "place": place, "config": model.c})
            if batch["segments"].shape[1] > 0 and checks % EVALUATED == 0:
                right = score(model, held_out)
                by_type = {name: sum(r) / len(r) for name, r in right.items()}
                all_right = sum(sum(r) for r in right.values()) / sum(len(r) for r in right.values())
                line = {"minutes": place["all_minutes"], "validation": all_right, **by_type}
                print(json.dumps(rounded(line)), file=log, flush=True)
            began = time.time()
    stream.close()


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(x) for name, x in value.items()}
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
