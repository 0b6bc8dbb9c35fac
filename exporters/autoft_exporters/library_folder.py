"""A folder that the library transformers loads: the fine-tuned weights, the tokenizer, and the model card."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import ExportError
from autoft.interfaces.packager import BundleFacts, Packaged
from autoft_exporters.graphs import SINGLE, graph_file, open_graphs
from autoft_exporters.quiet import first_line, quiet

MODEL, CARD, CONFIG = "model", "README.md", "config.json"
"""The run's folder of the model, beside the bundle; the model card; what says which architecture it is."""
_OWN = ("encoder.json", "head.json")
"""Files of that folder that only autoft reads."""
_TEXTS = ("a", "An example of a text, which is read by both.", "Zwölf Ähren; 12.5 % — and so on? " * 40)
_TOLERANCE = 1e-4


class Transformers:
    """The plugin. The folder is loaded again and asked: its tokens are those of the bundle, and its logits, within 1e-4, those of the graph
    in full precision."""

    name = "transformers"
    summary = "the fine-tuned weights, tokenizer and model card in a folder that transformers loads"

    def package(self, bundle: BundleFacts, folder: Path) -> Packaged:
        """Raises ExportError for a model that transformers does not know, where the run's own folder is gone, and where what was loaded
        answers otherwise."""
        missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
        if missing:
            raise ExportError(
                f"the folder is loaded to prove it, and {' and '.join(missing)} is not installed", hint="pip install 'autoft[train]'"
            )
        model = bundle.folder.parent / MODEL
        architecture = _architecture(bundle.folder, model)
        if not (bundle.folder / graph_file(SINGLE)).is_file():
            raise ExportError(
                f"{bundle.folder} has no single graph in full precision, by which the folder could be proved",
                hint="autoft export RUN --to onnx; models that write texts are loaded from the run's folder model",
            )
        for path in sorted(model.iterdir()):
            if path.is_file() and path.name not in _OWN:
                shutil.copyfile(path, folder / path.name)
        shutil.copyfile(bundle.folder / CARD, folder / CARD)
        _prove(bundle.folder, folder, architecture)
        load = f"transformers.{architecture}.from_pretrained('{self.name}'), transformers.AutoTokenizer.from_pretrained('{self.name}')"
        return Packaged(tuple(sorted(path.name for path in folder.iterdir())), (f"in Python, from the folder above: {load}",))


def _architecture(bundle: Path, model: Path) -> str:
    if not model.is_dir():
        raise ExportError(
            f"the run's folder {model} is gone, which has the weights", hint="give the run, or its bundle where the run left it"
        )
    names = [_fact(folder / CONFIG) for folder in (bundle, model)]
    if names[0] is None or names[0] != names[1]:
        what = "it is no model of transformers" if names[1] is None else f"its head is none of {names[1]}, but autoft's own"
        raise ExportError(f"transformers cannot load this model: {what}", hint="models that transformers knows: --models full:SOURCE")
    return names[0]


def _fact(path: Path) -> str | None:
    """The class of transformers that a config names; None without one."""
    import transformers

    if not path.is_file():
        return None
    named = json.loads(path.read_text(encoding="utf-8")).get("architectures") or [""]
    return str(named[0]) if hasattr(transformers, str(named[0])) else None


def _prove(bundle: Path, folder: Path, architecture: str) -> None:
    import torch
    import transformers
    from tokenizers import Tokenizer

    own = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    session = open_graphs(bundle, 1)
    try:
        with quiet():
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            kind: Any = getattr(transformers, architecture)
            model = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False).float().eval()
            given = [tokenizer(text, truncation=True)["input_ids"] for text in _TEXTS]
    except Exception as error:
        raise ExportError(f"transformers cannot load what was written: {first_line(error)}") from error
    for text, ids in zip(_TEXTS, given, strict=True):
        if ids != own.encode(text).ids:
            raise ExportError(f"the folder's tokenizer reads {text[:40]!r} otherwise than the bundle's")
        arrays = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        with torch.inference_mode():
            logits: npt.NDArray[Any] = model(**{name: torch.from_numpy(array) for name, array in arrays.items()}).logits.numpy()
        expected = session.run({**arrays, "token_type_ids": np.zeros((1, len(ids)), np.int64)})["logits"]
        off = float(np.abs(logits - expected).max())
        if not off <= _TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise ExportError(f"what transformers loads answers otherwise than the bundle: its logits are off by {off:.2g}")
