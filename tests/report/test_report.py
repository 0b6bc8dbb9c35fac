"""report.html: whole, offline, and safe with hostile texts."""

from __future__ import annotations

import re

import pytest

from autoft.interfaces.events import TrialFinished, TrialReported
from autoft.report import Confusion, Marked, Mistake, ProofTable, ReportData, Span, Tally, write_report
from autoft.report.charts import nice_ticks
from report_page import Page
from stream_of_events import RESULT, events, finished

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\ud800"


@pytest.fixture
def folder(tmp_path):
    stream = events(tmp_path)
    (tmp_path / "events.jsonl").write_text("\n".join(event.model_dump_json() for event in stream), encoding="utf-8")
    for trial, last in ((2, 0.7), (3, 0.91)):
        (tmp_path / "trials" / str(trial)).mkdir(parents=True)
        lines = [
            TrialReported(
                trial=trial, progress=p, metrics={"f1_macro": last * p / 100}, measures={"train_loss": 1 - p / 200}
            ).model_dump_json()
            for p in (33, 66, 100)
        ]
        (tmp_path / "trials" / str(trial) / "curve.jsonl").write_text("\n".join([*lines, '{"half']), encoding="utf-8")
    return tmp_path


def board(folder) -> list[TrialFinished]:
    rows = [event for event in events(folder) if isinstance(event, TrialFinished)]
    return sorted(rows, key=lambda row: -(row.value or 0))


def full() -> ReportData:
    labels, truths = ("negative", "positive"), ["negative"] * 6 + ["positive"] * 4
    return ReportData(
        data="reviews.csv",
        classes={"negative": 300, "positive": 300},
        confusion=Confusion.of(labels, truths, ["negative"] * 5 + ["positive"] * 5),
        mistakes=(Mistake(input="the surest mistake", truth="negative", answer="positive", score=0.97),),
        proof=ProofTable.model_validate(
            {
                "passed": True,
                "max_difference": 6e-7,
                "rows": 100,
                "changed_labels": 0,
                "tolerance": 1e-4,
                "combinations": [{"batch": 7, "length": 31, "padding": 16, "difference": 3e-7}],
            }
        ),
    )


def test_the_whole_report(folder):
    page = Page(write_report(folder, RESULT, board(folder), full()).read_text(encoding="utf-8"))
    assert page.open == []
    assert page.fetched == []
    assert "script" not in page.tags
    for said in (
        "more than chance explains",
        "0.900 (0.850 to 0.940)",
        "+0.110 ahead of the baseline (+0.050 to +0.170)",
        "full:all-mpnet-base-v2 winner",
        "trial 3: lr 1.2e-4, batch 16, epochs 3, warmup 0.1, decay 0.01",
        "stopped 33% stopped by the scheduler",
        "TrialError: out of memory",
        "f1_macro on the validation rows",
        "loss on the training rows",
        "9 of 10 are right",
        "the surest mistake answered positive , 97 % sure; the file says negative",
        "0 changed answers on 100 rows; largest difference 6.0e-07, 0.0001 allowed.",
        "7 31 16 3.0e-07",
        "negative 300 (50 %), positive 300 (50 %)",
        "text: review, label: stars",
        "text is read from review",
        "export and proof",
    ):
        assert said in page.text, said


def test_the_curves_are_drawn_from_the_trials_files(folder):
    html = write_report(folder, RESULT, board(folder)).read_text(encoding="utf-8")
    assert html.count('class="curve s0 strong"') == 2 * 4  # two panels: a path and three points of the winner
    assert html.count("<svg") == 2
    xs = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', html)]
    assert min(xs) > 46
    assert max(xs) <= 446


def test_hostile_texts_are_texts(folder):
    point = {HOSTILE: HOSTILE}
    rows = [finished(1, HOSTILE, 0.5, hyperparameters=point, reason=HOSTILE)]
    data = ReportData.model_construct(
        **{
            **dict(ReportData()),
            "title": HOSTILE,
            "data": HOSTILE,
            "classes": {HOSTILE: 1},
            "confusion": Confusion.model_construct(labels=(HOSTILE, "b"), matrix=((1, 1), (0, 0))),
            "mistakes": (Mistake.model_construct(input=(HOSTILE, HOSTILE), truth="b", answer=HOSTILE, score=0.9),),
            "tallies": (Tally.model_construct(name=HOSTILE, rows=1, answered=1, right=0),),
            "marked": (Marked.model_construct(text=HOSTILE, spans=(Span.model_construct(start=2, end=9, name=HOSTILE, state="missed"),)),),
            "notes": (HOSTILE,),
        }
    )
    hostile = {
        **RESULT,
        "verdict": HOSTILE,
        "run_id": HOSTILE,
        "task": HOSTILE,
        "metric": HOSTILE,
        "columns": {HOSTILE: HOSTILE},
        "bundle": HOSTILE,
    }
    page = Page(write_report(folder, hostile, rows, data).read_text(encoding="utf-8"))
    assert page.open == []
    assert page.fetched == []
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.text.count("<script>alert(1)</script>") >= 10


def test_a_result_with_nothing_in_it_still_opens(tmp_path):
    page = Page(write_report(tmp_path, {}, []).read_text(encoding="utf-8"))
    assert page.open == []
    assert "There is no verdict" in page.text
    odd = {
        "best": 3,
        "interval": {"winner": {"value": float("nan"), "low": 0, "high": 1}},
        "columns": 4,
        "rows": [],
        "confirmed": None,
        "seconds": "x",
    }
    Page(write_report(tmp_path, odd, [finished(1, "a", float("nan"))]).read_text(encoding="utf-8"))


