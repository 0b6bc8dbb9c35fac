from __future__ import annotations

import json
import time

import numpy as np
import pytest

from autoft.data.splits import split
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Calibrates, Decoder, Match
from autoft_plugins.tasks.label_lists import flag_in, labels_in, separator_of
from autoft_plugins.tasks.multi_label import MultiLabel
from autoft_plugins.tasks.thresholds import tuned_cuts

TASK = MultiLabel()
TEXTS = [f"the ministers spoke of trade and of the weather on day {i}" for i in range(24)]
KINDS = [["trade"], ["trade", "money"], [], ["sport", "money"]] * 6
CODES = [[0, 0, 1], [1, 0, 1], [0, 0, 0], [1, 1, 0]] * 6  # of money, sport, trade


def table(*, texts=TEXTS, **labels) -> Table:
    return Table({"text": texts, **labels}, "news.csv")


def learned(data: Table, *names: str, metric: str | None = None) -> Problem:
    columns = {"text": ("text",), "label": names or ("topics",)}
    return TASK.problem(data, Match(1.0, columns, "by hand"), metric=metric, seed=1)


def refusal(data: Table, *names: str) -> DataError:
    with pytest.raises(DataError) as caught:
        learned(data, *names)
    assert caught.value.exit_code == 2
    assert "news.csv" in caught.value.message
    assert caught.value.hint
    return caught.value


def remarks(problem: Problem) -> str:
    said = problem.extra["remarks"]
    assert isinstance(said, list)
    return "; ".join(said)


@pytest.mark.parametrize(
    "cells",
    [
        KINDS,
        [tuple(kinds) for kinds in KINDS],
        ["|".join(kinds) for kinds in KINDS],
        [" | ".join(kinds) or None for kinds in KINDS],
        ["; ".join(kinds) for kinds in KINDS],
        [", ".join(kinds) for kinds in KINDS],
        [json.dumps(kinds) for kinds in KINDS],
        [str(kinds) for kinds in KINDS],
        ["[" + ", ".join(kinds) + "]" for kinds in KINDS],
        [[*kinds, *kinds[:1]] for kinds in KINDS],
    ],
)
def test_every_way_to_write_labels(cells):
    data = table(topics=cells)
    problem = learned(data)
    assert problem.labels == ("money", "sport", "trade")
    assert problem.extra["class_counts"] == [12, 6, 12]
    assert TASK.usable(problem, data).all()
    targets = TASK.targets(problem, data)
    assert targets.dtype == np.int8
    assert targets.tolist() == CODES
    assert "6 of 24 rows have no label" in remarks(problem)
    assert Problem.model_validate_json(problem.model_dump_json()) == problem


@pytest.mark.parametrize(("yes", "no"), [(1, 0), (True, False), (1.0, 0.0), ("1", "0"), ("true", "False")])
def test_a_column_for_each_label(yes, no):
    columns = {name: [yes if row[code] else no for row in CODES] for code, name in enumerate(("money", "sport", "trade"))}
    data = table(**columns, other=[5] * 24)
    problem = learned(data, "trade", "money", "sport")
    assert problem.labels == problem.fields["label"] == ("trade", "money", "sport")
    assert TASK.targets(problem, data).tolist() == [[row[2], row[0], row[1]] for row in CODES]
    assert problem.extra["class_counts"] == [12, 12, 6]
    with pytest.raises(DataError, match=r"no column 'sport' \(label\)"):
        TASK.targets(problem, data.take([0]).with_columns({"trade": [1], "money": [1]}))


def test_ids_are_names_of_labels():
    data = table(topics=[[3, 11], [2], [11.0, 2], []] * 6)
    problem = learned(data)
    assert problem.labels == ("2", "3", "11")
    assert TASK.targets(problem, data)[:4].tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 1], [0, 0, 0]]
    assert learned(table(topics=["3|11", "2", 11, None] * 6)).labels == ("2", "3", "11")


