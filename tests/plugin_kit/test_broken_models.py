"""Models with one thing wrong: the check finds it, and says which rule it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autoft.scaffold.templates.model.plugin as centroid
from autoft.interfaces.space import LogUniform, Space
from autoft.testing import check_model
from broken import but, finds


def fit(change: Callable[..., Any]) -> Callable[..., Any]:
    def fitting(self: Any, spec: Any, data: Any, report: Any) -> Any:
        return change(spec, data, report, lambda told=report: centroid.NearestCentroid().fit(spec, data, told))

    return fitting


def quiet(*_: Any, **__: Any) -> str:
    return "go"


def noisy(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    fitted = learn(quiet)
    fitted.arrays["bias"] = fitted.arrays["bias"] + np.random.default_rng().normal(size=2).astype(np.float32)
    report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
    return fitted


def neighbours(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    fitted = learn()
    right = fitted.outputs
    fitted.outputs = lambda rows: {"logits": right(rows)["logits"] + len(rows)}
    report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
    return fitted


def pickled(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    fitted = learn()
    right = fitted.save
    fitted.save = lambda folder: (right(folder), (folder / "model.pkl").write_bytes(b""))
    return fitted


def halfway(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    return learn(lambda progress, outputs, save: report(0.5, outputs, save))


def deaf(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    for progress in (0.3, 0.6, 1.0):
        fitted = learn(lambda _, outputs, save, progress=progress: report(progress, outputs, save))
    return fitted


def configured(fitted: Any, config: dict[str, Any]) -> Any:
    program = fitted.program
    fitted.program = lambda: dataclasses.replace(program(), config=config)
    return fitted


MODELS: dict[str, dict[str, Any]] = {
    "candidates gives none": {"candidates": lambda self, problem, sources, limits, rows: []},
    "a task and a head that nobody knows": {"candidates": lambda self, *_: [centroid.Candidate(self.name)]},
    "lies outside the space": {"space": lambda self, *_: Space({"sharpness": LogUniform(1.0, 2.0)}, {"sharpness": 8.0})},
    "fit reports nothing": {"fit": fit(lambda spec, data, report, learn: learn(quiet))},
    "the last report of fit is at 0.5": {"fit": fit(halfway)},
    "two trials of one seed": {"fit": fit(noisy)},
    "a row alone and among others": {"fit": fit(neighbours)},
    "nothing is pickled": {"fit": fit(pickled)},
    "went on for 2 reports": {"fit": fit(deaf)},
    "its program has no model_type": {"fit": fit(lambda spec, data, report, learn: configured(learn(), {}))},
    "id2label of the config of its program is {0: 'good'}": {
        "fit": fit(lambda spec, data, report, learn: configured(learn(), {"model_type": "m", "id2label": {0: "good"}})),
    },
    r"fit raised IndexError: .* \(line \d+ of test_broken_models.py\)": {"fit": fit(lambda *_: np.zeros(2)[np.zeros(1)])},
    "load raised KeyError": {"load": lambda self, folder: {}["weight"]},
}


@pytest.mark.parametrize("sentence", MODELS)
def test_models(sentence: str) -> None:
    model = but(centroid.NearestCentroid, **MODELS[sentence])
    finds(lambda: check_model(model, plugin=centroid, prove=False), sentence)


def test_a_model_without_its_encoder_is_told_so() -> None:
    finds(lambda: check_model(centroid.NearestCentroid(), prove=False), "give the module that gives it")


def test_a_wrong_graph_is_refused_by_the_proof() -> None:
    def shifted(spec: Any, data: Any, report: Any, learn: Any) -> Any:
        fitted = learn()
        fitted.program = lambda: centroid.Centroids(fitted.problem, fitted.arrays["weight"] * 2, fitted.arrays["bias"]).program()
        return fitted

    finds(lambda: check_model(but(centroid.NearestCentroid, fit=fit(shifted)), plugin=centroid), "refused by the proof")
