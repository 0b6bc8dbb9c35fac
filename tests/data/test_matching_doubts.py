"""What a table is not taken for, and hints that lead somewhere."""

from __future__ import annotations

import dataclasses
import re
import shlex
from typing import Any

import pytest

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import AutoftError, DataError, SettingsError
from autoft.interfaces.task import Match
from autoft.steps.tasks import Found, find_task
from autoft_plugins.tasks.text_classification import TextClassification
from autoft_plugins.tasks.texts import language

TEXTS = [f"the {thing} was {how} and took {i} days" for i, (thing, how) in enumerate([("lamp", "bright"), ("chair", "crooked")] * 10)]
OTHERS = [f"somebody wrote {i} letters about a {thing}" for i, thing in enumerate(["lamp", "chair"] * 10)]
POLES = ["pos", "neg"] * 10


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.build()


def table(**columns: Any) -> Table:
    return Table(columns, "data.csv")


def found(catalog: Catalog, data: Table, wanted: str | None = None, **given: str) -> Found:
    return find_task(data, {role: (name,) for role, name in given.items()}, wanted, catalog)


def refused(catalog: Catalog, data: Table, wanted: str | None = None, **given: str) -> AutoftError:
    with pytest.raises(AutoftError) as caught:
        found(catalog, data, wanted, **given)
    assert caught.value.hint
    return caught.value


def test_agree_and_disagree_are_no_entailment(catalog: Catalog) -> None:
    stance = ["Agree", "Disagree", "Neutral", "Agree"] * 5
    assert "could both be the text" in refused(catalog, table(answer=stance, why=TEXTS, more=OTHERS)).message
    assert found(catalog, table(verdict=["supports", "refutes"] * 10, why=TEXTS, more=OTHERS)).task.name == "pair-classification"


def test_a_side_that_is_often_empty_makes_no_pair_unasked(catalog: Catalog) -> None:
    answers = [None if i % 4 == 0 else text for i, text in enumerate(OTHERS)]
    data = table(question=TEXTS, answer=answers, label=POLES)
    taken = found(catalog, data)
    assert (taken.task.name, taken.match.columns["text"]) == ("text-classification", ("question",))
    (pair,) = [match for task, match in taken.others if task.name == "pair-classification"]
    assert "a side is often empty" in pair.reason
    assert found(catalog, table(question=TEXTS, answer=OTHERS, label=POLES)).task.name == "pair-classification"
    pairs = found(catalog, data, "pair-classification")
    with pytest.raises(DataError, match=r"row 1, column 'answer': this side of the pair is empty \(5 of 20 are\)") as caught:
        pairs.task.inputs(pairs.task.problem(data, pairs.match, metric=None, seed=0), data)
    assert "--task text-classification --text question" in (caught.value.hint or "")


def test_tags_out_of_step_are_no_classes(catalog: Catalog) -> None:
    tags = ["B-PER O O", "O B-LOC O"] * 10
    data = table(sentence=TEXTS, ner=tags)
    assert found(catalog, data).task.name == "token-classification"
    assert not found(catalog, data).others


@pytest.mark.parametrize("empty", [[[]] * 20, ["[]"] * 20, [None] * 20])
def test_a_column_that_is_empty_in_every_row_is_said_to_be(catalog: Catalog, empty: list[Any]) -> None:
    data = table(text=TEXTS, entities=empty)
    assert "'entities' is empty in every row" in refused(catalog, data).message
    assert "'entities' is empty in all 20 rows" in refused(catalog, data, label="entities").message


def test_other_readings_have_something_to_learn(catalog: Catalog) -> None:
    spans = [[{"start": 0, "end": 3, "label": "X"}]] * 20
    taken = found(catalog, table(text=TEXTS, spans=spans, answer=["accept"] * 20, comments=[[]] * 20))
    assert taken.task.name == "token-classification"
    assert not taken.others


def test_the_reason_knows_the_other_columns(catalog: Catalog) -> None:
    alone = found(catalog, table(remark=TEXTS, bar=POLES)).match.reason
    assert "the only column with few different values; 2 different values" in alone
    beside = found(catalog, table(remark=TEXTS, bar=POLES, gender=["f", "m"] * 10)).match.reason
    assert "the likeliest of the columns with few different values" in beside