def test_the_problem():
    problem = learned(table(topics=KINDS))
    assert (problem.task, problem.inputs, problem.fields["label"]) == ("multi-label", ("text",), ("topics",))
    assert (problem.head.kind, problem.head.outputs) == ("multi_label_classification", 3)
    assert (problem.metric.name, problem.language) == ("f1_macro", "en")
    assert learned(table(topics=KINDS), metric="f1_micro").metric.name == "f1_micro"
    with pytest.raises(SettingsError, match="f1_macro, f1_micro"):
        learned(table(topics=KINDS), metric="r2")


def test_what_parts_labels():
    assert separator_of(["a|b", "a, c|b", None, "d"]) == "|"
    assert separator_of(["war; drama", "drama", "war", "comedy; drama", "comedy"]) == ";"
    assert separator_of(["war,drama", "drama,comedy", "comedy,war", "war"]) == ","
    assert separator_of(["Food, drink", "Books, music", "Home, garden"] * 9) is None
    assert separator_of(["1,5", "2,0", "4,5", "3,0"] * 9) is None
    assert separator_of(["1,5", "2,5,7", "7", "2", "1,2"]) == ","
    assert separator_of(["well, it was, and so on", "then, we left; it rained", "no"]) is None
    assert separator_of(['["a", "b"]', "['a', 'c']", ["a"], 3, "plain"]) is None
    problem = learned(table(topics=[["a"], ["a", "b, c"], ["b, c"]] * 8))
    assert problem.labels == ("a", "b, c")


def test_cells():
    assert labels_in(" a | b|| a", "|") == ["a", "b"]
    assert labels_in("a|b", None) == ["a|b"]
    assert labels_in("""['it\\'s', "a, b", 3]""", None) == ["it's", "a, b", "3"]
    assert labels_in("[]", "|") == labels_in("[ ]", None) == labels_in("", "|") == []
    assert labels_in("[sic", None) == ["[sic"]
    assert labels_in(4.0, ",") == ["4"]
    for value in (
        [0.25, 0.5],
        [["a"]],
        {"a": 1},
        [None],
        [True],
        "[0.5]",
        0.5,
        "[not, a 'list]",
        "['a' 'b']",
        "[1 2]",
        '[{"a": 1}]',
        "[" * 10_000 + "]" * 10_000,
    ):
        with pytest.raises(ValueError, match="label"):
            assert labels_in(value, None) == "label"
    for value in (2, "perhaps", None, -1, 0.5, ""):
        with pytest.raises(ValueError, match="neither 0 nor 1"):
            flag_in(value)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ([0.25, 0.5], "list [0.25, 0.5]"),
        ([["a"]], "list [['a']]"),
        ({"a": 1}, "dict {'a': 1}"),
        ([None], "list [None]"),
        ("[0.5]", "'[0.5]'"),
    ],
)
def test_what_is_no_list_of_labels_is_refused_with_its_row(cell, said):
    error = refusal(table(topics=[None, *KINDS[1:9], cell, *KINDS[10:]]))
    assert error.message.startswith("news.csv, row 10, column 'topics'")
    assert said in error.message


def test_lists_that_are_not_labels():
    error = refusal(table(topics=[[f"word{i}", f"and{i}", "the"] for i in range(24)]))
    assert "49 different items in 24 rows" in error.message
    error = refusal(table(topics=CODES))
    assert "lists of 0 and 1" in error.message
    assert "column of 0 and 1 for each label" in (error.hint or "")


def test_a_flag_that_is_none_is_refused_with_its_row_and_column():
    error = refusal(table(a=[0, 1] * 12, b=[0, 1, 1, 0, 1, -1] * 4), "a", "b")
    assert error.message == "news.csv, row 6, column 'b': -1 is neither 0 nor 1"
    data = table(a=[0, 1] * 12, b=[0, 1, 1, None] * 6)
    assert TASK.usable(learned(data, "a", "b"), data).tolist() == [True, True, True, False] * 6


