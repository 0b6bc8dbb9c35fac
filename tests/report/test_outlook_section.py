"""report.html: whether more would help, the runner-up, a mean of weights."""

from __future__ import annotations

import copy

import pytest

from autoft.report.outlook import outlook
from autoft.report.page import report_html, write_report
from report_page import Page
from stream_of_events import RESULT, events

GAIN = {"value": 0.031, "low": 0.012, "high": 0.052}


def size(rows, value):
    return {"rows": rows, "figure": {"value": value, "low": value - 0.02, "high": value + 0.02}}


OUTLOOK = {
    "time": {
        "helps": "yes",
        "gain": GAIN,
        "course": [{"seconds": 4.0, "trial": 1, "value": 0.8}, {"seconds": 60.0, "trial": 3, "value": 0.91}],
        "seconds": 120.0,
        "untried": ["full:<b>"],
    },
    "rows": {
        "helps": "no", "candidate": "frozen:MiniLM", "sizes": [size(100, 0.7), size(200, 0.75), size(400, 0.78)],
        "twice": size(800, 0.8), "gain": GAIN,
    },
}  # fmt: skip


@pytest.fixture
def result():
    return {**copy.deepcopy(RESULT), "outlook": copy.deepcopy(OUTLOOK)}


def test_the_section(result, tmp_path):
    stream = events(tmp_path)
    (tmp_path / "events.jsonl").write_text("\n".join(event.model_dump_json() for event in stream), encoding="utf-8")
    page = Page(write_report(tmp_path, result, []).read_text(encoding="utf-8"))
    assert page.open == []
    assert page.fetched == []
    for said in (
        "Would more help?",
        "More time may help: the second half of the search added 0.031 (0.012 to 0.052) on the validation rows.",
        "There was no time to try full:<b>.",
        "The best f1_macro so far",
        "trial 3: f1_macro 0.9100",
        "More rows would hardly help: with twice as many frozen:MiniLM, measured in its place, would gain about 0.031",
        "800 rows: f1_macro 0.800 (0.780 to 0.820), not measured",
        "400 rows: f1_macro 0.780 (0.760 to 0.800)",
    ):
        assert said in page.text, said
    assert str(outlook(result)).count("<svg") == 2


def test_the_course_is_a_line_of_steps(result):
    drawn = str(outlook(result))
    path = drawn.split('d="')[1].split('"')[0].split(" ")
    xs, ys = [float(text.lstrip("ML")) for text in path[::2]], [float(text) for text in path[1::2]]
    assert xs == sorted(xs)
    assert len(path) == 8  # a point, a step of two points, the end
    assert ys[0] == ys[1] > ys[2] == ys[3]
    assert xs[1] == xs[2]
    assert (xs[1] - 46) / (xs[3] - 46) == pytest.approx(0.5, abs=0.01)


def test_what_is_not_known_is_not_drawn(result):
    result["outlook"]["rows"] = None
    assert str(outlook(result)).count("<svg") == 1
    result["outlook"]["time"] |= {"gain": None, "untried": []}
    assert "Too few trials ended to tell" in str(outlook(result))
    result["outlook"]["time"]["course"] = []
    assert outlook(result) is None
    assert outlook(RESULT) is None
    assert outlook({**RESULT, "outlook": None}) is None


def test_one_trial_alone_and_a_figure_that_never_moved(result):
    result["outlook"]["time"] |= {
        "course": [{"seconds": 0.0, "trial": 1, "value": 0.5}],
        "seconds": 0.0,
        "helps": "no",
        "gain": {"value": 0.0, "low": 0.0, "high": 0.0},
    }
    assert "its second half found nothing better" in str(outlook(result))


def test_the_runner_up_stands_beside_the_baseline(result, tmp_path):
    interval = {name: {"value": 0.88, "low": 0.83, "high": 0.92} for name in ("winner", "runner_up", "lead")}
    result["runner_up"] = {"candidate": "frozen:b", "trial": 2, "validation": {}, "rows": "test", "interval": interval}
    page = Page(report_html(result, [], _nothing()))
    assert "Against the baseline and the runner-up" in page.text
    assert "frozen:b (runner-up, as the search left it) 0.880 (0.830 to 0.920)" in page.text
    result["runner_up"]["rows"] = "validation"
    assert "frozen:b" not in Page(report_html(result, [], _nothing())).text


def test_a_mean_of_weights_is_told(result):
    assert "the mean of those of trials" not in Page(report_html(result, [], _nothing())).text
    result["best"]["averaged"] = [3, 2]
    assert "weights the mean of those of trials 3, 2" in Page(report_html(result, [], _nothing())).text


def _nothing():
    from autoft.report import ReportData

    return ReportData(curves=(), stages=(), notes=())
