"""A bundle made by hand: the real task, the real n-gram encoder and a graph of three nodes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.runtime.bundle import EncoderRecord, Manifest, PluginRecord, Provenance, write_decoder, write_manifest

GOOD = ("great", "lovely", "superb")
BAD = ("awful", "broken", "useless")
VOCABULARY = {"version": 1, "word_sizes": [1, 1], "character_sizes": [2, 2], "words": [*BAD, *GOOD], "characters": [], "idf": [1.0] * 6}
LABELS = ("bad", "good")


def problem() -> Problem:
    return Problem(
        task="text-classification",
        fields={"text": ("review",), "label": ("rating",)},
        inputs=("text",),
        labels=LABELS,
        head=Head(kind="single_label_classification", outputs=2),
        metric=Metric(name="f1_macro"),
    )


def write_graph(path: Path) -> None:
    """logits = sum over the features of weight[id] * value; id 0 is padding."""
    weight = np.zeros((7, 2), np.float32)
    weight[1:4, 0] = weight[4:7, 1] = 3.0
    nodes = [
        helper.make_node("Gather", ["weight", "ids"], ["rows"]),
        helper.make_node("Unsqueeze", ["values", "last"], ["wide"]),
        helper.make_node("Mul", ["rows", "wide"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "middle"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "features"]),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", "features"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
            numpy_helper.from_array(np.array([1], np.int64), "middle"),
        ],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def make_bundle(folder: Path, *, plugins: tuple[PluginRecord, ...] = (), **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(folder / "onnx" / "model.onnx")
    (folder / "vocabulary.json").write_text(json.dumps(VOCABULARY))
    text = {"type": "string"}
    manifest = Manifest(
        autoft="0.1.0",
        created="2026-01-01T00:00:00+00:00",
        problem=problem(),
        exporter="onnx",
        encoder=EncoderRecord(name="ngrams", config={"role": "text"}),
        decoder=write_decoder(folder, Decoder({"function": "softmax"}, {"threshold": np.array([0.5])})),
        input_schema={"type": "object", "properties": {"text": text}, "required": ["text"]},
        output_schema={"type": "object", "properties": {"label": text, "score": {"type": "number"}}},
        provenance=Provenance(candidate="linear"),
        figures={"test": {"accuracy": 0.9}},
        plugin_files=plugins,
    )
    write_manifest(folder, manifest.model_copy(update=changes))
    return folder


TRAIN = ("torch", "transformers", "ray", "sklearn", "datasets", "pandas", "onnx", "onnxscript", "onnx_ir", "scipy", "optuna", "accelerate")
TRAIN += ("safetensors", "huggingface_hub", "psutil", "pyarrow", "joblib")
"""What only the `train` extra brings."""

BLOCKER = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def environment_without(names: tuple[str, ...], folder: Path) -> dict[str, str]:
    """Environment variables under which Python cannot import these packages, and writes no list of runs of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(BLOCKER.format(names=names))
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(folder), *([known] if known else [])])
    return {**os.environ, "PYTHONPATH": path, "AUTOFT_DATABASE": f"sqlite:///{folder / 'runs.sqlite'}"}
