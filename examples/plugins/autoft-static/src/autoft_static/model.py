"""Averages of a source's token embeddings, by model2vec, then logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.encoder import Arrays, EncoderSpec, Tensor
from autoft.interfaces.model import Candidate, FitData, Limits, Part, Program, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Choice, LogUniform, Space
from autoft_static.encoder import StaticEncoding, StaticTokens

if TYPE_CHECKING:
    from model2vec import StaticModel

LONGEST = 512
TABLES = ("word_embeddings.weight", "embed_tokens.weight", "wte.weight", "tok_embeddings.weight", "shared.weight")
"""The ends of the names under which architectures keep their token embeddings."""


class StaticFitted:
    """`static` gives the features, `weight` (width, classes) and `bias` (classes,) the logits of them."""

    def __init__(self, problem: Problem, static: StaticModel, weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> None:
        self.problem, self.static = problem, static
        self.weight, self.bias = weight.astype(np.float32), bias.astype(np.float32)

    def outputs(self, rows: Table) -> Arrays:
        return {"logits": (features(self.static, rows) @ self.weight + self.bias).astype(np.float32)}

    def extra(self) -> Arrays:
        return {}

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        self.static.save_pretrained(folder / "static")
        save_file({"weight": self.weight, "bias": self.bias}, folder / "head.safetensors")
        (folder / "problem.json").write_text(self.problem.model_dump_json(), encoding="utf-8")

    def program(self) -> Program:
        """The head is folded into the embeddings: a row a token, a column a class."""
        from onnx import numpy_helper, parser

        n = len(self.bias)
        shapes = f"(int64[b, length] ids, float[b, length] shares) => (float[b, {n}] logits)"
        steps = "rows = Gather(table, ids) wide = Unsqueeze(shares, one) sums = MatMul(wide, rows) flat = Squeeze(sums, one)"
        text = f'<ir_version: 8, opset_import: ["": 18]> static {shapes} {{ {steps} logits = Add(flat, bias) }}'
        graph = parser.parse_model(text)
        table = np.asarray(self.static.embedding, np.float32) @ self.weight
        for name, array in (("table", table), ("bias", self.bias), ("one", np.array([1], np.int64))):
            graph.graph.initializer.append(numpy_helper.from_array(array, name))
        example: Arrays = {"ids": np.zeros((2, 3), np.int64), "shares": np.full((2, 3), 1 / 3, np.float32)}
        part = Part("model", graph, StaticEncoding.inputs, (Tensor("logits", "float32", ("batch", n)),), example)
        config: dict[str, Any] = {"model_type": "static", "architectures": ["StaticModel"], "problem_type": self.problem.head.kind}
        config["id2label"] = dict(enumerate(self.problem.labels))
        files = {"tokenizer.json": self.static.tokenizer.to_str().encode()}
        return Program((part,), EncoderSpec(StaticTokens.name, encoder_config(self.static), files), config)


class Static:
    """The plugin."""

    name = "static"
    summary = "token embeddings of a source, averaged by model2vec, then logistic regression"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        if problem.head.kind != "single_label_classification" or problem.inputs != ("text",):
            return []
        return [Candidate(self.name, source, proposed=False, reason="learns in a second") for source in sources]

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:
        return []

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:
        return Space({"C": LogUniform(0.01, 100.0), "class_weight": Choice(("none", "balanced"))}, {"C": 1.0, "class_weight": "none"})

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> StaticFitted:
        """Raises TrialError for a source without token embeddings, and where the rows to learn from are of one class."""
        from sklearn.linear_model import LogisticRegression

        if spec.candidate.source is None:
            raise TrialError("static needs a source", hint="--models static:all-MiniLM-L6-v2")
        static = embeddings(spec.candidate.source.folder)
        codes = data.targets[data.train]
        classes = np.unique(codes)
        if len(classes) < 2:
            raise TrialError("all rows to learn from are of one class")
        weighed = None if spec.hyperparameters["class_weight"] == "none" else "balanced"
        found = features(static, data.rows.take(data.train))
        scale = max(float(found.std()), 1e-6)  # so that C means the same for every source
        head = LogisticRegression(C=spec.hyperparameters["C"], class_weight=weighed, max_iter=500, random_state=spec.seed % 2**31)
        head.fit(found / scale, codes)
        outputs = data.problem.head.outputs
        weight, bias = np.zeros((found.shape[1], outputs)), np.full(outputs, -20.0)
        if len(classes) == 2:
            weight[:, classes] = np.stack([np.zeros(found.shape[1]), head.coef_[0]], axis=1) / scale
            bias[classes] = [0.0, float(head.intercept_[0])]
        else:
            weight[:, classes], bias[classes] = head.coef_.T / scale, head.intercept_
        fitted = StaticFitted(data.problem, static, weight, bias)
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
        return fitted

    def load(self, folder: Path) -> StaticFitted:
        from model2vec import StaticModel
        from safetensors.numpy import load_file

        problem = Problem.model_validate_json((folder / "problem.json").read_bytes())
        return StaticFitted(problem, StaticModel.from_pretrained(folder / "static"), **load_file(folder / "head.safetensors"))


def encoder_config(static: StaticModel) -> dict[str, Any]:
    """What the encoder needs to read texts as model2vec does."""
    return {"unknown": static.unk_token_id, "max_length": LONGEST, "characters": LONGEST * static.median_token_length}


def features(static: StaticModel, rows: Table) -> npt.NDArray[np.float32]:
    """Means of token embeddings (n, width)."""
    texts = [str(text or "") for text in rows["text"]]
    width = static.embedding.shape[1]
    if not texts:
        return np.zeros((0, width), np.float32)  # the library joins what it has, and has nothing
    return np.asarray(static.encode(texts, use_multiprocessing=False), np.float32).reshape(len(texts), width)


def embeddings(folder: Path) -> StaticModel:
    """A static model of a source's own token embeddings and tokenizer. Raises TrialError where it has none by a known name."""
    from model2vec import StaticModel
    from safetensors import safe_open
    from tokenizers import Tokenizer

    with safe_open(folder / "model.safetensors", framework="numpy") as weights:
        names = [name for name in weights.keys() if name.endswith(TABLES)]  # noqa: SIM118  # it is no mapping
        if not names:
            raise TrialError(f"{folder} has no token embeddings under a known name", hint="take another source")
        table = weights.get_tensor(names[0]).astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return StaticModel(table[: tokenizer.get_vocab_size()], tokenizer, max_length=LONGEST)