def test_labels_that_one_row_has_are_left_out_and_said():
    data = table(topics=[["rare", "trade"], *KINDS[1:23], ["odd"]])
    problem = learned(data)
    assert problem.labels == ("money", "sport", "trade")
    assert "2 labels that fewer than 2 rows have are left out: 'odd', 'rare'" in remarks(problem)
    targets = TASK.targets(problem, data)
    assert targets[0].tolist() == [0, 0, 1]
    assert targets[-1].tolist() == [0, 0, 0]
    data = table(a=[0, 1] * 12, b=[0] * 24, c=[1, 1, 0] * 8)
    problem = learned(data, "a", "b", "c")
    assert problem.labels == problem.fields["label"] == ("a", "c")
    assert "'b'" in remarks(problem)
    assert TASK.targets(problem, data).shape == (24, 2)


def test_too_few_labels():
    assert "of 1 labels 1 stand in 2 rows or more" in refusal(table(topics=[["a"], []] * 12)).message
    assert "of 0 labels 0 stand" in refusal(table(topics=[[]] * 24)).message


def test_an_unknown_label_of_a_further_file():
    problem = learned(table(topics=["|".join(kinds) for kinds in KINDS]))
    read = Table({"text": ["", "a", "b"], "topics": ["x", "trade", "trade|sports"]}, "test.csv")
    with pytest.raises(DataError, match=r"test.csv, row 3, column 'topics': 'sports' is none of the classes") as caught:
        TASK.targets(problem, read.take(np.flatnonzero(TASK.usable(problem, read))))
    assert caught.value.hint == "did you mean 'sport'?"
    assert TASK.targets(problem, Table({"topics": [["sport"], "money|trade", None]})).tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]


def test_missing_labels_of_lists_are_left_out():
    data = table(texts=["", *TEXTS[1:]], topics=[*KINDS[:22], None, ""])
    problem = learned(data)
    assert np.flatnonzero(~TASK.usable(problem, data)).tolist() == [0, 22, 23]
    assert "5 of 21 rows have no label" in remarks(problem)


def test_rare_labels_reach_every_part_of_a_split():
    rng = np.random.default_rng(0)
    targets = (rng.random((400, 6)) < [0.5, 0.4, 0.3, 0.1, 0.05, 0.03]).astype(np.int8)
    strata = TASK.strata(learned(table(topics=KINDS)), targets)
    assert strata is not None
    assert set(strata[~targets.any(axis=1)]) == {6}
    rarest = int(targets.sum(axis=0).argmin())
    assert set(strata[targets[:, rarest] == 1]) == {rarest}
    for seed in range(5):
        parts = split(strata, None, 400, seed)
        for rows in (parts.train, parts.validation, parts.test):
            assert targets[rows].any(axis=0).all()


@pytest.mark.parametrize(("metric", "given"), [("f1_macro", [1, 1, 1]), ("f1_micro", [1, 0, 1])])
def test_the_constant_answer_is_the_best_that_ignores_its_input(metric, given):
    problem = learned(table(topics=KINDS), metric=metric)
    targets = np.array([[1, 0, 1]] * 3 + [[0, 0, 1], [1, 1, 0]], np.int8)
    outputs = TASK.constant(problem, targets, 2)
    assert outputs["logits"].shape == (2, 3)
    assert np.isfinite(outputs["logits"]).all()
    assert TASK.decide(problem, Decoder(), outputs).tolist() == [given] * 2
    every = [np.array([[int(bit) for bit in f"{number:03b}"]] * 5) for number in range(8)]
    best = max(TASK.score(problem, targets, decided)[metric] for decided in every)
    assert TASK.score(problem, targets, np.array([given] * 5))[metric] == pytest.approx(best)
    assert np.isfinite(TASK.constant(problem, targets[:0], 1)["logits"]).all()


def test_scores_equal_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for rows, labels in ((1, 3), (40, 3), (700, 200)):
        problem = learned(table(topics=KINDS)).model_copy(update={"labels": tuple(map(str, range(labels)))})
        targets = (rng.random((rows, labels)) < 0.2).astype(np.int8)
        logits = rng.normal(size=(rows, labels)) + 2 * targets - 1
        decided = TASK.decide(problem, Decoder(), {"logits": logits})
        assert decided.dtype == np.int8
        assert (decided == (logits >= 0)).all()
        wanted = {f"f1_{kind}": metrics.f1_score(targets, decided, average=kind, zero_division=0) for kind in ("macro", "micro")}
        assert TASK.score(problem, targets, decided) == pytest.approx(wanted | {"accuracy": metrics.accuracy_score(targets, decided)})


