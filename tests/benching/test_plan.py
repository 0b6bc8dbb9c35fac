"""What is measured, behind each kind of encoder."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

import encoder_bundles
import task_bundles
from autoft.benching.plan import BATCHES, BATCHES_WITHOUT_LENGTH, lengths, pairs, plan
from autoft.benching.questions import LENGTHS, MADE, made, sample, tokens
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.loading import load_predictor
from autoft.runtime.predictor import Predictor
from small_bundle import make_bundle

WITH_LENGTH = (encoder_bundles.tokens, encoder_bundles.token_pairs, encoder_bundles.words)
WITHOUT = (make_bundle, task_bundles.multi_label, task_bundles.pair_score, task_bundles.entities)


def opened(make: Callable[[Path], Path], folder: Path) -> dict[int, Predictor]:
    """With one thread and with four."""
    bundle = make(folder / "bundle")
    plugins = [task_bundles.PLUGIN] if make in (task_bundles.pair_score, task_bundles.entities) else []
    return {threads: load_predictor(bundle, plugin_files=plugins, threads=threads, at_once=1) for threads in (1, 4)}


def steady(seconds: float) -> Callable[[], float]:
    """A clock by which every call takes so long."""
    return itertools.count(0.0, seconds).__next__


def test_pairs_use_all_processors():
    assert pairs(1) == ((1, 1),)
    assert pairs(2) == ((1, 2), (2, 1))
    assert pairs(64) == ((1, 64), (64, 1))


def test_lengths_go_up_to_the_encoders():
    assert [lengths(most) for most in (None, 5, 8, 24, 128, 512, 600)] == [
        (), (5,), (8,), (8, 24), (8, 32, 128), (8, 32, 128, 512), (8, 32, 128, 512, 600),
    ]  # fmt: skip


@pytest.mark.parametrize("make", WITH_LENGTH)
def test_rows_are_made_to_measure(make, tmp_path):
    predictor = opened(make, tmp_path)[1]
    asked = made(predictor)
    most = predictor.encoding.max_length
    assert most == encoder_bundles.LONGEST
    assert (asked.asked.kind, asked.asked.rows, len(asked.rows)) == ("made", MADE, MADE)
    sides = len(predictor.problem.inputs) if make is encoder_bundles.token_pairs else 1
    for place, length in enumerate(LENGTHS):
        rows = asked.rows.take(range(place, 64, len(LENGTHS)))
        each = tokens(predictor.encoding, rows) / len(rows) / sides
        assert each == pytest.approx(min(length, most), abs=2), length
    assert len({repr(row) for row in asked.rows.records()}) > 8
    assert len(predictor.answers(asked.rows)) == MADE


@pytest.mark.parametrize("make", WITHOUT)
def test_rows_without_a_length_are_made_too(make, tmp_path):
    predictor = opened(make, tmp_path)[1]
    asked = made(predictor)
    assert asked.asked.units is None
    assert tokens(predictor.encoding, asked.rows) is None
    assert len(predictor.answers(asked.rows)) == MADE


def test_a_model_that_wants_something_else_asks_for_a_file(bundle, monkeypatch):
    predictor = load_predictor(bundle, threads=1)

    def refuse(*_):
        raise DataError("row 1: no picture")

    monkeypatch.setattr(type(predictor._task), "check_inputs", refuse)
    with pytest.raises(DataError, match="no rows can be made for this model: row 1: no picture") as caught:
        made(predictor)
    assert "--input FILE" in caught.value.hint


def test_a_sample_is_drawn_once_and_repeats_what_is_too_few():
    rows = Table({"text": [str(number) for number in range(10)]})
    assert sample(rows, 4)["text"] == sample(rows, 4)["text"]
    assert sample(rows, 10)["text"] != rows["text"]
    assert sorted(sample(rows, 20)["text"]) == sorted([*rows["text"]] * 2)


@pytest.mark.parametrize("make", [*WITH_LENGTH, *WITHOUT])
def test_the_plan(make, tmp_path):
    predictors = opened(make, tmp_path)
    planned = plan(predictors, made(predictors[1]).rows, 30.0, steady(0.002))
    most = predictors[1].encoding.max_length
    shown = (None, *lengths(most))
    assert [(cell.length, cell.threads) for cell in planned.lone] == [(length, threads) for length in shown for threads in (1, 4)]
    batches = BATCHES if most else BATCHES_WITHOUT_LENGTH
    expected = [(None, *pair, batch) for pair in pairs(4) for batch in batches]
    expected += [(length, *pair, predictors[1].batch) for length in lengths(most) for pair in pairs(4)]
    found = [(cell.length, cell.setting.sessions, cell.setting.threads, cell.setting.batch) for cell in planned.many]
    # 30 s carry passes of 1,000 rows that take 2 ms each: a pass of 256 for each of four sessions would have more.
    assert found == [one for one in expected if one != (None, 4, 1, 256)]
    assert len(planned.left_out) == len(expected) - len(found)
    same = {(cell.rows, cell.tokens) for cell in planned.many if cell.length is None}
    assert same == {(len(planned.many_rows), tokens(predictors[1].encoding, planned.many_rows))}
    assert len(planned.few_rows) == 16
    for cell in (planned.lone[0], planned.many[0], planned.many[-1]):
        figures = cell.figures([cell.turn(0.0), cell.turn(0.0)])
        assert figures.n == 2


def test_the_graph_gets_batches_and_sessions_as_planned(tmp_path, monkeypatch):
    predictors = opened(encoder_bundles.tokens, tmp_path)
    planned = plan(predictors, made(predictors[1]).rows, 30.0, steady(0.002))
    seen: list[int] = []
    for predictor in predictors.values():
        run = predictor._session.run
        monkeypatch.setattr(predictor._session, "run", lambda arrays, run=run: seen.append(len(arrays["input_ids"])) or run(arrays))
    for cell in planned.many:
        seen.clear()
        cell.calls.call()
        assert max(seen) == cell.setting.batch
        assert sum(seen) == cell.rows


def test_what_would_take_too_long_is_left_out_and_said(tmp_path):
    predictors = opened(encoder_bundles.tokens, tmp_path)
    planned = plan(predictors, made(predictors[1]).rows, 10.0, steady(0.6))
    assert {cell.length for cell in planned.lone} == {None, 8}
    assert planned.left_out[0] == "24 tokens and more: a row takes 0.6 s, too long for --seconds 10"
    assert {(cell.setting.sessions, cell.setting.batch) for cell in planned.many if cell.length is None} == {(1, 1), (1, 4), (4, 1)}
    assert "4 sessions with 4 rows a batch: --seconds is enough for passes of 4 rows" in planned.left_out
