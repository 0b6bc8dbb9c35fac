"""A smaller model learns from the winner: its lesson, its place, and when nothing comes of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from autoft.errors import TrialError
from autoft.hardware import limits
from autoft.interfaces.events import EVENTS, Remark, StageStarted
from autoft.interfaces.model import Candidate
from autoft.interfaces.source import Source
from autoft.interfaces.space import Choice, Space, Uniform
from autoft.steps.bundle import Chosen
from autoft.steps.confirm import Confirmation
from autoft.steps.distill import distil
from autoft.steps.export import _best_of_each
from autoft.steps.pupils import Pupils
from benches import Toy, Weighed, bench_of, clock_of, trial

LARGE, SMALL = Source("large", None, "l" * 64, parameters=9), Source("small", None, "s" * 64, parameters=1)
TEACHER, STUDENT = Candidate("toy", LARGE, forward=9.0), Candidate("toy", SMALL, forward=1.0)


class Pupil(Toy):
    """Learns its weights from the teacher's logits, by least squares; `points` trials."""

    points = 2

    def space(self, candidate, problem, rows):
        points = [{"share": 0.5 + 0.1 * number} for number in range(self.points)]
        return Space({"share": Uniform(0, 1)}, points[0], tuple(points[1:]))

    def students(self, problem, sources, limits, rows):
        return [Candidate("toy", source, forward=1.0) for source in sources]

    def shortened(self, model, source, layers, folder):
        if layers > 5:
            raise TrialError("it has 5 layers")
        folder.mkdir(parents=True)
        (folder / "of.txt").write_text(str(model))
        return Source(f"{source.name}-layers-{layers}", folder, "z" * 64)

    def fit(self, spec, data, report):
        if "share" not in spec.hyperparameters:
            return super().fit(spec, data, report)
        self.fits.append(data)
        numbers = np.array([list(row) for row in data.rows.take(data.train)["numbers"]])
        fitted = Weighed(np.linalg.lstsq(numbers, data.teacher[data.train, 1], rcond=None)[0])
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
        return fitted


def bench_with(tmp_path, model=None, **settings):
    bench = bench_of(tmp_path, model or Pupil(), **settings)
    return replace(bench, candidates={TEACHER.name: TEACHER})


def pupils(**changes) -> Pupils:
    return replace(Pupils("toy", limits(None), (STUDENT,)), **changes)


def events(bench):
    return list(map(EVENTS.validate_json, (bench.journal.folder / "events.jsonl").read_text().splitlines()))


def said(bench) -> str:
    return " ".join(event.text for event in events(bench) if isinstance(event, Remark))


def test_the_student_is_a_trial_as_any_other(tmp_path):
    bench = bench_with(tmp_path)
    winner, other = trial(bench, TEACHER.name, a=1.0, b=0.9), trial(bench, TEACHER.name, a=0.1, b=1.0)
    bench, taught = distil(bench, pupils(), winner, None, clock_of(bench))
    model = bench.catalog.model("toy")
    board = {row.trial: row for row in bench.journal.leaderboard}
    assert set(board) == {1, 2, 3, 4}
    row = taught.chosen.row
    assert (row.candidate, row.stage, row.status) == ("toy:small", "distillation", "done")
    assert row.value == board[row.trial].value
    assert bench.candidates["toy:small"] == STUDENT
    assert taught.teacher is winner
    assert (bench.journal.trial_folder(row.trial) / "validation.npz").exists()
    assert "toy:small learned from toy:large" in said(bench)
    assert [event.stage for event in events(bench) if isinstance(event, StageStarted)] == ["distillation"]
    # Weights of both that may be served are there, and of the better one of the two others.
    assert bench.kept(row)
    assert bench.kept(winner)
    assert bench.kept(other)
    # It learned from what the winner answers, and the refit from all rows but those of the test part.
    lesson, numbers = model.fits[2].teacher, np.array([list(row) for row in bench.data.rows["numbers"]])
    np.testing.assert_allclose(
        lesson[bench.data.train], Weighed([1.0, 0.9]).outputs(bench.data.rows.take(bench.data.train))["logits"], rtol=1e-5
    )
    assert np.isnan(lesson[bench.understood.splits.test]).all()
    assert lesson.shape == (len(numbers), 2)
    assert taught.chosen.refitted
    assert set(model.fits[-1].train) == set(bench.understood.learnable)
    assert taught.chosen.fitted.weights == pytest.approx([1.0, 0.9], rel=1e-4)


def test_the_refit_learns_from_the_winners_refit(tmp_path):
    bench = bench_with(tmp_path)
    winner = trial(bench, TEACHER.name, a=1.0, b=0.9)
    final = Chosen(winner, Weighed([5.0, 4.0]), refitted=True)
    bench, taught = distil(bench, pupils(), winner, final, clock_of(bench))
    assert bench.load(taught.chosen.row).weights == pytest.approx([1.0, 0.9], rel=1e-4)
    assert taught.chosen.fitted.weights == pytest.approx([5.0, 4.0], rel=1e-4)


def test_after_cross_validation_rows_are_answered_by_what_had_not_learned_from_them(tmp_path):
    bench = bench_with(tmp_path, folds=True, noise=0.5)
    winner = trial(bench, TEACHER.name, learns=True)
    bench, taught = distil(bench, pupils(), winner, None, clock_of(bench))
    lesson = next(data.teacher for data in bench.catalog.model("toy").fits if data.teacher is not None)
    with np.load(bench.journal.trial_folder(winner.trial) / "validation.npz") as stored:
        np.testing.assert_allclose(lesson[stored["rows"]], stored["logits"], rtol=1e-5)
        everything = bench.load(winner).outputs(bench.data.rows.take(stored["rows"]))["logits"]
        assert np.abs(everything - stored["logits"]).max() > 1e-6
    assert taught.chosen.refitted


