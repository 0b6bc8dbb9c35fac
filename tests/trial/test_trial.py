"""One trial: what it keeps, when it ends, and what becomes of errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.events import TrialReported
from autoft.interfaces.model import SHARED, Candidate, FitData, Report, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.trial import TrialOutcome, decisions, run_trial, trial_seed


class Task:
    """Scores are what the model hands over. Decoders remember the targets they were fitted on."""

    def fit_decoder(self, problem: Problem, outputs: dict[str, Any], targets: Any) -> Decoder:
        return Decoder({"fitted_on": targets.tolist()})

    def decide(self, problem: Problem, decoder: Decoder, outputs: dict[str, Any]) -> Any:
        return outputs["logits"][:, 0]

    def score(self, problem: Problem, targets: Any, decisions: Any) -> dict[str, float]:
        return {"f1_macro": float(decisions.mean())}


class Model:
    def __init__(self, fit: Callable[[Report], None]) -> None:
        self._fit = fit

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> str:
        self._fit(report)
        return "fitted"


def scores(*values: float, horizon: int | None = None) -> Callable[[Report], None]:
    """A model that reports these scores one after the other."""

    def fit(report: Report) -> None:
        for step, value in enumerate(values, start=1):
            save = lambda folder, v=value: (folder / "weights").write_text(str(v))  # noqa: E731
            if report(step / (horizon or len(values)), {"logits": np.full((2, 1), value)}, save, train_loss=1.0) == "stop":
                return

    return fit


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., TrialOutcome]:
    problem = Problem(task="t", fields={}, inputs=("text",), head=Head(kind="k", outputs=1), metric=Metric(name="f1_macro"))
    rows = Table({"text": ["a"] * 4})
    data = FitData(problem, rows, np.zeros(4), np.array([0, 1]), np.array([2, 3]), tmp_path)

    def go(fit: Callable[[Report], None], peak: float = 0.0, **how: Any) -> TrialOutcome:
        spec = TrialSpec(1, Candidate("m"), {"x": 1}, 7, peak=peak)
        return run_trial(spec, data, Model(fit), Task(), tmp_path / "trial", **how)  # type: ignore[arg-type]

    return go


def test_seconds_that_others_will_not_need_add_up(run: Callable[..., TrialOutcome]) -> None:
    def fit(report: Report) -> None:
        for progress, shared in ((0.5, {SHARED: 7.0}), (0.7, {}), (1.0, {SHARED: 0.5})):
            report(progress, {"logits": np.zeros((2, 1))}, lambda folder: None, **shared)

    assert run(fit).shared_seconds == 7.5
    assert run(scores(0.5)).told()["shared_seconds"] == 0.0


def test_the_best_weights_and_outputs_are_kept(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    outcome = run(scores(0.2, 0.8, 0.5))
    assert (outcome.status, outcome.progress, outcome.value) == ("done", 100, 0.8)
    assert (tmp_path / "trial" / "model" / "weights").read_text() == "0.8"
    with np.load(tmp_path / "trial" / "validation.npz") as stored:
        assert stored["rows"].tolist() == [2, 3]
        assert stored["logits"].mean() == pytest.approx(0.8)
    assert json.loads((tmp_path / "trial" / "spec.json").read_text())["seed"] == 7
    assert len((tmp_path / "trial" / "curve.jsonl").read_text().splitlines()) == 3


def test_of_what_a_model_reports_to_have_done_its_utilisation_is_told(run: Callable[..., TrialOutcome]) -> None:
    def fit(report: Report) -> None:
        for progress, done in ((0.5, {"flops_per_second": 3e9}), (1.0, {})):
            report(progress, {"logits": np.ones((2, 1))}, lambda folder: None, **done)

    def measures(**spec: float) -> list[dict[str, float]]:
        heard: list[TrialReported] = []
        run(fit, listen=lambda event: heard.append(event) or "go", **spec)
        return [event.measures for event in heard]

    assert measures(peak=12e9) == [{"flops_per_second": 3e9, "utilisation": 0.25}, {}]
    assert measures() == [{"flops_per_second": 3e9}, {}], "without a peak there is nothing to hold it against"


def test_an_answer_that_is_no_decision_fails_the_trial(run: Callable[..., TrialOutcome]) -> None:
    outcome = run(scores(0.5, 0.6), listen=lambda event: "halt")
    assert (outcome.status, outcome.reason) == (
        "failed",
        'TypeError: the tuner\'s `listen` answered \'halt\'; a Decision is "go" or "stop"',
    )


def test_texts_are_stored_without_pickle(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    def fit(report: Report) -> None:
        texts = np.array(["one", "quite another"], dtype=object)
        report(1.0, {"logits": np.ones((2, 1)), "text": texts}, lambda folder: None)

    assert run(fit).status == "done"
    with np.load(tmp_path / "trial" / "validation.npz", allow_pickle=False) as stored:
        assert stored["text"].tolist() == ["one", "quite another"]


def test_early_stopping_waits_for_a_share_of_the_horizon(run: Callable[..., TrialOutcome]) -> None:
    long = run(scores(0.9, *[0.1] * 99))
    assert (long.status, long.progress) == ("done", 31)
    assert "early stopping" in long.reason
    assert run(scores(0.9, 0.1, 0.1, 0.1, 0.1)).progress == 100


def test_a_trial_that_is_complete_as_the_deadline_passes_is_done(run: Callable[..., TrialOutcome]) -> None:
    assert run(scores(0.5), deadline=time.time() - 1).status == "done"
    late = run(scores(0.5, 0.6), deadline=time.time() - 1)
    assert (late.status, late.reason, late.progress) == ("stopped", "stopped by the budget", 50)


def test_a_stop_file_says_why(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    (tmp_path / "stop").write_text("enough")
    outcome = run(scores(0.5, 0.6), stop_file=tmp_path / "stop")
    assert (outcome.status, outcome.reason) == ("stopped", "enough")


def test_with_a_fixed_horizon_a_model_does_not_see_the_deadline(run: Callable[..., TrialOutcome]) -> None:
    seen: list[float | None] = []
    for fixed in (False, True):
        run(lambda report: seen.append(report.seconds_left()), deadline=time.time() + 50, fixed_horizon=fixed)
    assert seen[0] == pytest.approx(50, abs=5)
    assert seen[1] is None


def test_errors_become_failed_trials_with_their_reason(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    def refuses(report: Report) -> None:
        raise TrialError("the loss is not finite")

    def breaks(report: Report) -> None:
        raise ZeroDivisionError("division by zero")

    assert (run(refuses).status, run(refuses).reason) == ("failed", "the loss is not finite")
    assert run(breaks).reason == "ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in (tmp_path / "trial" / "error.txt").read_text()


def test_seeds_depend_on_the_run_and_the_number_alone() -> None:
    assert trial_seed(7, 3) == trial_seed(7, 3)
    assert len({trial_seed(seed, number) for seed in range(5) for number in range(20)}) == 100


def test_no_row_is_decided_by_a_decoder_that_was_fitted_on_it() -> None:
    class Watching(Task):
        def decide(self, problem: Problem, decoder: Decoder, outputs: dict[str, Any]) -> Any:
            assert not set(outputs["logits"][:, 0].tolist()) & set(decoder.config["fitted_on"])
            assert decoder.arrays["transitions"].shape == (2, 2)
            return outputs["logits"][:, 0]

    problem = Problem(task="t", fields={}, inputs=("text",), head=Head(kind="k", outputs=1), metric=Metric(name="f1_macro"))
    numbers = np.arange(5.0)
    made = decisions(Watching(), problem, {"logits": numbers[:, None]}, numbers, [(len(numbers), {"transitions": np.zeros((2, 2))})])  # type: ignore[arg-type]
    assert made.tolist() == numbers.tolist()


def test_answers_that_are_no_numbers_end_a_trial(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    outcome = run(scores(0.3, float("nan"), 0.9))
    assert (outcome.status, outcome.value, outcome.progress) == ("failed", 0.3, 67)
    assert outcome.reason == "it diverged: logits of 2 of 2 validation rows are no numbers"


def test_an_attempt_leaves_nothing_to_the_next(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    run(scores(0.9, 0.8))
    assert run(scores(0.2)).value == 0.2
    assert (tmp_path / "trial" / "model" / "weights").read_text() == "0.2"
    assert len((tmp_path / "trial" / "curve.jsonl").read_text().splitlines()) == 1