def test_many_classes_become_a_map_and_a_list_of_the_confused(tmp_path):
    labels = [f"intent {k}" for k in range(77)]
    truths = labels * 3
    answers = [*labels, *labels, *["intent 5"] * 77]
    data = ReportData(confusion=Confusion.of(labels, truths, answers))
    page = Page(write_report(tmp_path, RESULT, [], data).read_text(encoding="utf-8"))
    assert "155 of 231 are right" in page.text
    assert page.tags.count("rect") == 1 + 77 + 76
    assert "77 classes, the weakest first" in page.text


def test_hundreds_of_trials_are_folded(tmp_path):
    rows = [finished(k, f"model-{k % 12}", 0.9 - k / 1000, at=k) for k in range(1, 301)]
    page = Page(write_report(tmp_path, {**RESULT, "trials": 300}, rows).read_text(encoding="utf-8"))
    assert "275 more trials" in page.text
    assert page.text.count("trial 300:") == 1


def test_unknown_labels_are_refused():
    with pytest.raises(KeyError):
        Confusion.of(["a"], ["a"], ["b"])


def test_labels_are_tallied(tmp_path):
    tallies = (
        Tally(name="drama", rows=8, answered=5, right=4, threshold=0.31),
        Tally(name="comedy", rows=0, answered=0, right=0, threshold=0.5),
    )
    data = ReportData(kind="labels", tallies=tallies, classes={"drama": 80, "comedy": 2})
    page = Page(write_report(tmp_path, RESULT, [], data).read_text(encoding="utf-8"))
    assert "labels drama 80, comedy 2 winner" in page.text
    assert "label rows recall precision F1 threshold drama 8 0.500 0.800 0.615 0.310 comedy 0 - - 0.000 0.500" in page.text


def test_numbers_are_drawn_against_the_truth(tmp_path):
    errors = (Mistake(input=("a man sleeps", "someone is asleep"), truth="4.9", answer="1.2"),)
    data = ReportData(kind="score", points=((1.0, 1.5), (4.9, 1.2), (3.0, 3.0)), mistakes=errors)
    html = write_report(tmp_path, RESULT, [], data).read_text(encoding="utf-8")
    page = Page(html)
    assert page.tags.count("circle") == 3
    assert "The largest errors" in page.text
    assert "a man sleeps someone is asleep answered 1.2 ; the file says 4.9" in page.text
    spots = [tuple(map(float, pair)) for pair in re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="3"', html)]
    assert spots[0][0] < spots[2][0] < spots[1][0]
    assert spots[2][1] < spots[0][1] < spots[1][1]  # upwards is less


def test_entities_are_marked(tmp_path):
    spans = (
        Span(start=0, end=8, name="PER", state="right"),
        Span(start=14, end=19, name="LOC", state="missed"),
        Span(start=14, end=24, name="ORG", state="invented"),
    )
    data = ReportData(
        kind="entities",
        tallies=(Tally(name="PER", rows=1, answered=1, right=1),),
        marked=(Marked(text="Ada Byron met Paris Saint", spans=spans), Marked(text="nothing", spans=())),
    )
    html = write_report(tmp_path, RESULT, [], data).read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    assert '<mark class="right">Ada Byro</mark>' in html
    assert '<mark class="invented missed">Paris</mark><small class="missed"> LOC missed</small><mark class="invented"> Sain</mark>' in html
    assert "kind in the file recall precision F1 PER 1 1.000 1.000 1.000" in page.text


def test_texts_stand_below_each_other(tmp_path):
    data = ReportData(kind="text", mistakes=(Mistake(input="long " * 400, truth="a target", answer="an answer"),))
    page = Page(write_report(tmp_path, RESULT, [], data).read_text(encoding="utf-8"))
    assert "long … answered an answer the file says a target" in page.text
    assert len(page.text) < 3000


@pytest.mark.parametrize(("low", "high"), [(0.61, 0.93), (0, 0), (0.5, 0.5), (-3, 1200), (1e-7, 3e-7), (0.9, 0.9000001)])
def test_ticks_enclose_the_values(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))


def test_times_are_placed_on_one_axis(folder):
    rows = [finished(1, "a", 0.5, at=10, seconds=10.0), finished(2, "b", 0.6, at=20, seconds=10.0)]
    html = write_report(folder, RESULT, rows, ReportData(stages=())).read_text(encoding="utf-8")
    assert 'style="left:0.00%;width:50.00%"' in html
    assert 'style="left:50.00%;width:50.00%"' in html


def test_the_leaderboard_tells_how_much_of_the_peak_each_trial_used(folder):
    def write(trial, *points):
        lines = [
            TrialReported(trial=trial, progress=progress, metrics={}, measures={} if share is None else {"utilisation": share})
            for progress, share in points
        ]
        (folder / "trials" / str(trial) / "curve.jsonl").write_text("\n".join(line.model_dump_json() for line in lines))

    html = write_report(folder, RESULT, board(folder), full()).read_text(encoding="utf-8")
    assert "of peak" not in Page(html).text
    write(2, (50, 0.5), (100, None))
    write(3, (20, 0.1), (80, 0.3), (100, 0.2))  # 2 + 2 + 1 units of time for 100 percent
    page = Page(write_report(folder, RESULT, board(folder), full()).read_text(encoding="utf-8"))
    assert "f1_macro of peak time" in page.text
    assert page.words.count("20%") == 1
    assert not [word for word in page.words if word.endswith("%") and word not in ("20%", "stopped 33%")]