def test_layers_of_the_winner_or_after_cross_validation_of_its_source(tmp_path):
    for folds in (False, True):
        large = replace(LARGE, folder=tmp_path / "source")
        bench = bench_of(tmp_path / str(folds), Pupil(), folds=folds)
        bench = replace(bench, candidates={TEACHER.name: replace(TEACHER, source=large)})
        winner = trial(bench, TEACHER.name, a=1.0, b=0.9)
        bench, taught = distil(bench, pupils(candidates=(), layers=3), winner, None, clock_of(bench))
        assert taught.chosen.row.candidate == "toy:large-layers-3"
        whole = (bench.journal.folder / "cache" / "student" / "of.txt").read_text()
        assert whole == str(large.folder if folds else bench.journal.trial_folder(winner.trial) / "model")


class Tagger(Weighed):
    def extra(self):
        return {"transitions": np.zeros(2)}


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("quicker", "no source that suits the data is quicker than the winner toy:large"),
        ("layers", "it has 5 layers"),
        ("no source", "the winner toy has no layers"),
        ("gone", "the weights of the winner, trial 1, are gone"),
        ("decoder", "does not follow from its logits alone (transitions)"),
        ("time", "the time does not carry it"),
        ("fails", "it fails"),
        ("stopped", "the run was stopped"),
    ],
)
def test_nothing_comes_of_it_and_the_winner_stays(way, reason, tmp_path, monkeypatch):
    bench, asked, clock = bench_with(tmp_path), pupils(), clock_of(bench_of(tmp_path / "other", Toy()))
    if way == "no source":
        bench = replace(bench, candidates={TEACHER.name: Candidate("toy")})
        bench.candidates["toy"] = Candidate("toy")
    winner = trial(bench, "toy" if way == "no source" else TEACHER.name, a=1.0, b=0.9)
    if way == "quicker":
        asked = pupils(candidates=(replace(STUDENT, forward=9.0),))
    if way in ("layers", "no source"):
        asked = pupils(candidates=(), layers=7)
    if way == "gone":
        (bench.journal.trial_folder(1) / "model" / "weights.npy").unlink()
        (bench.journal.trial_folder(1) / "model").rmdir()
    if way == "decoder":
        monkeypatch.setattr(Pupil, "load", lambda self, folder: Tagger([1.0, 0.9]))
    if way == "time":
        clock = clock_of(bench, 100.0, spent=99.0)
    if way == "fails":
        monkeypatch.setattr(Pupil, "space", lambda *_: Space({"fails": Choice((True,))}, {"fails": True}))
    if way == "stopped":
        bench.journal.stop("by hand")
    bench, taught = distil(bench, asked, winner, None, clock)
    assert taught is None
    assert f"nothing was distilled: {'' if way != 'decoder' else 'what toy:large decides '}{reason}" in said(bench)


def test_as_many_trials_as_there_is_time_for(tmp_path, monkeypatch):
    bench = bench_with(tmp_path)
    winner = trial(bench, TEACHER.name, a=1.0, b=0.9)
    ticks = itertools.count(0.0, 40.0)
    monkeypatch.setattr("autoft.trial.time.monotonic", lambda: next(ticks))  # a trial takes 40 s
    bench, taught = distil(bench, pupils(), winner, None, clock_of(bench, 100.0))
    assert [row.stage for row in bench.journal.leaderboard].count("distillation") == 1
    assert taught is not None


def test_a_run_that_goes_on_teaches_no_trial_twice(tmp_path):
    bench = bench_with(tmp_path)
    winner = trial(bench, TEACHER.name, a=1.0, b=0.9)
    again, first = distil(bench, pupils(), winner, None, clock_of(bench))
    fits = len(bench.catalog.model("toy").fits)
    bench = replace(again, candidates={TEACHER.name: TEACHER})
    bench, second = distil(bench, pupils(), winner, None, clock_of(bench))
    assert second.chosen.row == first.chosen.row
    # The weights of the other point are gone, so that it is learned again; and so is the refit.
    assert len(bench.catalog.model("toy").fits) == fits + 2


def test_candidates_of_a_session_before_are_known(tmp_path):
    bench = bench_with(tmp_path)
    winner = trial(bench, TEACHER.name, a=1.0, b=0.9)
    bench.candidates["toy:gone"] = Candidate("toy", SMALL)
    trial(bench, "toy:gone", a=1.0, b=0.5, stage="distillation")
    del bench.candidates["toy:gone"]
    bench.journal.stop("by hand")
    bench, _ = distil(bench, pupils(), winner, None, clock_of(bench))
    assert bench.candidates["toy:gone"] == Candidate("toy")
    assert bench.candidates[TEACHER.name] == TEACHER


def test_within_limits_it_takes_part_beside_the_others(tmp_path):
    bench = bench_with(tmp_path)
    winner = trial(bench, TEACHER.name, a=1.0, b=0.9)
    bench, taught = distil(bench, pupils(), winner, None, clock_of(bench))
    order = Confirmation((winner,))
    found = list(_best_of_each(bench, order, [Chosen(winner), taught.chosen], clock_of(bench)))
    assert [chosen.row.candidate for chosen in found] == ["toy:large", "toy:small"]