def test_outputs_that_are_no_numbers_are_wrong():
    problem = learned(table(topics=KINDS))
    decided = TASK.decide(problem, Decoder(), {"logits": np.array([[np.nan, 1.0, -1.0]])})
    assert decided.tolist() == [[-1, 1, 0]]
    assert TASK.score(problem, np.array([[0, 1, 0]]), decided)["accuracy"] == 0.0


def test_a_bootstrap_takes_no_time():
    rng = np.random.default_rng(0)
    problem = learned(table(topics=KINDS))
    targets, decided = (rng.random((2, 600, 90)) < 0.1).astype(np.int8)
    started = time.process_time()
    for _ in range(1000):
        rows = rng.integers(0, 600, 600)
        TASK.score(problem, targets[rows], decided[rows])
    assert time.process_time() - started < 5


def skewed(rows: int, labels: int, seed: int, frequency: float = 0.15, bias: float = -1.5) -> tuple[np.ndarray, np.ndarray]:
    """Targets, and logits that tell them well but lie too low, as those of rare labels do."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((rows, labels)) < frequency).astype(np.int8)
    return rng.normal(size=(rows, labels)) + 3 * targets - 1.5 + bias, targets


def test_cuts_are_the_best_of_all_where_rows_are_many():
    logits, targets = skewed(4000, 3, 0)
    cuts = tuned_cuts(logits, targets, each=True)
    grid = np.linspace(-4, 2, 121)
    for label in range(3):
        f1 = [
            2 * (targets[:, label] & (logits[:, label] >= cut)).sum() / (targets[:, label].sum() + (logits[:, label] >= cut).sum())
            for cut in grid
        ]
        cut = cuts[label]
        reached = 2 * (targets[:, label] & (logits[:, label] >= cut)).sum() / (targets[:, label].sum() + (logits[:, label] >= cut).sum())
        assert reached > max(f1) - 0.01


def test_fitted_cuts_gain_on_rows_they_never_saw():
    problem = learned(table(topics=KINDS))
    for metric in ("f1_macro", "f1_micro"):
        problem = learned(table(topics=KINDS), metric=metric)
        gains = []
        for seed in range(8):
            (logits, targets), (fresh, truth) = skewed(200, 12, seed), skewed(2000, 12, 100 + seed)
            decoder = TASK.fit_decoder(problem, {"logits": logits}, targets)
            assert decoder.config == {"function": "sigmoid"}
            assert decoder.arrays["cuts"].shape == (12,)
            assert (len(set(decoder.arrays["cuts"])) == 1) == (metric == "f1_micro")
            scores = [TASK.score(problem, truth, TASK.decide(problem, d, {"logits": fresh}))[metric] for d in (Decoder(), decoder)]
            gains.append(scores[1] - scores[0])
        assert min(gains) > 0.05


def test_rare_labels_keep_near_the_common_cut():
    logits, targets = skewed(400, 6, 1)
    targets[:, 0], targets[:, 1] = 0, 0
    targets[5, 1] = 1
    logits[5, 1] = -9.0
    cuts = tuned_cuts(logits, targets, each=True)
    common = tuned_cuts(logits, targets, each=False)
    assert len(set(common)) == 1
    assert cuts[0] == common[0]
    assert abs(cuts[1] - common[0]) < 0.2 * abs(-9.0 - common[0])


def test_cuts_of_few_and_odd_rows():
    assert tuned_cuts(np.zeros((0, 3)), np.zeros((0, 3), np.int8), each=True).tolist() == [0.0] * 3
    assert tuned_cuts(np.ones((4, 2)), np.zeros((4, 2), np.int8), each=True).tolist() == [0.0] * 2
    assert tuned_cuts(np.ones((4, 2)), np.ones((4, 2), np.int8), each=True).tolist() == [0.0] * 2
    one = tuned_cuts(np.array([[2.0, -1.0]]), np.array([[1, 0]], np.int8), each=True)
    assert np.all((one > -1) & (one < 2))
    broken = tuned_cuts(np.array([[np.nan, 1.0], [0.0, 1.0], [np.inf, 2.0]]), np.array([[1, 0], [0, 1], [1, 1]]), each=True)
    assert np.isfinite(broken).all()
    far = tuned_cuts(np.array([[900.0, -900.0]] * 20), np.array([[1, 0], [0, 1]] * 10), each=True)
    assert np.isfinite(far).all()


def test_logits_are_told_apart_where_probabilities_are_not():
    rng = np.random.default_rng(0)
    targets = (rng.random((400, 2)) < 0.3).astype(np.int8)
    logits = 40.0 + rng.normal(size=(400, 2)) / 4 + 3 * targets  # of all of these the sigmoid is 1
    problem = learned(table(topics=KINDS))
    decoder = TASK.fit_decoder(problem, {"logits": logits}, targets)
    assert TASK.score(problem, targets, TASK.decide(problem, decoder, {"logits": logits}))["f1_macro"] > 0.95


def test_answers():
    problem = learned(table(topics=KINDS))
    outputs = {"logits": np.array([[0.0, -1000.0, 2.0], [-3.0, -3.0, -3.0]], np.float32)}
    rows = Table({"text": ["a", "b"]})
    answers = TASK.decode(problem, Decoder(), outputs, rows)
    assert answers[0]["labels"] == ["trade", "money"]
    assert answers[0]["scores"] == pytest.approx({"money": 0.5, "sport": 0.0, "trade": 0.880797})
    assert answers[1]["labels"] == []
    assert json.loads(json.dumps(answers)) == answers
    low = Decoder({}, {"cuts": np.array([2.2, -3.2, -3.2])})
    assert [answer["labels"] for answer in TASK.decode(problem, low, outputs, rows)] == [["trade"], ["sport", "trade"]]
    assert TASK.decode(problem, low, {"logits": np.zeros((0, 3))}, rows.take([])) == []


def test_cuts_go_where_their_logits_go():
    logits, targets = skewed(400, 6, 2)
    problem = learned(table(topics=KINDS))
    decoder = TASK.fit_decoder(problem, {"logits": logits}, targets)
    scale, shift = np.array([0.5, 1.0, 2.0, 3.0, 0.1, 1.5]), np.array([-1.0, 0.0, 1.0, 0.3, 2.0, -0.5])
    moved = (logits * scale + shift).astype(np.float32)
    assert isinstance(TASK, Calibrates)
    for one in (decoder, Decoder()):
        after = TASK.rescaled(one, scale, shift)
        decided = TASK.decide(problem, after, {"logits": moved})
        assert decided.any()
        assert (decided == TASK.decide(problem, one, {"logits": logits})).all()
        assert after.config == one.config
        recorded = Decoder({**one.config, "calibration": {"method": "platt", "folded": True, "scale": scale.tolist()}}, one.arrays)
        assert (TASK.decide(problem, recorded, {"logits": moved}) == TASK.decide(problem, one, {"logits": moved})).all()


def test_hundreds_of_labels():
    rng = np.random.default_rng(0)
    names = [f"label {i}" for i in range(400)]
    cells = [[names[i] for i in rng.choice(400, 3, replace=False)] for _ in range(2000)]
    data = table(texts=[f"text {i}" for i in range(2000)], topics=cells)
    problem = learned(data)
    assert problem.head.outputs == 400
    targets = TASK.targets(problem, data)
    assert targets.sum() == 6000
    started = time.process_time()
    decoder = TASK.fit_decoder(problem, {"logits": rng.normal(size=(2000, 400)).astype(np.float32)}, targets)
    assert decoder.arrays["cuts"].shape == (400,)
    assert time.process_time() - started < 5


def test_requests_are_those_of_one_text():
    problem = learned(table(topics=KINDS))
    assert list(TASK.check_inputs(problem, [{"text": "a\0"}, {"text": ""}])["text"]) == ["a ", ""]
    with pytest.raises(DataError, match="row 1: the field 'text' is missing"):
        TASK.check_inputs(problem, [{"texts": "a"}])
