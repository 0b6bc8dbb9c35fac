"""What keeps within the user's limits, and what is nearest where nothing does."""

from __future__ import annotations

import pytest

from autoft.catalog import Catalog
from autoft.errors import SettingsError
from autoft.interfaces.problem import Metric
from autoft.interfaces.result import Option
from autoft.report.limits import limits_section
from autoft.settings import Settings, parse_latency, parse_size
from autoft.steps.bounds import Bounds, best_within, limits_in_words, with_front

F1, MAE = Metric(name="f1_macro"), Metric(name="mae", greater_is_better=False)
BOTH = Bounds(0.010, 50_000_000, 2)


def option(name, value, seconds, size, bounds=BOTH, trial=1):
    return Option(
        candidate=name,
        trial=trial,
        format="onnx",
        value=value,
        p50_seconds=seconds / 2,
        p95_seconds=seconds,
        bytes=size,
        times_over=bounds.times_over(seconds, size),
    )


LARGE = option("large", 0.95, 0.040, 440_000_000)
MIDDLE = option("middle", 0.90, 0.006, 91_000_000)
SMALL = option("small", 0.89, 0.003, 23_000_000)
TINY = option("tiny", 0.70, 0.001, 1_000_000)


def test_the_best_of_those_within():
    assert SMALL.times_over == pytest.approx(0.46)
    assert best_within([LARGE, MIDDLE, SMALL, TINY], F1) is SMALL
    assert best_within([TINY], F1) is TINY


def test_a_metric_that_should_be_small():
    assert best_within([SMALL, TINY], MAE) is TINY


def test_of_equal_figures_the_quicker():
    slower = option("slower", 0.89, 0.004, 1)
    assert best_within([slower, SMALL], F1) is SMALL


def test_one_limit_alone():
    quick = Bounds(0.010, None, 2)
    assert quick.times_over(0.006, 10**12) == pytest.approx(0.6)
    assert Bounds(None, 100, 1).times_over(99.0, 150) == pytest.approx(1.5)


def test_where_nothing_keeps_within_them_the_nearest():
    found = [LARGE, MIDDLE]
    nearest = best_within(found, F1)
    assert nearest is MIDDLE
    said = limits_in_words(BOTH, nearest, found)
    assert said.startswith("NOTHING of 2 exports tried keeps within --max-latency 10 ms and --max-size 50 MB")
    assert "82 % over: 6 ms (95th percentile of one row, 2 threads) and 91 MB" in said


def test_a_figure_that_is_no_number_is_the_worst():
    assert best_within([option("none", None, 0.001, 1), TINY], F1) is TINY


def test_the_front():
    worse = option("worse", 0.85, 0.007, 95_000_000)
    twice = TINY.model_copy(update={"trial": 2})
    front = {(one.candidate, one.trial): one.front for one in with_front([LARGE, MIDDLE, SMALL, TINY, worse, twice], F1)}
    assert [name for (name, _), on in front.items() if not on] == ["worse"]


def test_the_smallest_format_is_tried_where_the_size_is_limited():
    catalog = Catalog.build(kinds=("exporters",))
    named = ["onnx", "onnx-int8", "onnx-int8-static"]
    for given, expected in (
        ({"max_latency": "10ms"}, named),
        ({"max_size": "20MB"}, [*named, "onnx-int8-small"]),
        ({"max_size": "20MB", "exporter": "onnx-int8-small"}, ["onnx-int8-small", *named]),
    ):
        settings = Settings.collect(given)
        assert Bounds.of(settings, 1).formats(settings, catalog) == expected


def test_bounds_of_settings():
    assert Bounds.of(Settings(), 2) is None
    given = Settings.collect({"max_latency": "10ms", "max_size": "48MiB"})
    assert Bounds.of(given, 2) == Bounds(0.010, 48 * 2**20, 2)
    assert Settings(**given.model_dump(mode="json")).max_size == 48 * 2**20


@pytest.mark.parametrize(("text", "seconds"), [("10ms", 0.01), ("0.2 s", 0.2), ("500us", 0.0005), (0.01, 0.01)])
def test_latencies(text, seconds):
    assert parse_latency(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "size"), [("50MB", 50_000_000), ("1.5 GB", 1_500_000_000), ("1KiB", 1024), (7, 7)])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["10", "fast", "10 MB", "-1ms", "0ms", "nanms", True, 0, float("nan")])
def test_what_is_no_latency(text):
    with pytest.raises(ValueError, match="10ms"):
        parse_latency(text)


def test_a_bad_limit_says_what_it_must_be():
    with pytest.raises(SettingsError) as error:
        Settings.collect({"max_latency": "soon", "max_size": "small"})
    assert '--max-latency is "soon"; it must be a time such as 10ms or 0.2s' in error.value.message
    assert '--max-size is "small"; it must be a size such as 50MB' in error.value.message


def test_the_report_draws_them():
    options = [one.model_dump(mode="json") for one in with_front([LARGE, MIDDLE, SMALL], F1)]
    limits = {"max_latency_seconds": 0.01, "max_bytes": 50_000_000, "threads": 2, "met": True, "options": options}
    page = str(limits_section({"metric": "f1_macro", "limits": limits, "best": {"trial": 1}, "formats": [{"name": "onnx"}]}))
    assert page.count("<circle") == 3
    assert "the limit: 10" in page
    assert "large as onnx: 0.9500, 40.00 ms, 440.0 MB" in page
    assert limits_section({"limits": None}) is None
