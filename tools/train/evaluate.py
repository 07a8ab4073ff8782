"""Accuracy by question type: an answer is right if greedy decoding says exactly it."""
import torch

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
