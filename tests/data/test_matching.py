"""Which task a table is for: what single tables say, the user's flags, near ties, refusals. Whole tables are in tests/tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from autoft.data.columns import as_list, profile_column
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.task import Match
from autoft.steps.tasks import Found, find_task, flags
from autoft_plugins.tasks import TASKS, matching
from autoft_plugins.tasks.matching.words import LABEL, NEVER, SCORE, TEXT, exact, parts, twins, within

TEXTS = [f"the {thing} was {how} and took {i} days" for i, (thing, how) in enumerate([("lamp", "bright"), ("chair", "crooked")] * 10)]
OTHERS = [f"somebody wrote {i} letters about a {thing}" for i, thing in enumerate(["lamp", "chair"] * 10)]
POLES = ["pos", "neg"] * 10
STARS = [1, 2, 3, 4, 5] * 4
NUMBERS = [1.5 + 0.13 * i for i in range(20)]
CATALOG: Any = SimpleNamespace(tasks={task.name: task for task in TASKS}, task={task.name: task for task in TASKS}.__getitem__)


def table(**columns: Any) -> Table:
    return Table(columns, "data.csv")


def found(data: Table, wanted: str | None = None, **given: str) -> Found:
    return find_task(data, {role: tuple(name.split("+")) for role, name in given.items()}, wanted, CATALOG)


def asked(data: Table, wanted: str | None = None, **given: str) -> DataError:
    with pytest.raises(DataError) as caught:
        found(data, wanted, **given)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (['["a", "b"]', "[]", '["a"]'], {"kind": "list", "items": "strings", "encoded": True}),
        (["['a', \"it's\"]", "['b']"], {"kind": "list", "items": "strings", "encoded": True}),
        ([[1, 2], [3]], {"kind": "list", "items": "numbers", "encoded": False}),
        ([[{"start": 0}], []], {"kind": "list", "items": "objects"}),
        ([["a", 1]], {"kind": "list", "items": "mixed"}),
        ([0, 1, None, 1, 0], {"flags": True, "numbers": True, "kind": "class"}),
        (["true", "False", "true"], {"flags": True, "numbers": False}),
        (["0", "1", "2", "0", "1", "2"], {"flags": False, "numbers": True, "kind": "class"}),
        (["4,5", "3,25", "4,0", "1,1", "2,0"], {"kind": "number", "numbers": True, "strings": True}),
        (["007", "012", "007"], {"numbers": False}),
        (["March 3, 2021", "12 Mar 2021", "3. März 2021"], {"kind": "date"}),
        ([0.5, 1.0, 1.5, 2.0, 2.5] * 6, {"kind": "number"}),
        ([0.0, 0.5, 1.0] * 4, {"kind": "class"}),
    ],
)
def test_what_columns_hold(values: list[Any], wanted: Mapping[str, Any]) -> None:
    column = profile_column("x", values)
    assert {name: getattr(column, name) for name in wanted} == wanted


def test_cells() -> None:
    assert as_list("[1, 2") is None
    assert as_list("[x for x in y]") is None
    assert as_list("[link](page)") is None
    assert as_list("['a'] #1") is None, "Python would take what follows for a comment"
    assert as_list(" ['a'] ") == ["a"]


def test_names() -> None:
    assert parts("ReviewText_2") == ("review", "text", "2")
    assert exact("Étiquette", LABEL)
    assert exact("LABEL_2", LABEL)
    assert not exact("label_id", LABEL)
    assert within("user_id", NEVER)
    assert within("用户评论", TEXT)
    assert within("Kundenbewertung", SCORE)
    assert not within("valid", NEVER)
    assert not within("context", TEXT)
    for pair in (("sentence1", "sentence2"), ("text_a", "text_b"), ("句子1", "句子2"), ("leftQuestion", "rightQuestion")):
        assert twins(*pair)
        assert not twins(*reversed(pair))
    assert not twins("sentence1", "label2")
    assert not twins("a", "b")


def test_stars_are_classes_and_the_reason_tells_how_to_get_numbers() -> None:
    one = found(table(review=TEXTS, stars=STARS))
    assert one.task.name == "text-classification"
    assert "--task text-regression" in one.match.reason
    assert [task.name for task, _ in one.others] == ["text-regression"]
    assert flags(one.others[0][1], one.others[0][0], one.match) == "--task text-regression"
    assert found(table(review=TEXTS, stars=STARS), "text-regression").match.columns["label"] == ("stars",)


def test_a_scale_of_ten_is_a_number_and_ten_class_numbers_are_not() -> None:
    tens = [i % 10 for i in range(40)]
    assert found(table(review=TEXTS * 2, rating=tens)).task.name == "text-regression"
    assert found(table(review=TEXTS * 2, label=tens)).task.name == "text-classification"
    assert found(table(review=TEXTS * 2, rating=tens), "text-classification").match.columns["label"] == ("rating",)


def test_ratings_of_two_texts_are_numbers() -> None:
    data = table(sentence1=TEXTS, sentence2=OTHERS, score=STARS)
    assert found(data).task.name == "pair-score"
    assert found(data, "pair-classification").match.columns["label"] == ("score",)


def test_a_near_tie_is_asked_for_with_the_flags_that_choose() -> None:
    data = table(review=TEXTS, sentiment=POLES, score=NUMBERS)
    error = asked(data)
    assert "text-classification: " in error.message
    assert "text-regression: " in error.message
    assert error.hint == "say which: --task text-classification --label sentiment, or --task text-regression --label score"
    assert found(data, label="score").task.name == "text-regression"
    assert found(data, "text-classification").match.columns["label"] == ("sentiment",)


def test_label_wins_over_other_names() -> None:
    one = found(table(text=TEXTS, label=POLES, score=NUMBERS, stars=STARS, tags=[["a"], ["b", "c"], ["a"], ["c"]] * 5))
    assert (one.task.name, one.match.columns["label"]) == ("text-classification", ("label",))
    assert set(one.unused) == {"score", "stars", "tags"}
    assert "not used: 'score', 'stars', 'tags'" in one.match.reason


def test_two_texts_are_not_a_title_and_a_body() -> None:
    data = table(title=OTHERS, body=TEXTS, label=POLES)
    one = found(data)
    assert (one.task.name, one.match.columns["text"]) == ("text-classification", ("body",))
    pair = found(data, "pair-classification")
    assert set(pair.match.columns["text"] + pair.match.columns["text_pair"]) == {"title", "body"}


def test_columns_that_the_user_names() -> None:
    data = table(premise=TEXTS, hypothesis=OTHERS, label=POLES, alt=STARS)
    assert found(data).task.name == "pair-classification"
    assert found(data, text="hypothesis").match.columns == {"text": ("hypothesis",), "label": ("label",)}
    both = found(data, text="hypothesis", text_pair="premise", label="alt")
    assert both.match.columns == {"text": ("hypothesis",), "text_pair": ("premise",), "label": ("alt",)}
    assert found(data, text_pair="hypothesis").match.columns["text"] == ("premise",)
    assert found(data, text="premise", label="hypothesis").task.name == "seq2seq"
    assert not found(data, text_pair="hypothesis").doubt


def test_several_labels_are_named_by_commas() -> None:
    data = table(text=TEXTS, red=[0, 1] * 10, round=[1, 1, 0, 0] * 5, label=POLES)
    one = found(data, label="red,round")
    assert (one.task.name, one.match.columns["label"]) == ("multi-label", ("red", "round"))
    assert "did you mean --label round?" in (asked(data, label="red,rund").hint or "")


def test_a_role_that_a_task_lacks_is_another_task() -> None:
    data = table(text=TEXTS, label=POLES)
    for name in (
        "match_text_classification",
        "match_multi_label",
        "match_text_regression",
        "match_token_classification",
        "match_seq2seq",
        "match_pair_classification",
        "match_pair_score",
    ):
        assert getattr(matching, name)(data, {"image": ("text",)}) is None


def test_a_column_cannot_play_two_roles() -> None:
    assert "cannot be both" in asked(table(text=TEXTS, label=POLES), text="text", label="text").message


def test_one_hot_columns_need_a_table_without_other_properties() -> None:
    group = {"angry": [1, 0] * 10, "sad": [0, 1, 0, 0] * 5, "glad": [0, 0, 0, 1] * 5}
    one = found(table(id=list(range(20)), text=TEXTS, **group))
    assert (one.task.name, one.match.columns["label"]) == ("multi-label", ("angry", "sad", "glad"))
    error = asked(table(text=TEXTS, shape=["a", "b", "c", "d"] * 5, weight=NUMBERS, **group))
    assert "--task multi-label --label angry,sad,glad" in (error.hint or "")


def test_two_columns_of_0_and_1_are_asked_for() -> None:
    error = asked(table(text=TEXTS, angry=[1, 0] * 10, sad=[0, 1, 0, 0] * 5))
    assert "'angry' and 'sad' could both be the label" in error.message
    assert "--task multi-label" in (error.hint or "")


def test_a_comma_parts_labels_only_beside_a_name_that_says_so() -> None:
    cells = ["python, pandas", "python", "pandas, plot", "plot"] * 5
    assert found(table(text=TEXTS, tags=cells)).task.name == "multi-label"
    assert found(table(text=TEXTS, place=cells)).task.name == "text-classification"
    assert found(table(text=TEXTS, place=[cell.replace(", ", "|") for cell in cells])).task.name == "multi-label"


def test_several_columns_of_tags_are_asked_for() -> None:
    words = [text.split() for text in TEXTS]
    first, second = (
        [["x" if len(word) > 3 else "y" for word in one] for one in words],
        [["p" if "a" in w else "q" for w in one] for one in words],
    )
    error = asked(table(tokens=words, chunks=first, cases=second))
    assert "'chunks' and 'cases' could both be the tags of 'tokens'" in error.message
    assert found(table(tokens=words, chunks=first, cases=second), label="cases").match.columns["label"] == ("cases",)


def test_tags_of_unequal_number_are_still_tags() -> None:
    """So that the task says which row is wrong."""
    words = [text.split() for text in TEXTS]
    tags = [["O"] * (len(one) - (i == 3)) for i, one in enumerate(words)]
    tags[0][1] = "B-THING"
    one = found(table(tokens=words, ner_tags=tags))
    assert one.task.name == "token-classification"
    with pytest.raises(DataError, match="row 4"):
        one.task.problem(table(tokens=words, ner_tags=tags), one.match, metric=None, seed=0)


def test_a_guess_is_a_guess_only_until_something_is_named() -> None:
    data = table(foo=TEXTS, bar=POLES)
    assert "guess" in found(data).doubt
    assert not found(data, label="bar").doubt
    assert not found(table(text=TEXTS, bar=POLES)).doubt


def test_a_task_that_does_not_fit_tells_what_the_columns_hold() -> None:
    error = asked(table(text=TEXTS, label=POLES), "token-classification")
    assert "does not fit token-classification" in error.message
    assert "'label' (few different values)" in error.message
    assert "autoft check" in (error.hint or "")


def test_when_nothing_fits_each_task_is_told() -> None:
    error = asked(table(width=NUMBERS, height=NUMBERS[::-1]))
    assert all(task.name in error.message for task in TASKS)
    assert "'width' (numbers)" in error.message


def test_texts_alone() -> None:
    error = asked(table(text=TEXTS, other=OTHERS))
    assert "--task seq2seq" in (error.hint or "")
    assert found(table(text=TEXTS, other=OTHERS), "seq2seq").match.columns == {"text": ("text",), "label": ("other",)}


class Plugin:
    """A task of somebody else."""

    def __init__(self, name: str, score: float | None, refusal: str = "") -> None:
        self.name, self.summary, self._score, self._refusal = name, f"what {name} does", score, refusal

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        if self._refusal:
            raise DataError(self._refusal, hint=f"--{self.name}")
        return None if self._score is None else Match(self._score, {"label": ("label",)}, f"{self.name} says so")


def choose(*tasks: Plugin, wanted: str | None = None) -> Found:
    catalog: Any = SimpleNamespace(tasks={task.name: task for task in tasks}, task={task.name: task for task in tasks}.__getitem__)
    return find_task(table(label=POLES), {}, wanted, catalog)


def test_tasks_of_plugins_take_part() -> None:
    assert choose(Plugin("a", 0.5), Plugin("b", 0.8), Plugin("c", None, "no")).task.name == "b"
    assert choose(Plugin("a", 0.3), Plugin("b", 0.8), wanted="a").task.name == "a"
    with pytest.raises(DataError, match="2 readings fit about equally"):
        choose(Plugin("a", 0.75), Plugin("b", 0.8))
    with pytest.raises(DataError, match="never") as caught:
        choose(Plugin("a", 0.3), Plugin("b", None, "never"))
    assert caught.value.hint == "--b; or --task a --label label"
    with pytest.raises(DataError) as told:
        choose(Plugin("a", None, "first"), Plugin("b", None, "second"), Plugin("c", None))
    assert "a: first" in told.value.message
    assert "b: second" in told.value.message
    assert "c (what c does)" in told.value.message


def test_matches_are_plain_values() -> None:
    match = found(table(text=TEXTS, label=POLES)).match
    assert json.loads(json.dumps({"score": match.score, **match.columns})) == {"score": 0.9, "text": ["text"], "label": ["label"]}
    assert "\n" not in match.reason
