"""What the scripts of this folder need that Python does not have; told in one line where it is missing."""
import sys
from pathlib import Path

try:
    import numpy  # noqa: F401
    import torch
except ModuleNotFoundError as error:
    raise SystemExit(
        f"error: {error.name}: expected it for {sys.executable}, found none; "
        "Debian's python3-torch and libopenblas0-openmp are for /usr/bin/python3"
    )


def checkpoint_of(folder):
    """What train.py saved there last."""
    path = Path(folder) / "checkpoint.pt"
    if not path.is_file():
        raise SystemExit(f"error: {path}: expected a checkpoint of train.py, found none; run train.py --out {folder} first")
    try:
        return torch.load(path)
    except Exception as error:  # whatever a damaged file makes of it
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SystemExit(f"error: {path}: expected a checkpoint of train.py, found a damaged file: {reason}")
