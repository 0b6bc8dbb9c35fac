"""From a file to a split: what is said of it, what is left out, what is refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.hardware import limits
from autoft.interfaces.model import FitData
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Match
from autoft.settings import Settings
from autoft.steps.confirm import _refolded
from autoft.steps.parts import evaluated, learning
from autoft.steps.understand import Understood, understand
from autoft_plugins.readers import READERS


class Toy:
    """A text and one of two classes, under these names and no others."""

    name = "toy"
    summary = ""

    def match(self, table, given):
        self.shown = table.names
        return Match(1.0, {"text": ("text",), "label": ("label",)}, "text and label")

    def problem(self, table, match, *, metric, seed):
        head = Head(kind="single_label_classification", outputs=3)
        labels = ("a", "b", "c")
        return Problem(task="toy", fields={}, inputs=("text",), labels=labels, head=head, metric=Metric(name="accuracy"), seed=seed)

    def usable(self, problem, table):
        return np.array([value is not None for value in table["text"]])

    def inputs(self, problem, table):
        return table.with_columns({"text": table["text"]})

    def targets(self, problem, table):
        return np.array([problem.labels.index(value) for value in table["label"]])

    def strata(self, problem, targets):
        return targets


class Catalog:
    """What `understand` asks of a catalog."""

    def __init__(self) -> None:
        self.toy = Toy()
        self.tasks = {"toy": self.toy}
        self.readers = {reader.name: reader for reader in READERS}

    def task(self, name: str) -> Toy:
        return self.toy

    def unloaded(self, what: str) -> list[str]:
        return []


def rows(n: int = 200, **columns: Any) -> list[dict[str, Any]]:
    """`columns` are functions of the row's number."""
    made = {"text": lambda i: f"words {i}", "label": lambda i: "ab"[i % 2], **columns}
    return [{name: value(i) for name, value in made.items()} for i in range(n)]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return path


def look(data: Path, catalog: Catalog | None = None, **flags: Any) -> Understood:
    return understand(Settings(data=data, task="toy", **flags), catalog or Catalog())


def split_remark(understood: Understood) -> str:
    (said,) = [remark for remark in understood.remarks if remark.startswith("split: ")]
    return said


def values(understood: Understood, part: str, records: list[dict[str, Any]], column: str) -> list[Any]:
    numbers = {record["text"]: record[column] for record in records}
    return [numbers[understood.rows["text"][i]] for i in getattr(understood.splits, part)]


def test_by_chance(tmp_path):
    understood = look(write(tmp_path / "a.csv", rows(500)))
    assert split_remark(understood) == "split: 325 train, 100 validation, 75 test rows, stratified"
    assert understood.splits.groups is None
    assert understood.splits.times is None
    assert understood.splits.folds is None


def test_parts_of_many_rows_have_no_more_than_tell_enough(tmp_path, monkeypatch):
    monkeypatch.setattr("autoft.steps.parts.MOST", 120)
    understood = look(write(tmp_path / "a.csv", rows(2_000)))
    assert split_remark(understood) == "split: 1,760 train, 120 validation, 120 test rows, stratified"


def test_few_rows_are_cross_validated(tmp_path):
    understood = look(write(tmp_path / "a.csv", rows(200)))
    splits = understood.splits
    assert split_remark(understood) == "split: 170 train, 30 test rows, stratified"
    assert "trials are cross-validated, 3 of 5 folds: a part of 40 rows would say too little" in understood.remarks
    data = learning(understood.problem, understood.rows, understood.targets, splits, tmp_path)
    assert np.array_equal(data.train, splits.train)
    assert np.array_equal(data.train, understood.learnable)
    assert [len(held) for _, held in data.folds] == [34, 34, 34]
    assert np.array_equal(np.sort(data.validation), understood.validated)
    for train, held in data.folds:
        assert np.array_equal(np.union1d(train, held), splits.train)
        assert not set(train) & set(held)
        assert np.bincount(understood.targets[held]).tolist() == [17, 17]
    assert understood.passes == (3 * 136 + 170) / 170
    assert understood.for_trials(limits(None)).flops == pytest.approx(limits(None).flops / 3.4)
    again = _refolded(SimpleNamespace(understood=understood, data=data), 1)
    assert [len(held) for _, held in again.folds] == [34, 34, 34]
    assert not np.array_equal(again.folds[0][1], data.folds[0][1])
    assert not len(again.train)


def test_of_very_few_rows_each_is_held_out_once(tmp_path):
    understood = look(write(tmp_path / "a.csv", rows(40)))
    assert len(understood.splits.rounds()) == 5
    assert np.array_equal(understood.validated, understood.splits.train)


@pytest.mark.parametrize("given", ["validation", "time"])
def test_the_users_own_validation_rows_judge_however_few(tmp_path, given):
    path = write(tmp_path / "a.csv", rows(60, date=lambda i: f"2024-01-{1 + i // 3:02d}"))
    other = write(tmp_path / "b.csv", rows(12, text=lambda i: f"other {i}", date=lambda i: "2025-01-01"))
    understood = look(path, **({"validation": other} if given == "validation" else {"time": "date"}))
    assert understood.splits.folds is None
    assert len(understood.splits.validation) == 12


