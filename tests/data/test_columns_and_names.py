from __future__ import annotations

import datetime

import pytest

from autoft.data.columns import is_missing, profile, profile_column
from autoft.data.names import listed, nearest
from autoft.data.table import Table


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("empty", [None, "", "  ", float("nan")]),
        ("text", [f"this is sentence number {i}" for i in range(30)]),
        ("text", ["Müller", "Garcia", "O'Neil", "Tanaka", "Smith"]),
        ("text", [f"这是第{i}条很好的评论" for i in range(30)]),
        ("class", ["pos", "neg"] * 10),
        ("class", [1, 2, 3, 4, 5] * 4),
        ("class", [True, False, True]),
        ("class", [0.0, 0.5, 1.0] * 8),
        ("class", [float(i % 4) for i in range(40)]),
        ("class", [i % 150 for i in range(1500)]),
        ("class", [f"intent_{i % 77}" for i in range(770)]),
        ("number", [i * 0.37 for i in range(40)]),
        ("number", [(i * 7919) % 1000 // 2 for i in range(60)] * 2),
        ("identifier", list(range(40))),
        ("identifier", [f"ORD-{i:05d}" for i in range(40)]),
        ("identifier", [f"https://shop.example/item/{i}" for i in range(40)]),
        ("date", [f"2024-03-{i:02d}" for i in range(1, 20)]),
        ("date", [f"{i}/3/2024 10:15" for i in range(1, 20)]),
        ("date", [datetime.date(2024, 3, 1)] * 5),
        ("list", [["a"], ["a", "b"]]),
        ("other", [{"a": 1}, {"a": 2}]),
    ],
)
def test_kinds(kind, values):
    assert profile_column("x", values).kind == kind


def test_figures():
    column = profile(Table({"t": ["one two", None, " ", "three", "three"]}))[0]
    assert (column.rows, column.missing, column.present, column.distinct) == (5, 2, 3, 2)
    assert column.mean_words == pytest.approx(4 / 3)
    assert column.mean_length == pytest.approx(17 / 3)
    assert column.strings


def test_missing():
    assert [is_missing(value) for value in (None, "", "\t ", float("nan"), 0, False, "0", [])] == [True] * 4 + [False] * 4


@pytest.mark.parametrize(
    ("name", "found"),
    [("lable", "label"), ("LABEL", "label"), ("star", "stars"), ("rating", "customer_rating_value"), ("zzz", None), ("", None)],
)
def test_nearest(name, found):
    assert nearest(name, ["text", "label", "stars", "customer_rating_value"]) == found
    assert nearest(name, []) is None


def test_listed():
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed(map(str, range(5)), 2) == "'0', '1' and 3 more"


def test_sizes_of_rows_are_those_of_all_their_texts_and_lists():
    table = Table({"text": ["abc", "", None], "words": [[(0, 3)], [], [(0, 1), (1, 2)]], "number": [7, 8.0, 9]})
    assert table.sizes() == [4, 0, 2]


def test_the_records_of_a_table_can_be_gone_through_again():
    table = Table({"text": ["a", "b"], "alarm": [1, 0]})
    records = table.records()
    assert [row["text"] for row in records] == ["a", "b"]
    assert [row["alarm"] for row in records] == [1, 0]
    assert len(records) == 2
    assert list(Table({}).records()) == []
