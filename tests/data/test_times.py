from __future__ import annotations

import datetime

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.data.times import read_times
from autoft.errors import DataError

DAY = datetime.datetime(2024, 3, 5, tzinfo=datetime.UTC).timestamp()


def seconds(*values: object) -> list[float]:
    return read_times(Table({"when": list(values)}, "a.csv"), "when").tolist()


@pytest.mark.parametrize(
    "value",
    [
        "2024-03-05",
        " 2024-3-5 ",
        "20240305",
        "2024/03/05",
        "2024.3.5",
        "2024年3月5日",
        "05.03.2024",
        "5.3.24",
        "Mar 5, 2024",
        "March 5th 2024",
        "5 March 2024",
        "05-Mar-2024",
        "Tue, 05 Mar 2024",
        "2024-03-05T00:00:00Z",
        "2024-03-05 02:00+02:00",
        "2024-03-05 12:00 AM",
        "Tue, 05 Mar 2024 01:00:00 +0100",
        "Mon Mar 04 23:00:00 -0100 2024",
        datetime.date(2024, 3, 5),
        datetime.datetime(2024, 3, 5),
    ],
)
def test_ways_to_write_a_day(value):
    assert seconds(value, "1970-01-02") == [DAY, 86400.0]


def test_months_times_and_fractions():
    assert seconds("2024-03", "2024-03-05 16:30:15.5", "5 Mar 2024 4:30:15 PM") == [DAY - 4 * 86400, DAY + 59415.5, DAY + 59415]


def test_numbers_are_taken_as_they_are():
    assert seconds(2019, 2024.5, -1) == [2019, 2024.5, -1]


@pytest.mark.parametrize(("other", "expected"), [("13/03/2024", "2024-05-03"), ("03/13/2024", "2024-03-05")])
def test_the_column_tells_day_from_month(other, expected):
    assert seconds("03/05/2024", other)[0] == seconds(expected)[0]


def test_where_nothing_tells_day_from_month():
    assert seconds("05/05/2024") == seconds("2024-05-05")
    with pytest.raises(DataError, match=r"does not tell day from month, as in '0\d/0\d/2024'"):
        seconds("03/05/2024", "04/06/2024")


def test_empty_cells_are_not_a_number():
    found = read_times(Table({"when": [None, "2024-03-05", " ", float("nan")]}), "when")
    assert np.isnan(found).tolist() == [True, False, True, True]
    with pytest.raises(DataError, match="empty in all 2 rows"):
        seconds(None, "")


@pytest.mark.parametrize("value", ["yesterday", "2024-02-30", "31.13.2024", "2024-03-05 25:00", True, [1], float("inf"), 5])
def test_what_is_no_time_is_named_with_its_row(value):
    with pytest.raises(DataError, match=r"a\.csv, row 3: the time column 'when' holds .* which is no time") as caught:
        seconds("2024-03-05", None, value)
    assert caught.value.hint


def test_rows_left_out_before_count():
    table = Table({"when": ["2024-03-05", "x", "2024-03-06", "y"]}, "a.csv").take([0, 2, 3])
    with pytest.raises(DataError, match="row 4"):
        read_times(table, "when")
