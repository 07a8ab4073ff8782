"""Records of shards.ts as tensors. A batch is pictures of one tiling with the same number of questions each."""
import subprocess
import threading
from pathlib import Path
from queue import Queue

import numpy
import torch

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "dist" / "train" / "shards.mjs"
MAGIC = 0x4F4E414E
PATCHES, VALUES, CELLS = 64, 192, 16


def bundle():
    """The generator and the engine's picture code, bundled for Node."""
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        raise SystemExit(f"{esbuild}: expected the project's packages, found none; run npm install")
    source = Path(__file__).parent / "shards.ts"
    flags = ["--bundle", "--platform=node", "--format=esm", "--log-level=error", f"--outfile={BUNDLE}"]
    subprocess.run([esbuild, source, *flags], check=True, cwd=ROOT)


def read_batch(stream):
    head = stream.read(32)
    if len(head) < 32:
        return None
    magic, pictures, views, prefix, questions, longest, cells, labels = numpy.frombuffer(head, "<i4").tolist()
    if magic != MAGIC:
        raise SystemExit("records: expected a record of shards.ts, found something else")

    def array(dtype, *shape):
        raw = stream.read(4 * int(numpy.prod(shape)))
        return torch.from_numpy(numpy.frombuffer(raw, dtype).reshape(shape).copy())

    batch = {"prefix": array("<i4", prefix).long(), "input_idx": array("<i4", cells).long(), "n": array("<i4", pictures)}
    batch["segments"] = array("<i4", pictures, questions, longest).long()
    batch["answer_at"] = array("<i4", pictures, questions).long()
    batch["types"] = array("<i4", pictures, questions)
    batch["labels"] = array("<i4", pictures, views, CELLS, labels).long()
    batch["masks"] = array("<f4", pictures, views, PATCHES)
    batch["images"] = array("<f4", pictures, views, PATCHES, VALUES)
    return index(batch)


def index(batch):
    """Where tokens are, and where and which answer tokens are to be told."""
    segments, prefix = batch["segments"], batch["prefix"].numel()
    pictures, questions, longest = segments.shape
    # The end of an answer is told but never read.
    longest -= 1
    inside = segments[:, :, 1:] >= 0
    batch["inputs"] = torch.where(inside, segments[:, :, :-1], 0)
    real = torch.cat([torch.ones(pictures, prefix, dtype=torch.bool), inside.flatten(1)], 1)
    batch["valid"] = real.flatten().nonzero().squeeze(1)
    at = torch.arange(longest + 1)
    answer = (at >= batch["answer_at"].unsqueeze(-1)) & (segments >= 0)
    picture, question, place = answer.nonzero().unbind(1)
    batch["targets"] = segments[picture, question, place]
    batch["asked"] = picture * (prefix + questions * longest) + prefix + question * longest + place - 1
    batch["asked_question"] = picture * questions + question
    return batch


def read_file(path):
    batches = []
    with open(path, "rb") as file:
        while True:
            batch = read_batch(file)
            if batch is None:
                return batches
            batches.append(batch)


class Stream:
    """Endless batches from the generator, a few read ahead; ends with this process."""

    def __init__(self, options, ahead=6):
        self.process = subprocess.Popen(["node", BUNDLE, *options], stdout=subprocess.PIPE, bufsize=1 << 20)
        self.queue = Queue(ahead)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            batch = read_batch(self.process.stdout)
            self.queue.put(batch)
            if batch is None:
                return

    def next(self):
        batch = self.queue.get()
        if batch is None:
            raise SystemExit("shards.ts ended: expected endless records; look at its message above")
        return batch

    def close(self):
        self.process.kill()
        self.process.wait()


def write_samples(path, *options):
    """A file of single questions, made once."""
    if not Path(path).exists():
        part = f"{path}.part"
        subprocess.run(["node", BUNDLE, "--out", part, *options], check=True)
        Path(part).rename(path)
    return read_file(path)
