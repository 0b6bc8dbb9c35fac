"""Numbers as files write them, and what stays open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoft.data.columns import as_flag, profile_column
from autoft.data.numerals import Numerals, always_three, decimal_comma, numerals_of, two_readings
from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Match
from autoft_plugins.readers import READERS
from autoft_plugins.tasks.text_regression import TextRegression

TASK = TextRegression()


def learned(prices: list[Any]) -> Problem:
    texts = [f"a lamp with {i} parts" for i in range(len(prices))]
    table = Table({"advert": texts, "price": prices}, "adverts.csv")
    return TASK.problem(table, Match(1.0, {"text": ("advert",), "label": ("price",)}, "by hand"), metric=None, seed=1)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["1.5", "-2e3", " 7 ", ".5"], [1.5, -2000, 7, 0.5]),
        (["4,5", "3"], [4.5, 3]),
        (["$1,174.60", "$905.71", "-$5"], [1174.6, 905.71, -5]),
        (["$3,544", "$928"], [3544, 928]),
        (["1.234,50", "12,50"], [1234.5, 12.5]),
        (["547,62 €", "1.020,00 €"], [547.62, 1020]),
        (["1\u00a0234,50", "2 000,00"], [1234.5, 2000]),
        (["1,234,567", "928"], [1234567, 928]),
        (["15%", "7%"], [15, 7]),
        (["5 USD", "USD 6"], [5, 6]),
        ([3.5, "4.25", 2], [3.5, 4.25, 2]),
        (["0,123", "1,500"], [0.123, 1.5]),
        (["0.5", "1.250", "3"], [0.5, 1.25, 3]),
    ],
)
def test_what_the_column_tells(written: list[Any], read: list[float]) -> None:
    numerals = numerals_of(written)
    assert [numerals.read(value) for value in written] == read
    assert two_readings(written, numerals) is None


def test_what_is_no_number() -> None:
    for value in (True, None, float("nan"), 10**400, "", "12.05.2020", "1,234", "$5", "$5$", "+-5", "١٢", [1]):
        assert Numerals().read(value) is None
    assert numerals_of(["3.5", "4,5"]).read("4,5") is None
    assert numerals_of([3.5, "4,5"]).read("4,5") is None


def test_a_mark_that_may_part_thousands_or_fractions() -> None:
    assert two_readings(["928", "3.883", "4.634"], Numerals()) == (1, 3.883, 3883.0)
    assert two_readings(["3,544", "7,362"], numerals_of(["3,544", "7,362"])) == (0, 3.544, 3544.0)
    for clear in (["3.883", "0.634", "9"], ["3.883", "4.63", "9"], ["3.883", "4.634"], ["1234.567", "8"], ["8", "9"]):
        assert two_readings(clear, numerals_of(clear)) is None
    assert always_three(["3.883", "4.634"], Numerals()) == "3.883"
    assert always_three(["3.883", "0.634"], Numerals()) is None


def test_a_decimal_comma() -> None:
    assert decimal_comma(["1,5", None, "2"])
    for column in (["1,500", "20"], ["1,5", "2.5"], ["1,5", 2.5], ["1,5,7"], ["1", "2"], ["1,5", "x"], []):
        assert not decimal_comma(column)


@pytest.mark.parametrize("values", [["3.883", "4.634", "928"] * 5, ["3,544", "7,362", "4,662"] * 5])
def test_two_readings_are_refused_with_both(values: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        learned(values)
    plain, grouped = values[0].replace(",", "."), values[0].replace(",", "").replace(".", "")
    assert f"adverts.csv, row 1, column 'price': {values[0]!r} may be {plain} or {grouped}" in caught.value.message
    assert f"write {grouped} for thousands" in (caught.value.hint or "")


def test_what_was_made_of_numbers_is_said_and_kept_for_further_files() -> None:
    problem = learned(["$1,174.60", "$905.71", "$12.00"] * 5)
    assert problem.extra["remarks"] == ["numbers like $1,174.60 are read as 1174.6"]
    again = Problem.model_validate_json(problem.model_dump_json())
    assert TASK.targets(again, Table({"price": ["$2,000.50", "$7"]})).tolist() == [2000.5, 7]
    assert "remarks" not in learned([1.5, 2.5, 3.5] * 5).extra
    (remark,) = learned(["3.883", "4.634", "2.950"] * 5).extra["remarks"]  # type: ignore[misc]
    assert "three digits behind a point: 3.883 is read so, not as 3883" in remark


def test_a_few_cells_without_a_number_are_named() -> None:
    prices: list[Any] = [f"{i}.25" for i in range(40)]
    prices[7] = "on request"
    column = profile_column("price", prices)
    assert (column.numbers, column.strays, column.kind) == (True, 1, "number")
    with pytest.raises(DataError, match=r"row 8, column 'price': 'on request' is no number \(39 of 40 are\)"):
        learned(prices)
    prices[7] = "€7,50"
    with pytest.raises(DataError, match=r"row 8, column 'price': '€7,50' looks like a number, but is written otherwise than '0.25'"):
        learned(prices)
    assert not profile_column("price", ["on request"] * 5 + prices[10:]).numbers


def test_a_csv_keeps_what_may_be_thousands_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("advert;price;share;weight\na;3.883;3.883;0.250\nb;928;4.5;1.125\n", encoding="utf-8")
    table = read_table(path, READERS)
    assert [table[name] for name in ("price", "share", "weight")] == [["3.883", "928"], [3.883, 4.5], [0.25, 1.125]]


def test_flags() -> None:
    for yes, no in (("yes", "no"), ("Ja", "nein"), ("TRUE", "FALSE"), (1, 0), (True, False), ("1.0", "0.0"), ("x", "n")):
        assert (as_flag(yes), as_flag(no)) == (1, 0)
        assert profile_column("x", [yes, no, yes]).flags
    assert as_flag("perhaps") is None
    assert not profile_column("x", ["yes", "no", "perhaps"]).flags
