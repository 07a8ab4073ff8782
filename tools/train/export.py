"""Writes a training checkpoint in the published layout: config.json, model.safetensors (f16), the processor's files.

`python3 tools/train/export.py --out FOLDER --to engine/nano`
"""
import argparse
import json
import struct
import subprocess
from pathlib import Path

from needs import checkpoint_of, torch  # noqa: F401, first
import numpy

from data import ROOT

PUBLISHED = json.loads((Path(__file__).parent / "config.json").read_text())
CROPS = dict(margins=[2, 2], max_crops=6)


def published_tensors(model):
    """The model's parameters by their published names, [outputs, inputs]."""
    c, tensors = model.c, {}
    transformer, vision = "model.transformer.", "model.vision_backbone."
    tensors[transformer + "wte.embedding"] = model.words[: c["vocab"]]
    tensors[transformer + "wte.new_embedding"] = model.words[c["vocab"] :]
    tensors[transformer + "ln_f.weight"] = model.ln_f.weight
    tensors["lm_head.weight"] = model.lm_head.weight
    for n, block in enumerate(model.blocks):
        at = f"{transformer}blocks.{n}."
        for name in ("att_proj", "attn_out", "attn_norm", "q_norm", "k_norm"):
            tensors[f"{at}attn.{name}.weight"] = getattr(block, name).weight
        tensors[at + "mlp.ff_norm.weight"] = block.ff_norm.weight
        tensors[at + "mlp.gate.weight"] = block.gate.weight
        for e in range(c["experts"]):
            gate, up = block.gate_up[e].t().chunk(2, 0)
            for name, weight in (("gate", gate), ("up", up), ("down", block.down[e].t())):
                tensors[f"{at}mlp.experts.{e}.{name}_proj.weight"] = weight
    v = model.vision
    tensors[vision + "pad_embed"] = v.pad_embed
    for name in ("wq", "wk", "wv", "wo"):
        for kind in ("weight", "bias"):
            tensors[f"{vision}image_pooling_2d.{name}.{kind}"] = getattr(getattr(v, name), kind)
    for name in ("w1", "w2", "w3"):
        tensors[f"{vision}image_projector.{name}.weight"] = getattr(v, name).weight
    vit = vision + "image_vit."
    tensors[vit + "class_embedding"] = v.class_embedding
    tensors[vit + "positional_embedding"] = v.positions
    tensors[vit + "patch_embedding.weight"] = v.patch_embedding.weight
    for kind in ("weight", "bias"):
        tensors[f"{vit}pre_ln.{kind}"] = getattr(v.pre_ln, kind)
        for n, block in enumerate(v.blocks):
            at = f"{vit}transformer.resblocks.{n}."
            for name, part in zip(("wq", "wk", "wv"), getattr(block.qkv, kind).chunk(3, 0)):
                tensors[f"{at}attention.{name}.{kind}"] = part
            tensors[f"{at}attention.wo.{kind}"] = getattr(block.wo, kind)
            for name in ("w1", "w2"):
                tensors[f"{at}feed_forward.{name}.{kind}"] = getattr(getattr(block, name), kind)
            for name in ("attention_norm", "ffn_norm"):
                tensors[f"{at}{name}.{kind}"] = getattr(getattr(block, name), kind)
    return tensors


DTYPES = {"<f2": "F16", "<f4": "F32", "<i4": "I32"}


def write_safetensors(path, arrays):
    header, parts, at = {}, [], 0
    for name, array in arrays.items():
        raw = numpy.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": DTYPES[array.dtype.str], "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def config_json(c):
    vision = dict(
        image_default_input_size=[c["crop"]] * 2, image_patch_size=c["patch"], image_pos_patch_size=c["patch"],
        image_num_pos=1 + (c["crop"] // c["patch"]) ** 2, image_emb_dim=c["vit_emb"], image_num_heads=c["vit_heads"],
        image_num_key_value_heads=c["vit_heads"], image_head_dim=c["vit_emb"] // c["vit_heads"],
        image_num_layers=c["vit_layers"], image_mlp_dim=c["vit_mlp"],
    )
    own = dict(
        d_model=c["d_model"], n_heads=c["heads"], n_layers=c["layers"], moe_num_experts=c["experts"],
        moe_top_k=c["top_k"], mlp_hidden_size=2 * c["hidden"], vocab_size=c["vocab"], embedding_size=c["vocab"],
        additional_vocab_size=c["image_ids"], rope_theta=c["theta"], vit_layers=c["taps"], max_crops=CROPS["max_crops"],
        overlap_margins=CROPS["margins"], max_sequence_length=1024, max_position_embeddings=1024,
        bos_token_id=c["vocab"] - 1, eos_token_id=c["vocab"] - 1, pad_token_id=c["vocab"] - 1,
    )
    backbone = {**PUBLISHED["vision_backbone"], **vision}
    return {**PUBLISHED, **own, "vision_backbone": backbone}


def preprocessor_json(c):
    cells = c["crop"] // c["patch"] // 2
    return dict(
        image_processor_type="MolmoImageProcessor", processor_class="MolmoProcessor", do_normalize=True,
        base_image_input_size=[c["crop"]] * 2, image_patch_size=c["patch"], image_token_length_h=cells,
        image_token_length_w=cells, overlap_margins=CROPS["margins"], max_crops=CROPS["max_crops"],
        image_padding_mask=True, image_mean=[0.48145466, 0.4578275, 0.40821073],
        image_std=[0.26862954, 0.26130258, 0.27577711],
    )


def load(folder):
    from model import Nano

    state = checkpoint_of(folder)
    model = Nano(state["config"])
    model.load_state_dict(state["model"])
    for p in model.parameters():
        p.data = p.data.half().float()
    return model


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True, help="the folder that train.py wrote")
    options.add_argument("--to", type=Path, required=True, help="the folder to write")
    args = options.parse_args()
    model = load(args.out)
    args.to.mkdir(parents=True, exist_ok=True)
    arrays = {name: t.detach().half().numpy() for name, t in sorted(published_tensors(model).items())}
    write_safetensors(args.to / "model.safetensors", arrays)
    for name, value in (("config.json", config_json(model.c)), ("preprocessor_config.json", preprocessor_json(model.c))):
        (args.to / name).write_text(json.dumps(value, indent=1) + "\n")
    bundle = ROOT / "dist" / "train" / "tokenizer_file.mjs"
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    source = Path(__file__).parent / "tokenizer_file.ts"
    subprocess.run([esbuild, source, "--bundle", "--platform=node", "--format=esm", "--log-level=error", f"--outfile={bundle}"], check=True)
    subprocess.run(["node", bundle, args.to / "tokenizer.json"], check=True)
    print(sum(a.nbytes for a in arrays.values()), "bytes of weights in", args.to)


if __name__ == "__main__":
    main()