def test_groups_too_few_to_hold_some_out_in_each_round_keep_a_part(tmp_path):
    understood = look(write(tmp_path / "a.csv", rows(40, user=lambda i: f"u{i % 4}")), group="user")
    assert understood.splits.folds is None
    assert len(understood.splits.validation)


def test_by_group(tmp_path):
    records = rows(user=lambda i: f"u{i % 40}" if i < 190 else "")
    catalog = Catalog()
    understood = look(write(tmp_path / "a.csv", records), catalog, group="user")
    assert split_remark(understood).endswith(" test rows, grouped by user: 40 groups, and 10 rows without a value, each by itself")
    assert "user" not in catalog.toy.shown
    assert understood.rows.names == ("text",)
    of = [set(values(understood, part, records, "user")) - {""} for part in ("train", "validation", "test")]
    assert len(of[0] | of[1] | of[2]) == sum(map(len, of)) == 40
    assert len(understood.splits.groups) == 200


def test_a_group_is_joined_by_duplicates(tmp_path):
    records = rows(user=lambda i: i // 2, text=lambda i: f"words {(i + 1) // 2 % 50}")
    understood = look(write(tmp_path / "a.csv", records + rows(100, user=lambda i: f"v{i}", text=lambda i: f"other {i}")), group="user")
    assert set(range(200)) <= set(understood.splits.train.tolist())


def test_further_folds_keep_groups_together(tmp_path):
    records = rows(600, user=lambda i: f"u{i % 120}")
    understood = look(write(tmp_path / "a.csv", records), group="user")
    splits = understood.splits
    data = FitData(understood.problem, understood.rows, understood.targets, splits.train, splits.validation, tmp_path)
    folds = [_refolded(SimpleNamespace(understood=understood, data=data), number) for number in (1, 2)]
    for fold in folds:
        assert np.array_equal(np.sort(np.concatenate([fold.train, fold.validation])), understood.learnable)
        assert not set(splits.groups[fold.train].tolist()) & set(splits.groups[fold.validation].tolist())
        assert abs(len(fold.validation) - len(splits.validation)) <= 5
    assert not np.array_equal(folds[0].validation, folds[1].validation)


def test_answers_that_take_long_are_evaluated_on_a_fixed_sample(tmp_path):
    class Slow(Toy):
        def problem(self, table, match, **how):
            return super().problem(table, match, **how).model_copy(update={"extra": {"validation_rows": 25}})

    catalog = Catalog()
    path = write(tmp_path / "a.csv", rows(600))
    whole = look(path)
    catalog.toy = Slow()
    catalog.tasks = {"toy": catalog.toy}
    understood = look(path, catalog)
    splits, sample = understood.splits, evaluated(understood.problem, understood.splits.validation)
    assert np.array_equal(splits.validation, whole.splits.validation)
    assert len(sample) == 25 < len(splits.validation)
    assert set(sample) < set(splits.validation)
    assert np.array_equal(sample, evaluated(understood.problem, splits.validation))
    assert any("evaluated on 25 of the validation rows" in remark for remark in understood.remarks)
    assert evaluated(whole.problem, splits.validation) is splits.validation
    assert not any("evaluated on" in remark for remark in whole.remarks)
    data = FitData(understood.problem, understood.rows, understood.targets, splits.train, sample, tmp_path)
    fold = _refolded(SimpleNamespace(understood=understood, data=data), 1)
    assert len(fold.validation) == 25
    assert abs(len(fold.train) - len(splits.train)) <= 5


def test_by_time(tmp_path):
    records = rows(date=lambda i: f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}")
    catalog = Catalog()
    understood = look(write(tmp_path / "a.csv", records[::-1]), catalog, time="date")
    assert split_remark(understood) == (
        "split: 130 train, 40 validation, 30 test rows, "
        "time (date): trained up to 2024-05-18, validated from 2024-05-19, tested from 2024-07-03"
    )
    assert "date" not in catalog.toy.shown
    assert understood.rows.names == ("text",)
    assert max(values(understood, "train", records, "date")) < min(values(understood, "validation", records, "date"))
    assert max(values(understood, "validation", records, "date")) < min(values(understood, "test", records, "date"))


def test_rows_without_a_time_are_left_out_and_said(tmp_path):
    path = write(tmp_path / "a.csv", rows(date=lambda i: i if i % 10 else ""))
    understood = look(path, time="date")
    assert f"20 of 200 rows of {path} have no 'date' and are left out" in understood.remarks
    assert len(understood.rows) == len(understood.targets) == len(understood.splits.times) == 180


def test_what_time_brings_is_said(tmp_path):
    records = rows(
        date=lambda i: i, label=lambda i: "c" if 150 < i < 199 else "ab"[i % 2], text=lambda i: "words 3" if i == 199 else f"words {i}"
    )
    remarks = look(write(tmp_path / "a.csv", records), time="date").remarks
    assert "no row to learn from is of 'c': they come later than the train part" in remarks
    assert "1 rows repeat an earlier one and stay in its part, though they are of a later time" in remarks


def test_own_files_are_held_against_groups(tmp_path):
    data = write(tmp_path / "a.csv", rows(user=lambda i: i % 40))
    test = write(tmp_path / "t.csv", rows(30, user=lambda i: 30 + i, text=lambda i: f"new {i}"))
    understood = look(data, group="user", test=test)
    assert "10 of 30 test rows share their user with the data: the test figures flatter" in understood.remarks
    assert understood.splits.test.tolist() == list(range(200, 230))
    assert len(set(understood.splits.groups[200:].tolist()) | set(understood.splits.groups[:200].tolist())) == 40 + 30
    without = write(tmp_path / "w.csv", rows(30, text=lambda i: f"new {i}"))
    assert any("w.csv has no column 'user'" in remark for remark in look(data, group="user", validation=without).remarks)


def test_own_files_are_held_against_time(tmp_path):
    data = write(tmp_path / "a.csv", rows(date=lambda i: 1000 + i))
    later = write(tmp_path / "later.csv", rows(30, date=lambda i: 1190 + i, text=lambda i: f"new {i}"))
    understood = look(data, time="date", test=later)
    assert "10 of 30 test rows are not later than all rows before that part: the test figures may flatter" in understood.remarks
    assert "trained up to 1159, validated from 1160" in split_remark(understood)
    both = look(data, time="date", test=later, validation=later)
    assert len(both.splits.train) == 200


@pytest.mark.parametrize(
    ("column", "flags", "wanted"),
    [
        (lambda i: i, {"group": "usr"}, ["no column 'usr' for --group", "'user'", "did you mean --group user?"]),
        (lambda i: i, {"time": "usr"}, ["no column 'usr' for --time", "did you mean --time user?"]),
        (lambda i: i % 2, {"group": "user"}, ["2 groups by 'user'", "100 of 200 rows", "too few for a validation part"]),
        (lambda i: i % 2, {"time": "user"}, ["'user' has 2 different times, too few for a validation part", "--validation FILE"]),
        (lambda i: "2024-01-01" if i < 7 else "soon", {"time": "user"}, ["a.csv, row 8", "'user' holds 'soon'", "2024-03-05"]),
        (lambda i: "", {"time": "user"}, ["'user' is empty in all 200 rows"]),
    ],
)
def test_what_is_refused(tmp_path, column, flags, wanted):
    data = write(tmp_path / "a.csv", rows(user=column))
    with pytest.raises(DataError) as caught:
        look(data, **flags)
    said = f"{caught.value.message} {caught.value.hint}"
    assert caught.value.exit_code == 2
    assert all(word in said for word in wanted), said


def test_standard_input_has_a_name(monkeypatch):
    content = "text,label\n" + "".join(f"words {i},{'ab'[i % 2]}\n" for i in range(100))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    understood = look(Path("-"))
    assert str(understood.data) == "stdin"
    assert len(understood.rows) == 100


def test_settings_that_do_not_go_together():
    with pytest.raises(SettingsError, match=r'--group is "user" and --time is "date": give one of them'):
        Settings.collect({"data": "a.csv", "group": "user", "time": "date"})
    with pytest.raises(SettingsError, match=r'--time is "date", which is the text, too'):
        Settings.collect({"data": "a.csv", "time": "date", "columns": ["text=date"]})
    with pytest.raises(SettingsError, match=r'--group is "x", which is the label, too'):
        Settings.collect({"data": "a.csv", "group": "x", "label": "x"})
    assert Settings.collect({"data": "a.csv", "group": "user", "text": "review"}).group == "user"


def test_the_columns_to_split_by_are_taken_from_the_table():
    from autoft.steps.parts import without_split_columns

    table = Table({"text": ["a"], "user": [1], "date": [2]})
    assert without_split_columns(table, Settings(group="user")).names == ("text", "date")
    assert without_split_columns(table, Settings()).names == table.names


def test_classes_are_counted_among_the_rows_to_learn_from(tmp_path):
    class Counting(Toy):
        def problem(self, table, match, *, metric, seed):
            counts = [table["label"].count(label) for label in "abc"]
            made = super().problem(table, match, metric=metric, seed=seed)
            return made.model_copy(update={"extra": {"class_counts": counts, "kept": 1}})

    catalog = Catalog()
    catalog.toy = Counting()
    found = look(write(tmp_path / "data.csv", rows(label=lambda i: "ab"[i % 4 == 0])), catalog)
    counts = np.bincount(found.targets[found.splits.train], minlength=3).tolist()
    assert sum(counts) < 200
    assert found.problem.extra == {"class_counts": counts, "kept": 1}
    assert "class_counts" not in look(write(tmp_path / "data.csv", rows())).problem.extra
