"""Nearest centroid over hashed words: a class is the mean of its texts. It learns in one pass, and its graph is one product."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import autoft
from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, Encoded, Encoder, EncoderSpec, Tensor
from autoft.interfaces.model import Candidate, FitData, Limits, Model, Part, Program, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import LogUniform, Space

WIDTH = 1024


class HashedWords:
    """`words` (batch, WIDTH) float32: which words a text has, in buckets, scaled to unit length."""

    name = "example-plugin-words"
    summary = "the words of a text, in buckets"
    inputs = (Tensor("words", "float32", ("batch", WIDTH)),)
    max_length: int | None = None

    def open(self, folder: Path, config: Mapping[str, Any]) -> HashedWords:  # noqa: ARG002
        return self

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:  # noqa: ARG002
        found = np.zeros((len(rows), WIDTH), np.float32)
        for row, text in enumerate(rows["text"]):
            found[row, [zlib.crc32(word.encode("utf-8", "replace")) % WIDTH for word in str(text or "").casefold().split()]] = 1
        lengths = found.sum(axis=1).astype(np.int64)
        found /= np.sqrt(np.maximum(lengths, 1), dtype=np.float32)[:, None]
        return Encoded({"words": found}, lengths, np.zeros(len(rows), np.bool_))

    def resized(self, rows: Table, length: int) -> Table:  # noqa: ARG002
        return rows


class Centroids:
    """What was learned: `weight` (WIDTH, classes) and `bias` (classes,), so that the greatest logit is the nearest centroid's."""

    def __init__(self, problem: Problem, weight: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> None:
        self.problem, self.arrays = problem, {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}

    def outputs(self, rows: Table) -> Arrays:
        return {"logits": HashedWords().encode(rows).arrays["words"] @ self.arrays["weight"] + self.arrays["bias"]}

    def extra(self) -> Arrays:
        return {}

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        save_file(self.arrays, folder / "model.safetensors")
        (folder / "problem.json").write_text(self.problem.model_dump_json(), encoding="utf-8")

    def program(self) -> Program:
        from onnx import numpy_helper, parser

        n, head = self.problem.head.outputs, '<ir_version: 8, opset_import: ["": 18]>'
        graph = parser.parse_model(f"{head} g (float[b, {WIDTH}] words) => (float[b, {n}] logits) {{ logits = Gemm(words, weight, bias) }}")
        graph.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in self.arrays.items())
        logits = Tensor("logits", "float32", ("batch", n))
        part = Part("model", graph, HashedWords.inputs, (logits,), {"words": np.zeros((2, WIDTH), np.float32)})
        config = {"model_type": "example-plugin", "id2label": dict(enumerate(self.problem.labels)), "problem_type": self.problem.head.kind}
        return Program((part,), EncoderSpec(HashedWords.name, {}), config)


class NearestCentroid:
    """The plugin. `sharpness` scales the logits: how sure an answer is."""

    name = "example-plugin"
    summary = "the class whose texts are nearest on average"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:  # noqa: ARG002
        return [Candidate(self.name)] if (problem.head.kind, problem.inputs) == ("single_label_classification", ("text",)) else []

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:  # noqa: ARG002
        return []

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:  # noqa: ARG002
        return Space({"sharpness": LogUniform(1.0, 30.0)}, {"sharpness": 8.0})

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Centroids:
        words, sharpness = HashedWords().encode(data.rows.take(data.train)).arrays["words"], spec.hyperparameters["sharpness"]
        member = np.eye(data.problem.head.outputs)[data.targets[data.train]]
        means = words.T.astype(np.float64) @ member / np.maximum(member.sum(axis=0), 1)
        fitted = Centroids(data.problem, sharpness * means, -sharpness / 2 * (means**2).sum(axis=0))
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
        return fitted

    def load(self, folder: Path) -> Centroids:
        from safetensors.numpy import load_file

        return Centroids(Problem.model_validate_json((folder / "problem.json").read_bytes()), **load_file(folder / "model.safetensors"))


@autoft.hookimpl
def autoft_register_models() -> Sequence[Model]:
    """What the entry point gives to autoft."""
    return [NearestCentroid()]


@autoft.hookimpl
def autoft_register_encoders() -> Sequence[Encoder]:
    """What stands in front of the model's graph, in production too."""
    return [HashedWords()]
