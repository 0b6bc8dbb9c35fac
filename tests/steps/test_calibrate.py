"""What is served: the calibration of a trial's own outputs, folded into the weights that are exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autoft.calibration import certainty, error
from autoft.interfaces.events import EVENTS, Remark
from autoft.interfaces.task import Decoder
from autoft.runtime.strangeness import measured
from autoft.steps.bundle import held_out
from autoft.steps.calibrate import CALIBRATION, calibration_of, in_words, served
from autoft.steps.soup import average_best
from benches import Toy, Weighed, bench_of, clock_of, trial


class Sure(Weighed):
    """Its logits are `gain` times too large."""

    def __init__(self, weights: Any, gain: float = 8.0) -> None:
        super().__init__(weights)
        self.gain = gain

    def outputs(self, rows):
        return {"logits": (self.gain * super().outputs(rows)["logits"]).astype(np.float32)}

    def save(self, folder: Path) -> None:
        np.save(folder / "weights.npy", self.weights)

    def rescaled(self, scale, shift):
        return Sure(self.weights, self.gain * scale[0])


class Unscaled(Sure):
    """One that says it was rescaled, and answers as before."""

    def rescaled(self, scale, shift):
        return self


class Unwilling(Sure):
    def rescaled(self, scale, shift):
        return None


class Breaking(Sure):
    def rescaled(self, scale, shift):
        raise RuntimeError("no such layer")


class Surely(Toy):
    """A model of such weights; they can be averaged."""

    kind = Sure

    def fit(self, spec, data, report):
        fitted = self.kind([spec.hyperparameters[name] for name in "ab"])
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
        return fitted

    def load(self, folder: Path):
        return self.kind(np.load(folder / "weights.npy"))

    def average(self, folders: Sequence[Path]):
        return self.kind(np.mean([np.load(folder / "weights.npy") for folder in folders], axis=0))


def made(tmp_path, kind=Sure, rows=1600):
    """A bench, the row of its only trial, the trial's weights, and what they answered for the validation rows."""
    model = Surely()
    model.kind = kind
    bench = bench_of(tmp_path, model, rows, noise=1.0)
    row = trial(bench, a=1.0, b=0.8)
    return bench, row, bench.load(row), held_out(bench.journal.trial_folder(row.trial) / "validation.npz")


def warnings(bench) -> list[str]:
    lines = (bench.journal.folder / "events.jsonl").read_text().splitlines()
    return [e.text for e in map(EVENTS.validate_json, lines) if isinstance(e, Remark) and e.level == "warning"]


def test_a_temperature_is_folded_and_recorded_and_no_decision_changes(tmp_path):
    bench, _, fitted, (rows, outputs) = made(tmp_path)
    model, decoder = served(bench, fitted, rows, outputs)
    record = decoder.config[CALIBRATION]
    assert decoder.config["function"] == "softmax"
    assert (record["method"], record["folded"], record["rows"]) == ("temperature", True, len(rows))
    assert record["temperature"] > 2
    assert record["ece_after"] < 0.5 * record["ece_before"]
    table, targets, task = bench.data.rows.take(rows), bench.data.targets[rows], bench.understood.task
    before, after = fitted.outputs(table)["logits"], model.outputs(table)["logits"]
    np.testing.assert_array_equal(before, outputs["logits"])  # the weights that were given stay as they are
    np.testing.assert_allclose(after, before / record["temperature"], rtol=1e-5)
    problem = bench.understood.problem
    assert (task.decide(problem, decoder, {"logits": after}) == task.decide(problem, Decoder(), {"logits": before})).all()
    assert error(*certainty(after, targets, "softmax")) < 0.5 * error(*certainty(before, targets, "softmax"))
    assert f"temperature {record['temperature']:.3g}" in in_words(decoder)
    assert calibration_of(decoder).temperature == record["temperature"]


