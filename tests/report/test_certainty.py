"""Whether the model is as sure as it should be, in the report and on the model card."""

from __future__ import annotations

import re

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.result import Calibration, Result
from autoft.interfaces.task import Decoder
from autoft.report import Outcome, ReportData, findings, write_report
from autoft.report.certainty import calibration_in_words, calibration_of
from autoft.report.data import Certainty, Kept
from report_page import Page
from stream_of_events import RESULT

FOLDED = Calibration(
    method="temperature",
    temperature=2.0,
    folded=True,
    rows=1200,
    ece_before=0.0812,
    ece_after=0.0349,
    log_loss_before=0.6,
    log_loss_after=0.5,
)


def problem(kind: str = "single_label_classification") -> Problem:
    return Problem(
        task="any", fields={}, inputs=("text",), labels=("a", "b"), head=Head(kind=kind, outputs=2), metric=Metric(name="f1_macro")
    )  # fmt: skip


def test_what_was_folded_is_told_with_both_figures():
    said = calibration_in_words(FOLDED)
    assert "off by 8.1 points on average, after it, on rows that were held out, by 3.5." in said
    assert "1,200 validation rows (one factor, the temperature)" in said
    assert "a scale and a shift a label" in calibration_in_words(FOLDED.model_copy(update={"method": "platt", "temperature": None}))


def test_what_was_left_alone_is_told_with_the_reason():
    left = Calibration(rows=40, ece_before=0.1, reason="40 rows tell too little: at least 50 are needed")
    assert calibration_in_words(left) == (
        "On 40 validation rows the probabilities are off by 10.0 points on average. They were left as they are: "
        "40 rows tell too little: at least 50 are needed."
    )
    none = Calibration(rows=0, reason="there are no rows to judge it by")
    assert "was not measured: there are no rows" in calibration_in_words(none)


@pytest.mark.parametrize("result", [{}, {"calibration": None}, {"calibration": 3}, {"calibration": {"rows": "many"}}])
def test_a_result_that_does_not_tell(result):
    assert calibration_of(result) is None


def test_a_finished_run_may_tell_it():
    used = {"busy_core_seconds": 1, "core_seconds": 2, "share": 0.5}
    whole = {**RESULT, "utilisation": used, "verified": {**RESULT["verified"], "of_rows": 100}}
    assert Result.model_validate(whole).calibration is None
    assert Result.model_validate({**whole, "calibration": FOLDED.model_dump()}).calibration == FOLDED


def test_classes_by_how_likely_they_were_said_to_be():
    answers = [{"label": "a", "score": 0.95}] * 4 + [{"label": "b", "score": 0.55}] * 2
    targets = [0, 0, 0, 1, 1, 0]
    rows = Table({"text": ["a text"] * 6})
    found = findings(Outcome(None, problem(), Decoder(), rows, np.array(targets), np.array([0] * 4 + [1] * 2), answers))
    assert [(one.rows, round(one.said, 6), one.right) for one in found["certainties"]] == [(2, 0.55, 0.5), (4, 0.95, 0.75)]
    kept = {one.threshold: (round(one.share, 6), one.right) for one in found["kept"]}
    assert kept[0.5] == (1.0, pytest.approx(4 / 6))
    assert kept[0.6] == kept[0.95] == (round(4 / 6, 6), 0.75)
    for odd in ({"score": 3.5}, {"score": -0.1}, {"score": float("nan")}):  # of a plugin's task
        given = [{"label": "a", **odd}] * 6
        unsure = findings(Outcome(None, problem(), Decoder(), rows, np.array(targets), np.array([0] * 6), given))
        assert (unsure["certainties"], unsure["kept"]) == ((), ())


def test_labels_by_all_their_probabilities():
    answers = [{"labels": ["a"], "scores": {"a": 0.9, "b": 0.1}}, {"labels": ["a"], "scores": {"a": 0.9, "b": 0.1}}]
    outcome = Outcome(None, problem("multi_label_classification"), Decoder(), Table({"text": ["x", "y"]}), np.array([[1, 0], [0, 0]]),
                      np.array([[1, 0], [1, 0]]), answers)  # fmt: skip
    found = findings(outcome)
    assert found["certainties"] == (Certainty(rows=2, said=0.1, right=0.0), Certainty(rows=2, said=0.9, right=0.5))
    assert "kept" not in found


def test_the_section(tmp_path):
    certainties = (Certainty(rows=10, said=0.55, right=0.5), Certainty(rows=30, said=0.95, right=0.8))
    data = ReportData(
        kind="classes",
        certainties=certainties,
        kept=(Kept(threshold=0.9, share=0.75, right=0.8), Kept(threshold=0.95, share=0, right=None)),
    )
    html = write_report(tmp_path, {**RESULT, "calibration": FOLDED.model_dump()}, [], data).read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    assert "On the test rows its probabilities are off by 12.5 points on average. Before calibration" in page.text
    assert "answers from answered right of these 90% 75.0% 80.0% 95% 0.0% -" in page.text
    spots = re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)" class="spot"', html)
    (few, many) = [tuple(map(float, spot)) for spot in spots]
    assert few[0] < many[0]
    assert few[1] > many[1]  # upwards is less
    assert few[2] < many[2]
    assert "how likely the model says it is 0.95, how often it is so 0.8 (30)" in html
    assert "Before calibration" not in Page(write_report(tmp_path, RESULT, [], data).read_text(encoding="utf-8")).text
    assert "Is it as sure" not in Page(write_report(tmp_path, RESULT, [], ReportData()).read_text(encoding="utf-8")).text
