"""Logistic regression on n-grams: the baseline, and an honest candidate. Learns in seconds and needs no source."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import BundleError, TrialError
from autoft.interfaces.encoder import Arrays, EncoderSpec, Tensor
from autoft.interfaces.model import Candidate, FitData, Limits, Part, Program, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Choice, Hyperparameters, LogUniform, Parameter, Space
from autoft_plugins.encoders.ngrams import VOCABULARY_FILE, NgramEncoding, Vocabulary, learn
from autoft_plugins.models.transformer.spaces import class_counts, is_uneven

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

KIND = "single_label_classification"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"

_MANY_CLASSES = 20
_LARGEST_TABLE = 16_000_000
"""Weights (terms x classes) that are worth keeping; a larger vocabulary is cut to its most frequent terms."""
_ABSENT = -20.0
"""The logit, below the lowest bias, of a class without a row to learn from."""
_BLOCK = 256
_OPSET, _IR_VERSION = 18, 8


class Linear:
    """The plugin."""

    name = "linear"
    summary = "n-grams of words and characters, then logistic regression"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:  # noqa: ARG002
        """One candidate for classes of a single text, else none."""
        if problem.head.kind != KIND or problem.inputs != ("text",):
            return []
        return [Candidate(self.name, reason="n-grams need no source and seconds to learn")]

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:  # noqa: ARG002
        return []

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:  # noqa: ARG002
        """`C` is the inverse strength of the penalty; `words` and `characters` the longest n-grams; `class_weight` the share of
        the inverse class frequency (sqrt: its root) in the weight of a row."""
        parameters: dict[str, Parameter] = {
            "C": LogUniform(0.3, 100.0),
            "words": Choice((1, 2)),
            "characters": Choice((4, 5, 6)),
        }
        default: Hyperparameters = {"C": 10.0 if problem.head.outputs > _MANY_CLASSES else 2.0, "words": 2, "characters": 5}
        if class_counts(problem) and not is_uneven(problem):
            return Space(parameters, default, ({**default, "C": default["C"] * 3},))
        parameters["class_weight"] = Choice(("none", "sqrt", "balanced"))
        default["class_weight"] = "balanced"
        return Space(parameters, default, ({**default, "class_weight": "sqrt"}, {**default, "class_weight": "none"}))

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> LinearFitted:
        """Raises TrialError when the rows to learn from hold fewer than two classes."""
        if data.teacher is not None:
            raise TrialError("linear learns from labels only and cannot follow a teacher", hint="distil into another model")
        chosen, outputs = spec.hyperparameters, data.problem.head.outputs
        texts = ["" if value is None else str(value) for value in data.rows.take(data.train)["text"]]
        vocabulary = learn(
            texts,
            word_sizes=(1, int(chosen["words"])),
            character_sizes=(2, int(chosen["characters"])),
            minimum=2 if len(texts) > 50 else 1,
            limit=min(100_000, _LARGEST_TABLE // outputs),
        )
        if not len(vocabulary):
            raise TrialError("no word and no run of characters stands in two texts: n-grams have nothing to learn from")
        encoding = NgramEncoding(vocabulary)
        weights = None if data.weights is None else data.weights[data.train]
        regression = _regress(encoding, texts, data.targets[data.train], weights, spec)
        fitted = LinearFitted(vocabulary, *_table(regression, outputs), data.problem.labels)
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save, iterations=float(np.max(regression.n_iter_)))
        return fitted

    def load(self, folder: Path) -> LinearFitted:
        """Raises BundleError when a file is missing or damaged."""
        from safetensors.numpy import load_file

        try:
            config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
            vocabulary = Vocabulary.from_json((folder / VOCABULARY_FILE).read_bytes())
            arrays = load_file(folder / WEIGHTS_FILE)
            labels = tuple(label for _, label in sorted(config["id2label"].items(), key=lambda item: int(item[0])))
            fitted = LinearFitted(vocabulary, arrays["weight"], arrays["bias"], labels)
        except Exception as error:
            raise BundleError(f"{folder} holds no linear model that can be read: {error}", hint="run the trial again") from error
        if fitted.weight.shape != (len(vocabulary) + 1, len(fitted.bias)):
            raise BundleError(f"{folder}: {len(vocabulary)} terms, but weights of shape {fitted.weight.shape}")
        return fitted


class LinearFitted:
    """`weight` (terms + 1, outputs) float32, row 0 zero for padding; `bias` (outputs,)."""

    def __init__(
        self, vocabulary: Vocabulary, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], labels: tuple[str, ...]
    ) -> None:
        self.vocabulary, self.weight, self.bias, self.labels = vocabulary, weight, bias, labels
        self.encoding = NgramEncoding(vocabulary)

    def outputs(self, rows: Table) -> Arrays:
        """`logits` (n, outputs), summed in double precision."""
        texts = self.encoding.texts(rows)
        weight = self.weight.astype(np.float64)
        logits = np.empty((len(texts), len(self.bias)), dtype=np.float32)
        for begin in range(0, len(texts), _BLOCK):
            logits[begin : begin + _BLOCK] = _matrix(self.encoding, texts[begin : begin + _BLOCK]) @ weight + self.bias
        return {"logits": logits}

    def extra(self) -> Arrays:
        """Nothing."""
        return {}

    def save(self, folder: Path) -> None:
        """config.json, vocabulary.json and weights.safetensors."""
        from safetensors.numpy import save_file

        (folder / CONFIG_FILE).write_text(json.dumps(self._config(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / VOCABULARY_FILE).write_bytes(self.vocabulary.to_json())
        save_file({"weight": self.weight, "bias": self.bias}, folder / WEIGHTS_FILE)

    def program(self) -> Program:
        """One graph: rows of `weight` gathered by id, weighted by value, summed."""
        inputs = self.encoding.inputs
        example: Arrays = {"ids": np.array([[1, 0], [1, 0]], dtype=np.int64), "values": np.array([[1, 0], [0.5, 0]], dtype=np.float32)}
        part = Part("model", _graph(self.weight, self.bias), inputs, (Tensor("logits", "float32", ("batch", len(self.bias))),), example)
        files = {VOCABULARY_FILE: self.vocabulary.to_json()}
        return Program((part,), EncoderSpec("ngrams", {"role": "text"}, files), self._config())

    def _config(self) -> dict[str, Any]:
        return {
            "model_type": "autoft-linear",
            "architectures": ["AutoftLinear"],
            "id2label": {str(k): label for k, label in enumerate(self.labels)},
            "label2id": {label: k for k, label in enumerate(self.labels)},
            "problem_type": KIND,
        }


def _matrix(encoding: NgramEncoding, texts: list[str]) -> Any:
    """The features as a scipy matrix, float64 (rows, terms + 1)."""
    from scipy.sparse import csr_matrix

    ids, values, starts = encoding.sparse(texts)
    return csr_matrix((values.astype(np.float64), ids, starts), shape=(len(texts), len(encoding.vocabulary) + 1))


def _regress(
    encoding: NgramEncoding, texts: list[str], targets: npt.NDArray[Any], weights: npt.NDArray[Any] | None, spec: TrialSpec
) -> LogisticRegression:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classes, counts = np.unique(targets, return_counts=True)
    if len(classes) < 2:
        raise TrialError(f"all {len(targets)} rows to learn from are of one class")
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[spec.hyperparameters.get("class_weight", "none")]
    shares = (len(targets) / (len(classes) * counts)) ** power
    matrix = _matrix(encoding, texts)
    regression = LogisticRegression(
        C=float(spec.hyperparameters["C"]),
        class_weight=dict(zip(classes.tolist(), shares.tolist(), strict=True)),
        tol=1e-3,
        max_iter=300,
        random_state=spec.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(matrix, targets, sample_weight=weights)
    return regression


def _table(regression: LogisticRegression, outputs: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weights (terms + 1, outputs) and bias (outputs,), one column a class also where scikit-learn keeps one for two."""
    coefficients, intercepts = regression.coef_, regression.intercept_
    if len(coefficients) == 1:
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight = np.zeros((coefficients.shape[1], outputs), dtype=np.float32)
    bias = np.full(outputs, intercepts.min() + _ABSENT, dtype=np.float32)
    weight[:, regression.classes_] = coefficients.T
    bias[regression.classes_] = intercepts
    weight[0] = 0.0
    return weight, bias


def _graph(weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> Any:
    """An onnx.ModelProto: ids, values (batch, features) -> logits (batch, outputs)."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Gather", ["weight", "ids"], ["rows"], axis=0),
        helper.make_node("Unsqueeze", ["values", "one"], ["row_values"]),
        helper.make_node("MatMul", ["row_values", "rows"], ["sums"]),
        helper.make_node("Squeeze", ["sums", "one"], ["flat"]),
        helper.make_node("Add", ["flat", "bias"], ["logits"]),
    ]
    initializers = [
        numpy_helper.from_array(np.ascontiguousarray(weight), "weight"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "one"),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "features"]),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", "features"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(bias)])],
        initializers,
    )
    model = helper.make_model(graph, producer_name="autoft", opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    return model
