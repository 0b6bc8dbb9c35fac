"""A one-file plugin: a model that learns nothing, so that a run of it costs what the search itself costs."""
# ruff: noqa: ARG002  (the interfaces name what they hand over)

from __future__ import annotations

import json

import numpy as np

import autoft
from autoft.errors import ExportError
from autoft.interfaces.model import Candidate
from autoft.interfaces.space import LogUniform, Space, Uniform


class Constant:
    """Answers every row alike; `rate` and `drop` change nothing but which class is said to be a little likelier."""

    def __init__(self, outputs, rate):
        self._outputs, self._rate = outputs, rate

    def outputs(self, rows):
        return {"logits": np.full((len(rows), self._outputs), 0.1, np.float32) + np.arange(self._outputs, dtype=np.float32) * self._rate}

    def extra(self):
        return {}

    def save(self, folder):
        (folder / "idle.json").write_text(json.dumps([self._outputs, self._rate]), encoding="utf-8")

    def program(self):
        raise ExportError("a model that learns nothing is not exported", hint="the baseline of the same run is")


class Idle:
    name = "idle"
    summary = "learns nothing"

    def candidates(self, problem, sources, limits, rows):
        return [Candidate(self.name)] if problem.head.kind == "single_label_classification" else []

    def wanted(self, problem, cards, limits):
        return []

    def space(self, candidate, problem, rows):
        return Space({"rate": LogUniform(1e-4, 1.0), "drop": Uniform(0.0, 0.5)}, {"rate": 0.1, "drop": 0.1})

    def fit(self, spec, data, report):
        fitted = Constant(data.problem.head.outputs, spec.hyperparameters["rate"])
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
        return fitted

    def load(self, folder):
        return Constant(*json.loads((folder / "idle.json").read_text(encoding="utf-8")))


@autoft.hookimpl
def autoft_register_models():
    return [Idle()]
