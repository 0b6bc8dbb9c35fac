"""Turn .bin weights into safetensors once, by `torch.load(weights_only=True)` in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from autoft.errors import SourceError

_SKIPPED = {".bin", ".safetensors", ".h5", ".msgpack", ".ot", ".onnx"}

# Run by another Python: the core imports no torch, and a file that breaks the reader breaks that process alone.
_SCRIPT = """
import sys
import torch
from safetensors.torch import save_file
tensors = {}
for path in sys.argv[2:]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    tensors |= {name: value.detach().clone().contiguous() for name, value in state.items() if isinstance(value, torch.Tensor)}
save_file(tensors, sys.argv[1], metadata={"format": "pt"})
"""


def binary_files(folder: Path) -> list[Path]:
    """pytorch_model.bin, or the pieces of it, in order of name."""
    whole = folder / "pytorch_model.bin"
    return [whole] if whole.is_file() else sorted(folder.glob("pytorch_model-*.bin"))


def convert(folder: Path, target: Path) -> None:
    """Copy the small files of `folder` to `target`, and its .bin weights as model.safetensors.

    Raises SourceError when torch is absent or refuses the file, e.g. because it holds code.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_file() and path.suffix not in _SKIPPED and not path.name.startswith("."):
            shutil.copyfile(path, target / path.name)
    command = [sys.executable, "-I", "-c", _SCRIPT, str(target / "model.safetensors"), *map(str, binary_files(folder))]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        absent = "No module named" in last
        hint = 'pip install "autoft[train]"' if absent else "save the model as safetensors: model.save_pretrained(folder)"
        raise SourceError(f"the .bin weights in {folder} cannot be read safely: {last}", hint=hint)
