"""A one-file plugin that has nothing to do with text: classes from numeric columns, by softmax regression.

    autoft run iris.csv --plugin numeric_plugin.py --task numeric-classification
    autoft predict runs/... --plugin numeric_plugin.py --input more.csv --output answers.csv

It gives a task, an encoder and a model; the search, the export, the proof and the server come from autoft.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import autoft
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.encoder import Encoded, EncoderSpec, Tensor
from autoft.interfaces.model import Candidate, Part, Program
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.space import Integer, LogUniform, Space
from autoft.interfaces.task import Decoder, Match


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def probabilities(logits):
    # Without the row's maximum the exponential of a large logit would overflow.
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


class NumericClassification:
    name = "numeric-classification"
    summary = "A class from columns of numbers."

    def match(self, table, given):
        label = given.get("label", (table.names[-1],))[0]
        features = tuple(n for n in table.names if n != label and all(is_number(v) for v in table[n]))
        if label not in table or not features:
            return None
        columns = {"features": features, "label": (label,)}
        return Match(0.6, columns, f"numbers: {', '.join(features)}; label: {label}")

    def problem(self, table, match, *, metric, seed):
        labels = tuple(sorted({str(v) for v in table[match.columns["label"][0]] if v is not None}))
        if len(labels) < 2:
            raise DataError("there is one class only", hint="a second class is needed to learn from")
        if metric not in (None, "accuracy"):
            raise SettingsError(f"there is no metric {metric!r} in {self.name}", hint="--metric accuracy")
        return Problem(
            task=self.name,
            fields=dict(match.columns),
            inputs=("features",),
            labels=labels,
            head=Head(kind="single_label_classification", outputs=len(labels)),
            metric=Metric(name="accuracy"),
            seed=seed,
        )

    def usable(self, problem, table):
        return np.array([v is not None for v in table[problem.fields["label"][0]]])

    def inputs(self, problem, table):
        names = problem.fields["features"]
        missing = [n for n in names if n not in table]
        if missing:
            raise DataError(f"the columns {', '.join(missing)} are absent")
        return Table({"features": [list(row) for row in zip(*(table[n] for n in names), strict=True)]})

    def targets(self, problem, table):
        codes = {label: code for code, label in enumerate(problem.labels)}
        found = [str(v) for v in table[problem.fields["label"][0]]]
        for number, label in enumerate(found, 1):
            if label not in codes:
                known = ", ".join(problem.labels)
                raise DataError(f"{table.origin}, row {number}: the label {label!r} is not among those to learn: {known}")
        return np.array([codes[label] for label in found])

    def strata(self, problem, targets):
        return targets

    def constant(self, problem, targets, rows):
        counts = np.bincount(targets, minlength=len(problem.labels)) + 1e-9
        return {"logits": np.tile(np.log(counts / counts.sum()).astype(np.float32), (rows, 1))}

    def fit_decoder(self, problem, outputs, targets):
        return Decoder()

    def decide(self, problem, decoder, outputs):
        return outputs["logits"].argmax(1)

    def score(self, problem, targets, decisions):
        return {"accuracy": float((decisions == targets).mean())}

    def decode(self, problem, decoder, outputs, inputs):
        p = probabilities(outputs["logits"].astype(np.float64))
        return [{"label": problem.labels[int(r.argmax())], "score": float(r.max())} for r in p]

    def check_inputs(self, problem, records):
        names = problem.fields["features"]
        for number, record in enumerate(records, 1):
            values = record.get("features", [record.get(n) for n in names])
            if not isinstance(values, list) or len(values) != len(names) or not all(is_number(v) for v in values):
                raise DataError(f"row {number}: features: {len(names)} numbers are needed: {', '.join(names)}")
        return Table({"features": [r.get("features", [r.get(n) for n in names]) for r in records]})


class Columns:
    """Standardised numbers, and a 1 for the intercept."""

    name = "columns"
    summary = "Numeric columns, standardised."
    max_length = None

    def open(self, folder, config):
        opened = Columns()
        opened.mean, opened.scale = np.array(config["mean"]), np.array(config["scale"])
        opened.inputs = (Tensor("features", "float32", ("batch", len(config["mean"]) + 1)),)
        return opened

    def encode(self, rows, *, pad_to=None, offsets=False):
        values = (np.array(list(rows["features"]), dtype=np.float64).reshape(len(rows), len(self.mean)) - self.mean) / self.scale
        n = len(rows)
        values = np.hstack([values, np.ones((n, 1))])
        return Encoded({"features": values.astype(np.float32)}, np.ones(n, np.int64), np.zeros(n, bool))

    def resized(self, rows, length):
        return rows


class Softmax:
    name = "softmax"
    summary = "Softmax regression by gradient descent on numeric columns."

    def candidates(self, problem, sources, limits, rows):
        return [Candidate(self.name, reason="fast")] if problem.task == NumericClassification.name else []

    def wanted(self, problem, cards, limits):
        return []

    def space(self, candidate, problem, rows):
        parameters = {"learning_rate": LogUniform(1e-3, 10.0), "epochs": Integer(5, 50)}
        return Space(parameters, {"learning_rate": 2.0, "epochs": 50})

    def fit(self, spec, data, report):
        features = np.array(list(data.rows["features"]), dtype=np.float64)
        train = features[data.train]
        config = {"mean": train.mean(0).tolist(), "scale": (train.std(0) + 1e-9).tolist()}
        fitted = Line(data.problem, config, np.zeros((train.shape[1] + 1, len(data.problem.labels))))
        x = Columns().open(None, config).encode(data.rows.take(data.train)).arrays["features"].astype(np.float64)
        truth = np.eye(len(data.problem.labels))[data.targets[data.train]]
        epochs = spec.hyperparameters["epochs"]
        for epoch in range(epochs):
            p = probabilities(x @ fitted.weight)
            fitted.weight = fitted.weight + spec.hyperparameters["learning_rate"] * x.T @ (truth - p) / len(x)
            outputs = fitted.outputs(data.rows.take(data.validation))
            if report((epoch + 1) / epochs, outputs, fitted.save) == "stop":
                break
        return fitted

    def load(self, folder):
        stored = json.loads((Path(folder) / "softmax.json").read_text())
        return Line(Problem.model_validate(stored["problem"]), stored["config"], np.array(stored["weight"]))


class Line:
    def __init__(self, problem, config, weight):
        self.problem, self.config, self.weight = problem, config, weight

    def outputs(self, rows):
        encoded = Columns().open(None, self.config).encode(rows)
        return {"logits": encoded.arrays["features"] @ self.weight.astype(np.float32)}

    def extra(self):
        return {}

    def save(self, folder):
        stored = {"problem": self.problem.model_dump(mode="json"), "config": self.config, "weight": self.weight.tolist()}
        (Path(folder) / "softmax.json").write_text(json.dumps(stored))

    def program(self):
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        inputs, outputs = self.weight.shape
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["features", "weight"], ["logits"])],
            "softmax",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", inputs])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])],
            [numpy_helper.from_array(self.weight.astype(np.float32), "weight")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        part = Part(
            "model",
            model,
            (Tensor("features", "float32", ("batch", inputs)),),
            (Tensor("logits", "float32", ("batch", outputs)),),
            {"features": np.zeros((2, inputs), np.float32)},
        )
        config = {
            "model_type": "softmax",
            "architectures": ["Softmax"],
            "problem_type": self.problem.head.kind,
            "id2label": dict(enumerate(self.problem.labels)),
            "label2id": {label: code for code, label in enumerate(self.problem.labels)},
        }
        return Program((part,), EncoderSpec("columns", self.config), config)


@autoft.hookimpl
def autoft_register_tasks():
    return [NumericClassification()]


@autoft.hookimpl
def autoft_register_models():
    return [Softmax()]


@autoft.hookimpl
def autoft_register_encoders():
    return [Columns()]