@pytest.mark.parametrize("kind", [None, Weighed])
def test_the_decoder_knows_how_strange_the_served_logits_are(tmp_path, kind):
    bench, _, fitted, (rows, outputs) = made(tmp_path) if kind is None else made(tmp_path, kind)
    _, decoder = served(bench, fitted, rows, outputs)
    served_logits = outputs["logits"] / decoder.config[CALIBRATION]["temperature"] if kind is None else outputs["logits"]
    assert decoder.config["out_of_domain"] == measured(served_logits)
    assert decoder.config["out_of_domain"]["rows"] == len(rows)
    # A refitted model is asked itself: its logits are of another size than the trial's.
    again, decoder = served(bench, fitted, rows, {"logits": outputs["logits"] / 3}, anew=True)
    asked = rows[:200]
    assert decoder.config["out_of_domain"] == measured(again.outputs(bench.understood.rows.take(asked))["logits"])


def test_nobody_applies_a_folded_temperature_again(tmp_path):
    bench, _, fitted, (rows, outputs) = made(tmp_path)
    _, decoder = served(bench, fitted, rows, outputs)
    task, problem, table = bench.understood.task, bench.understood.problem, bench.data.rows.take(rows)
    plain = Decoder({"function": "softmax"})
    assert task.decode(problem, decoder, outputs, table) == task.decode(problem, plain, outputs, table)


def test_a_refitted_model_gets_the_scale_that_the_trial_tells(tmp_path):
    bench, _, fitted, (rows, outputs) = made(tmp_path)
    _, decoder = served(bench, fitted, rows, outputs)
    model, same = served(bench, Sure([0.9, 0.9], 8.5), rows, outputs)
    assert same == decoder
    assert model.gain == pytest.approx(8.5 / decoder.config[CALIBRATION]["temperature"])


@pytest.mark.parametrize(
    ("kind", "reason", "warned"),
    [
        (Weighed, "has no last layer", False),
        (Unwilling, "does not end in a layer", False),
        (Unscaled, "its answers are not those that the scale should have given", True),
        (Breaking, "RuntimeError: no such layer", True),
    ],
)
def test_a_model_that_cannot_be_rescaled_is_served_as_it_is(tmp_path, kind, reason, warned):
    bench, _, fitted, (rows, outputs) = made(tmp_path, kind)
    if kind is Weighed:
        outputs = {"logits": outputs["logits"] * 8}  # as sure as the others
    model, decoder = served(bench, fitted, rows, outputs)
    found = calibration_of(decoder)
    assert model is fitted
    assert reason in found.reason
    assert (found.method, found.folded, found.temperature, found.ece_after) == (None, False, None, None)
    assert found.ece_before > 0.05
    assert in_words(decoder) is None
    assert [reason in text for text in warnings(bench)] == [True] * warned


def test_few_rows_leave_the_model_alone(tmp_path):
    bench, _, fitted, (rows, outputs) = made(tmp_path, rows=160)
    model, decoder = served(bench, fitted, rows, outputs)
    assert model is fitted
    assert "40 rows tell too little" in calibration_of(decoder).reason


def test_a_task_without_such_probabilities_is_left_alone(tmp_path):
    bench, _, fitted, (rows, outputs) = made(tmp_path)
    task: Any = SimpleNamespace(fit_decoder=lambda problem, outputs, targets: Decoder({"function": "none"}))
    other = replace(bench, understood=replace(bench.understood, task=task))
    model, decoder = served(other, fitted, rows, outputs)
    assert model is fitted
    assert decoder == Decoder({"function": "none"})
    assert calibration_of(decoder) is None


def test_a_mean_of_weights_is_calibrated_by_its_own_answers(tmp_path):
    bench = bench_of(tmp_path, Surely(), 1600, noise=1.0)
    rows = [trial(bench, a=1.0, b=0.1), trial(bench, a=0.1, b=1.0)]
    soup = average_best(bench, max(rows, key=lambda row: row.value), clock_of(bench))
    found = calibration_of(soup.decoder)
    assert found.folded
    assert soup.fitted.gain == pytest.approx(8.0 / found.temperature)
    assert soup.fitted.weights == pytest.approx([0.55, 0.55])
