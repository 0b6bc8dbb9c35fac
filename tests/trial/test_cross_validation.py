"""A trial on few rows: one fit a fold, judged by what all folds held out, then one fit of all rows."""

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
from autoft.interfaces.model import Candidate, FitData, Report, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.trial import TrialOutcome, run_trial

FOLDS = ((np.array([2, 3, 4, 5]), np.array([0, 1])), (np.array([0, 1, 4, 5]), np.array([2, 3])), (np.array([0, 1, 2, 3]), np.array([4, 5])))
ROWS = np.arange(6)


class Task:
    """A score is the share of rows that were answered right; a row is answered right by its own number plus what the model adds."""

    def fit_decoder(self, problem: Problem, outputs: dict[str, Any], targets: Any) -> Decoder:
        return Decoder()

    def decide(self, problem: Problem, decoder: Decoder, outputs: dict[str, Any]) -> Any:
        return outputs["logits"][:, 0] - decoder.arrays["shift"]

    def score(self, problem: Problem, targets: Any, decisions: Any) -> dict[str, float]:
        return {"accuracy": float((targets == decisions).mean())}


class Model:
    """Each fit answers with a shift of its own, which only its own `extra` undoes; `wrong` rows are answered wrongly. `before` is called as
    a fit begins, `saving` as its weights are saved."""

    def __init__(
        self,
        wrong: tuple[int, ...] = (),
        before: Callable[[int, Report], None] = lambda number, report: None,
        saving: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.fits: list[FitData] = []
        self.lefts: list[float | None] = []
        self._wrong, self._before, self._saving = wrong, before, saving

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> str:
        self.fits.append(data)
        self.lefts.append(report.seconds_left())
        number = len(self.fits)
        self._before(number, report)
        right = data.validation + np.where(np.isin(data.validation, self._wrong), 100.0, 0.0) + number
        answers = {"logits": right[:, None]}

        def save(folder: Path) -> None:
            self._saving(number)
            (folder / "weights").write_text(f"fit {number}")

        for progress in (0.5, 1.0):
            if report(progress, answers, save, extra={"shift": np.array(float(number))}) == "stop":
                break
        return f"fit {number}"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., TrialOutcome]:
    problem = Problem(task="t", fields={}, inputs=("text",), head=Head(kind="k", outputs=1), metric=Metric(name="accuracy"))

    def go(model: Model, train: Any = ROWS, **how: Any) -> TrialOutcome:
        data = FitData(problem, Table({"text": ["a"] * 6}), np.arange(6.0), train, ROWS, tmp_path, folds=FOLDS)
        return run_trial(TrialSpec(1, Candidate("m"), {"x": 1}, 7), data, model, Task(), tmp_path / "trial", **how)  # type: ignore[arg-type]

    return go


def curve(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "trial" / "curve.jsonl").read_text().splitlines()]