def test_a_task_that_was_named_may_be_a_guess_too(catalog: Catalog) -> None:
    data = table(remark=TEXTS, bar=POLES, age=[20.5 + 0.7 * i for i in range(20)])
    assert "label 'age' is a guess" in found(catalog, data, "text-regression").doubt
    assert not found(catalog, data, "text-regression", label="age").doubt


def test_a_column_that_is_called_as_its_role_is_no_guess(catalog: Catalog) -> None:
    """Whatever score a plugin's task gives: only that of its match is known, not how it found the columns."""

    class Guard(TextClassification):
        name, columns = "my-guard", {"text": ("text",), "label": ("label",)}

        def match(self, table: Table, given: Any) -> Match:
            return Match(0.5, self.columns, "it looks for these names")

    guard = Guard()
    both = dataclasses.replace(catalog, tasks={guard.name: guard})
    named = table(text=TEXTS, label=POLES)
    assert not found(both, named, "my-guard").doubt
    assert "my-guard is a guess" in found(both, named).doubt
    assert "no name" not in found(both, named).doubt
    guard.columns = {"text": ("remark",), "label": ("Label",)}
    said = found(both, table(remark=TEXTS, Label=POLES), "my-guard").doubt
    assert "which columns my-guard is about: text 'remark' is a guess" in said


def test_words_for_tasks_and_roles(catalog: Catalog) -> None:
    data = table(text=TEXTS, label=POLES)
    for word, name in {"ner": "token-classification", "Sentiment": "text-classification", "sts": "pair-score", "nli": "pair-c"}.items():
        error = refused(catalog, data, word)
        assert isinstance(error, SettingsError)
        assert f"--task {name}" in (error.hint or "")
    assert refused(catalog, data, foo="text").message == "there is no role 'foo'; there are label, text, text_pair"
    assert "--column text_pair=text" in (refused(catalog, data, textpair="text").hint or "")


def test_a_column_of_parts_is_spoken_of(catalog: Catalog) -> None:
    (note,) = found(catalog, table(text=TEXTS, label=POLES, fold=["train", "Test"] * 10)).notes
    assert "'fold' (test, train) is not used" in note
    assert "--test FILE" in note
    assert not found(catalog, table(text=TEXTS, label=POLES, fold=["a", "b"] * 10)).notes


@pytest.mark.parametrize(
    "data",
    [
        table(instruction=TEXTS, input=OTHERS, output=OTHERS[::-1]),
        table(text=TEXTS, tag1=POLES, tag2=POLES[::-1], tag3=["a", "b", "c", "a"] * 5),
        table(text=TEXTS, confidence=[f"{i}%" for i in range(20)]),
        table(message=TEXTS, urgent=["yes", "no"] * 10, refund=["no", "yes", "yes", "no"] * 5),
    ],
)
def test_hints_are_commands_that_work(catalog: Catalog, data: Table) -> None:
    hint = refused(catalog, data).hint or ""
    flags = re.findall(r"--(text|label) (\"[^\"]+\"|\S+?)(?=$|[ ;])", hint.partition("; or ")[0])
    assert flags, hint
    assert found(catalog, data, **{role: shlex.split(name)[0] for role, name in flags}).match.columns["text"]


def test_without_another_column_the_file_has_to_change(catalog: Catalog) -> None:
    error = refused(catalog, table(text=TEXTS))
    assert "--label" not in (error.hint or "")
    assert "add a column" in (error.hint or "")


def test_ticks_and_nothing(catalog: Catalog) -> None:
    ticks = {name: ["x" if i % part == 0 else None for i in range(20)] for name, part in (("billing", 2), ("login", 3), ("delivery", 5))}
    data = table(text=TEXTS, **ticks)
    taken = found(catalog, data)
    problem = taken.task.problem(data, taken.match, metric=None, seed=0)
    assert (problem.task, problem.labels) == ("multi-label", ("billing", "login", "delivery"))
    assert taken.task.usable(problem, data).all()
    assert taken.task.targets(problem, data)[:4].tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_a_word_of_several_languages_is_no_language() -> None:
    assert language([f"A man fixes a chair {i}." for i in range(50)]) is None
    assert language([f"blender no {i}" for i in range(50)]) is None
