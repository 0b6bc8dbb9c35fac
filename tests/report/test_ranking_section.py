"""The ranking of sources in the report."""

from __future__ import annotations

import pytest

from autoft.report.ranking import ranking_section


def row(source: str, score: float | None, later: float | None, *, tuned: bool = True) -> dict:
    return {"source": source, "score": score, "rows": 300, "seconds": 1.2, "tuned": tuned, "measure": "H-score", "best_value_later": later}


def shown(*rows: dict, greater: bool = True) -> str:
    return str(ranking_section(list(rows), "f1", greater_is_better=greater) or "")


def test_nothing_is_shown_where_nothing_was_ranked():
    assert shown() == ""
    assert ranking_section(None, "f1", greater_is_better=True) is None


def test_the_table_holds_scores_and_what_came_of_them():
    page = shown(row("large", 0.66, 0.91), row("small", 0.4567, 0.83), row("odd<", 0.1, None, tuned=False))
    assert page.index("large") < page.index("small") < page.index("odd&lt;")
    for text in ("0.6600", "0.4567", "0.9100", "not tuned", "300 of the training rows"):
        assert text in page


@pytest.mark.parametrize(
    ("first", "second", "greater", "said"),
    [
        (0.9, 0.8, True, "It was right"),
        (0.8, 0.8, True, "It was right"),
        (0.8, 0.9, True, "It was wrong: second"),
        (1.5, 2.5, False, "It was right"),
        (2.5, 1.5, False, "It was wrong: second"),
        (0.8, None, True, ""),
    ],
)
def test_it_says_whether_it_was_right(first, second, greater, said):
    page = shown(row("first", 0.6, first), row("second", 0.5, second), row("third", None, 9.0), greater=greater)
    assert said in page
    assert ("It was" in page) == bool(said)