def test_all_folds_judge_and_all_rows_teach(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    model = Model(wrong=(3,))
    outcome = run(model)
    assert (outcome.status, outcome.progress, outcome.fitted) == ("done", 100, "fit 4")
    assert outcome.value == pytest.approx(5 / 6), "each fold was decided with the extra of its own model"
    assert [(data.train.tolist(), data.validation.tolist(), data.folds) for data in model.fits] == [
        *((train.tolist(), held.tolist(), ()) for train, held in FOLDS),
        (ROWS.tolist(), [], ()),
    ]
    assert (tmp_path / "trial" / "model" / "weights").read_text() == "fit 4"
    with np.load(tmp_path / "trial" / "validation.npz") as stored:
        assert stored["rows"].tolist() == ROWS.tolist()
    assert [(one["progress"], one["metrics"]["accuracy"]) for one in curve(tmp_path)] == [
        (25, 1.0),
        (50, pytest.approx(3 / 4)),
        (75, pytest.approx(5 / 6)),
        (100, pytest.approx(5 / 6)),
    ]


def test_without_rows_to_teach_it_only_judges(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    model = Model()
    outcome = run(model, train=ROWS[:0])
    assert (outcome.status, outcome.progress, outcome.fitted, outcome.value) == ("done", 100, None, 1.0)
    assert len(model.fits) == 3


def test_fits_share_the_time_there_is_with_those_that_cannot_be_left_out(run: Callable[..., TrialOutcome]) -> None:
    model = Model()
    run(model, deadline=time.time() + 1000)
    found = [round(left or 0.0) for left in model.lefts]
    assert found == [333, 500, 500, 1000], "two folds and all rows, then one more fold and all rows"
    judge = Model()
    run(judge, train=ROWS[:0], deadline=time.time() + 1000)
    assert [round(left or 0.0) for left in judge.lefts] == [333, 500, 1000], "where nothing else is to be learned, every fold counts"


class Watch:
    """A clock that stands still while nothing learns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for name in ("time", "monotonic"):
            monkeypatch.setattr(f"autoft.trial.time.{name}", lambda: self.now)

    def passes(self, seconds: float) -> None:
        self.now += seconds

    def takes(self, seconds: float) -> Callable[[int, Report], None]:
        return lambda number, report: self.passes(seconds)


@pytest.mark.parametrize(("left", "judged"), [(25.0, 3), (24.9, 2)])
def test_where_the_time_is_short_all_rows_come_before_further_folds(
    run: Callable[..., TrialOutcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: float, judged: int
) -> None:
    """Each fold takes 10 s, with four rows; all six would take 15."""
    watch = Watch(monkeypatch)
    model = Model(wrong=(0,), before=watch.takes(10.0))
    outcome = run(model, deadline=watch.now + 2 * 10 + left)
    assert [len(data.train) for data in model.fits] == [4] * judged + [6]
    assert (outcome.status, outcome.progress, outcome.fitted) == ("done", 100, f"fit {judged + 1}")
    assert outcome.value == pytest.approx(1 - 1 / (2 * judged)), "by the rows that were held out"
    assert outcome.reason == ("" if judged == 3 else "judged by 2 of 3 folds: the time was short")
    assert (tmp_path / "trial" / "model" / "weights").read_text() == outcome.fitted
    with np.load(tmp_path / "trial" / "validation.npz") as stored:
        assert stored["rows"].tolist() == list(range(2 * judged))


def test_what_ends_a_little_late_has_ended(run: Callable[..., TrialOutcome], monkeypatch: pytest.MonkeyPatch) -> None:
    """The last fit is over, and saved 1 s behind the deadline."""
    watch = Watch(monkeypatch)
    slow = Model(before=watch.takes(10.0), saving=lambda number: watch.passes(2.0 if number == 4 else 0.0))
    outcome = run(slow, deadline=watch.now + 41, fixed_horizon=True)
    assert (outcome.status, outcome.progress, outcome.fitted) == ("done", 100, "fit 4")


def test_no_fold_is_left_out_where_no_choice_may_hang_on_the_clock(
    run: Callable[..., TrialOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    model = Model(before=watch.takes(10.0))
    run(model, deadline=watch.now + 41, fixed_horizon=True)
    assert len(model.fits) == 4


def test_stopped_by_the_scheduler_it_leaves_the_first_folds_weights(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    outcome = run(Model(), listen=lambda event: "stop" if event.progress >= 50 else "go")
    assert (outcome.status, outcome.progress, outcome.reason) == ("stopped", 50, "stopped by the scheduler")
    assert outcome.value == 1.0
    assert (tmp_path / "trial" / "model" / "weights").read_text() == "fit 1"


def test_stopped_within_a_fold_what_it_said_of_that_fold_does_not_count(run: Callable[..., TrialOutcome], tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    outcome = run(Model(wrong=(2, 3), before=lambda number, _: stop.write_text("enough") if number == 2 else None), stop_file=stop)
    assert (outcome.status, outcome.reason, outcome.value) == ("stopped", "enough", 1.0)


def test_a_fold_that_fails_fails_the_trial(run: Callable[..., TrialOutcome]) -> None:
    def fail(number: int, report: Report) -> None:
        if number == 3:
            raise TrialError("nothing to tell apart")

    outcome = run(Model(before=fail))
    assert (outcome.status, outcome.reason) == ("failed", "nothing to tell apart")
