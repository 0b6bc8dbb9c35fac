"""Ranking of sources before they are tuned: which are, in what order, and from how many rows."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.console import Screen
from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.events import EVENTS, Remark, SourcesRanked, StageStarted, TrialFinished
from autoft.interfaces.model import Candidate, Evidence, FitData, Limits
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.source import Source
from autoft.journal import Journal
from autoft.progress import ranking_line
from autoft.steps.choose import Choice
from autoft.steps.ranking import FEWEST_ROWS, MOST_ROWS, PATIENCE, SHARE, STARTING, looked_back, rank_sources

SCORES = {"poor": 0.1, "good": 0.9, "fair": 0.5, "worse": 0.05}
LIMITS = Limits(memory=1 << 30, threads=2, gpus=0, seconds=None, flops=1e9)


class Ranking:
    """A model whose sources score as `scores` says; an error there is raised."""

    name, summary = "ranking", ""

    def __init__(self, scores=SCORES, measure="H-score"):
        self.scores, self.measure, self.asked = scores, measure, []

    def evidence(self, candidate, data, *, threads, gpus, stop):
        self.asked.append((candidate.name, data))
        if stop():
            raise TrialError("stopped before the features were computed")
        score = self.scores[candidate.source.name]
        if isinstance(score, Exception):
            raise score
        return None if score is None else Evidence(self.measure, score)


class Silent:
    """A model that cannot tell."""

    name, summary = "silent", ""


@pytest.fixture
def data(tmp_path: Path) -> FitData:
    problem = Problem(
        task="toy",
        fields={"text": ("text",)},
        inputs=("text",),
        labels=("a", "b"),
        head=Head(kind="single_label_classification", outputs=2),
        metric=Metric(name="accuracy"),
    )
    rows = 5_000
    return FitData(problem, Table({"text": ["x"] * rows}), np.zeros(rows, np.int64), np.arange(4_000), np.arange(4_000, rows), tmp_path)


@pytest.fixture
def journal(data: FitData, tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "run", data.problem.metric, [])
    made.start({})
    yield made
    made.close()


def candidates(*names: str, forward: float = 1.0) -> tuple[Candidate, ...]:
    """`full:good`, or `linear` without a source."""
    found = []
    for name in names:
        model, _, source = name.partition(":")
        found.append(Candidate(model, Source(source, Path("/x"), source) if source else None, forward=forward if source else 0.0))
    return tuple(found)


def catalog(**models) -> Catalog:
    known = {"full": Ranking(), "frozen": Ranking(), "linear": Silent(), "silent": Silent()} | models
    return Catalog(models=known, tasks={}, readers={}, encoders={}, exporters={}, tuners={}, trackers={}, sources={})


def events(journal: Journal) -> list:
    path = journal.folder / "events.jsonl"
    return [EVENTS.validate_json(line) for line in path.read_text().splitlines()] if path.exists() else []


def rank(choice: Choice, data: FitData, journal: Journal, known: Catalog | None = None, deadline: float | None = None):
    return rank_sources(choice, known or catalog(), data, LIMITS, deadline, journal)


def choice_of(*names: str, named: bool = False, forward: float = 1.0) -> Choice:
    tried = candidates(*names, forward=forward)
    return Choice(tried, (), frozenset(c.name for c in tried) if named else frozenset())


FOUR = ("frozen:poor", "frozen:good", "frozen:fair", "linear", "full:poor", "full:good", "full:fair", "full:worse")


def test_the_best_two_sources_are_tuned_the_best_first(data, journal):
    choice, ranking = rank(choice_of(*FOUR), data, journal)
    assert [c.name for c in choice.tried] == ["linear", "frozen:good", "full:good", "frozen:fair", "full:fair"]
    assert [(c.name, c.reason) for c in choice.passed_over] == [
        ("frozen:poor", "ranked 3rd of 4: H-score 0.1000, the first has 0.9000"),
        ("full:poor", "ranked 3rd of 4: H-score 0.1000, the first has 0.9000"),
        ("full:worse", "ranked 4th of 4: H-score 0.0500, the first has 0.9000"),
    ]
    assert not any(c.proposed for c in choice.passed_over)
    assert [(one.source, one.tuned) for one in ranking.ranking] == [("good", True), ("fair", True), ("poor", False), ("worse", False)]
    told = events(journal)
    assert [event.stage for event in told if isinstance(event, StageStarted)] == ["ranking"]
    assert [event for event in told if isinstance(event, SourcesRanked)] == [ranking]
    said = [event.text for event in told if isinstance(event, Remark)]
    assert said == [f"passed over: {c.name}: {c.reason}" for c in choice.passed_over]
    line = ranking_line(ranking)
    assert line == f"ranked by H-score on {MOST_ROWS} rows: good 0.9000, fair 0.5000 | not tuned: poor 0.1000, worse 0.0500"


@pytest.mark.parametrize("live", [False, True])
def test_the_screen_shows_it(live, data, journal):
    _, ranking = rank(choice_of(*FOUR), data, journal)
    stream = io.StringIO()
    with Screen(stream=stream, width=200, live=live) as screen:
        screen.event(ranking)
    assert ranking_line(ranking) in stream.getvalue()


def test_what_the_user_named_is_tried_in_the_order_of_the_ranking(data, journal):
    choice, ranking = rank(choice_of(*FOUR, named=True), data, journal)
    assert [c.name for c in choice.tried][-3:] == ["frozen:poor", "full:poor", "full:worse"]
    assert choice.passed_over == ()
    assert all(one.tuned for one in ranking.ranking)


def test_a_source_is_asked_about_once(data, journal):
    model = Ranking()
    rank(choice_of(*FOUR), data, journal, catalog(full=model, frozen=model))
    assert sorted(name.partition(":")[2] for name, _ in model.asked) == sorted(SCORES)


@pytest.mark.parametrize("names", [("linear", "full:good"), ("frozen:good", "full:good"), ("silent:good", "silent:poor", "full:fair")])
def test_with_one_source_to_compare_there_is_no_ranking(names, data, journal):
    choice = choice_of(*names)
    assert rank(choice, data, journal) == (choice, None)
    assert not events(journal)


def test_without_a_clock_the_rows_are_as_many_as_ever_and_those_of_the_seed(data, journal):
    model = Ranking()
    rank(choice_of("full:good", "full:poor", forward=1e12), data, journal, catalog(full=model))
    (_, one), (_, other) = model.asked
    assert len(one.train) == MOST_ROWS
    assert np.array_equal(one.train, other.train)
    assert np.isin(one.train, data.train).all()
    assert not len(one.validation)
    again = replace(data, problem=data.problem.model_copy(update={"seed": 1}))
    rank(choice_of("full:good", "full:poor"), again, journal, catalog(full=model))
    assert not np.array_equal(model.asked[-1][1].train, one.train)


@pytest.mark.parametrize(
    ("share", "rows"), [(10 * MOST_ROWS, MOST_ROWS), (1_000, 1_000), (FEWEST_ROWS / 2, FEWEST_ROWS), (0.9 * FEWEST_ROWS / PATIENCE, 0)]
)
def test_the_rows_are_those_that_a_small_share_of_the_time_carries(share, rows, data, journal, monkeypatch):
    """Of two sources, a row costs 2 s in all."""
    monkeypatch.setattr(time, "time", lambda: 1e9)
    model, deadline = Ranking(), 1e9 + 2 * share / SHARE
    choice = choice_of("full:good", "full:poor", forward=LIMITS.flops)
    _, ranking = rank(choice, data, journal, catalog(full=model), deadline)
    assert [len(asked.train) for _, asked in model.asked] == ([rows] * 2 if rows else [])
    assert (ranking is None) == (rows == 0)
    if not rows:
        assert "budget is too small" in events(journal)[-1].text


def test_a_source_whose_evidence_takes_too_long_is_tried_all_the_same(data, journal, monkeypatch):
    now = [1e9]
    monkeypatch.setattr(time, "time", lambda: now[0])

    class Slow(Ranking):
        def evidence(self, candidate, data, *, threads, gpus, stop):
            found = super().evidence(candidate, data, threads=threads, gpus=gpus, stop=stop)
            if len(self.asked) == 2:
                now[0] += STARTING + PATIENCE * SHARE * 1_000 + 1
            return found

    choice, ranking = rank(choice_of("full:poor", "full:good", "full:fair"), data, journal, catalog(full=Slow()), 1e9 + 1_000)
    assert [(one.source, one.score) for one in ranking.ranking] == [("good", 0.9), ("poor", 0.1), ("fair", None)]
    assert [c.name for c in choice.tried] == ["full:good", "full:poor", "full:fair"]
    assert any("fair has no place in the ranking" in event.text for event in events(journal) if isinstance(event, Remark))


@pytest.mark.parametrize("trouble", [TrialError("no such file"), ZeroDivisionError("oh"), None])
def test_what_goes_wrong_with_a_source_costs_it_its_place_only(trouble, data, journal):
    model = Ranking(SCORES | {"poor": trouble})
    choice, ranking = rank(choice_of(*FOUR), data, journal, catalog(full=model, frozen=model))
    assert [one.source for one in ranking.ranking] == ["good", "fair", "worse", "poor"]
    assert {c.name for c in choice.tried} >= {"frozen:poor", "full:poor"}
    assert [c.name for c in choice.passed_over] == ["full:worse"]
    warnings = [event.text for event in events(journal) if isinstance(event, Remark) and event.level == "warning"]
    assert len(warnings) == (0 if trouble is None else 1)
    assert all("poor has no place in the ranking" in text for text in warnings)


def test_scores_that_cannot_be_compared_rank_nothing(data, journal):
    choice = choice_of("full:good", "frozen:poor")
    known = catalog(full=Ranking(measure="one"), frozen=Ranking(measure="another"))
    assert rank(choice, data, journal, known) == (choice, None)


def test_a_run_that_goes_on_keeps_its_ranking(data, journal, tmp_path):
    from autoft.history import History

    first, ranking = rank(choice_of(*FOUR), data, journal)
    journal.past = History(journal.folder, {}, tuple(events(journal)))
    model = Ranking({"good": 0.0, "poor": 1.0, "fair": 0.0, "worse": 1.0})
    assert rank(choice_of(*FOUR), data, journal, catalog(full=model, frozen=model)) == (first, ranking)
    assert not model.asked


def test_later_it_is_held_against_what_the_trials_came_to(data, journal):
    choice, ranking = rank(choice_of(*FOUR), data, journal)
    common = {"status": "done", "progress": 100, "metrics": {}, "seconds": 1.0, "hyperparameters": {}}
    rows = [
        TrialFinished(trial=3, candidate="full:fair", value=0.8, **common),
        TrialFinished(trial=2, candidate="full:good", value=0.7, **common),
        TrialFinished(trial=4, candidate="frozen:good", value=0.6, **common),
        TrialFinished(trial=1, candidate="linear", value=0.5, **common),
    ]
    found = looked_back(ranking, {c.name: c for c in choice.tried}, rows)
    assert [(one["source"], one["best_value_later"]) for one in found] == [("good", 0.7), ("fair", 0.8), ("poor", None), ("worse", None)]
    assert {one["measure"] for one in found} == {"H-score"}
    assert looked_back(None, {}, rows) == []
