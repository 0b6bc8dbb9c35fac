"""First points are mined as they say: the same points on all sets, the greedy order, nothing seen of the set left out."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from statistics import mean
from types import ModuleType, SimpleNamespace

import pytest

from autoft.catalog import Catalog
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.space import Choice, Integer, LogUniform, Space, Uniform
from autoft_plugins.models.transformer.portfolio import placed, relative
from autoft_plugins.models.transformer.spaces import full_space

FIGURES = {
    "a": {"default": 0.6, "hand 1": 0.6, "drawn 1": 1.0, "drawn 2": 0.1, "drawn 3": 0.5, "drawn 4": 0.0},
    "b": {"default": 0.6, "hand 1": 0.6, "drawn 1": 0.1, "drawn 2": 1.0, "drawn 3": 0.5, "drawn 4": 0.0},
    "c": {"default": 0.6, "hand 1": 0.6, "drawn 1": 0.1, "drawn 2": 0.1, "drawn 3": 1.0, "drawn 4": 0.0},
}
"""By hand: regrets are 1 less the figures. drawn 3 has the least mean, (.5 + .5 + 0) / 3. After it drawn 1 and drawn 2 bring the mean to
.5 / 3, the default to .8 / 3; they are alike, so the first of them. Then drawn 2 brings it to 0, and of the rest, which lower nothing, the
default is the best by itself."""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def mining() -> ModuleType:
    return import_module("portfolio.mining")


@pytest.fixture
def terms() -> ModuleType:
    return import_module("portfolio.points")


def problem_of(counts: dict[str, int] | None) -> Problem:
    head = Head(kind="single_label_classification" if counts else "regression", outputs=len(counts or "1"))
    known = {"class_counts": list(counts.values())} if counts else {}
    return Problem(
        task="toy", fields={}, inputs=("text",), labels=tuple(counts or ()), head=head, metric=Metric(name="f1_macro"), extra=known
    )


def rows_of(figures, *, metric="f1_macro", greater=True, alike=(("default", "hand 1"),)):
    """A row for each set and point; names in `alike` share one, as where they come to the same settings."""
    rows = []
    for name, points in figures.items():
        for point, best in points.items():
            names = next((group for group in alike if point in group), (point,))
            if names[0] == point:
                own = {one: {"learning_rate": float(len(one)), "n": one} for one in names}
                judged = {"metric": metric, "greater_is_better": greater, "best": best, "last": best, "seconds": 1.0}
                facts = {"task": "t", "rows": {"learned": 2, "judged": 1}, "sha256": "s", "source": "x", "seed": 0, "code": "abc"}
                rows.append({"set": name, "points": own, "hyperparameters": {"n": point}, **judged, **facts})
    return rows


def test_the_greedy_order_of_an_example_done_by_hand(mining) -> None:
    found = mining.measured(rows_of(FIGURES))
    assert list(found.points) == ["default", "hand 1", "drawn 1", "drawn 2", "drawn 3", "drawn 4"]
    order = mining.mined_without(found, None)
    assert order == ["drawn 3", "drawn 1", "drawn 2", "default"]
    courses = [one.course(order) for one in found.sets.values()]
    assert [mean(values) for values in zip(*courses, strict=True)] == pytest.approx([1 / 3, 0.5 / 3, 0, 0])


def test_a_regret_is_between_the_best_and_the_worst_of_a_set(mining) -> None:
    errors = {"a": {"default": 3.0, "drawn 1": 1.0, "drawn 2": 2.0}, "b": dict.fromkeys(("default", "drawn 1", "drawn 2"), 5.0)}
    found = mining.measured(rows_of(errors, metric="mae", greater=False, alike=()))
    assert found.sets["a"].regrets() == {"default": 1.0, "drawn 1": 0.0, "drawn 2": 0.5}
    assert set(found.sets["b"].regrets().values()) == {0.0}
    assert mining.mined_without(found, None)[0] == "drawn 1"


def test_leaving_a_set_out_sees_nothing_of_it(mining) -> None:
    held = mining.left_one_out(mining.measured(rows_of(FIGURES)))
    assert held["a"]["order"][:2] == ["drawn 3", "drawn 2"], "drawn 1 is good on a alone"
    assert held["a"]["mined"] == pytest.approx([0.5, 0.5, 0.4, 0.4])
    for left in FIGURES:
        values = [*FIGURES[left].values()]
        for turned in (values[::-1], *(values[by:] + values[:by] for by in range(len(values)))):
            other = {**FIGURES, left: dict(zip(FIGURES[left], turned, strict=True))}
            rows = rows_of(other, alike=())
            assert mining.mined_without(mining.measured(rows), left) == held[left]["order"]


def test_settings_that_are_alike_on_a_set_are_tried_once(mining) -> None:
    one = mining.measured(rows_of(FIGURES)).sets["a"]
    assert one.course(["default", "hand 1", "drawn 3"]) == pytest.approx([0.4, 0.4, 0.4, 0.4])
    assert one.course(["default", "hand 1", "drawn 1"]) == pytest.approx([0.4, 0.0, 0.0, 0.0])
    settings = [0.4, 0.0, 0.9, 0.5, 1.0]
    for many, told in enumerate(one.by_chance(), start=1):
        assert told == pytest.approx(mean(min(order[:many]) for order in itertools.permutations(settings)))


def test_the_last_row_counts_and_what_is_missing_on_a_set_is_left_out(mining) -> None:
    rows = rows_of(FIGURES)
    again = {**rows[0], "best": 0.9}
    found = mining.measured([row for row in [*rows, again] if not (row["set"] == "b" and "drawn 2" in row["points"])])
    assert found.sets["a"].figures["default"] == 0.9
    assert found.left_out == ("drawn 2",)
    assert "drawn 2" not in mining.mined_without(found, None)
    other = {**rows[0], "points": {"default": {"learning_rate": 2.0}}}
    with pytest.raises(ValueError, match=r"default is .* rows of other points"):
        mining.measured([*rows, other])
    second = {**rows[0], "best": 0.1, "seed": 1}
    assert mining.measured([*rows, again, second]).sets["a"].figures["default"] == pytest.approx(0.5), "the mean over seeds"
    changed = {**rows[0], "best": 0.1, "sha256": "new"}
    found = mining.measured([*rows, changed])
    assert found.sets["a"].figures == {"default": 0.1, "hand 1": 0.1}
    assert found.left_out == ("drawn 1", "drawn 2", "drawn 3", "drawn 4"), "of the files as they are now"
    with pytest.raises(ValueError, match="no point"):
        mining.measured([row for row in rows if (row["set"] == "a") == ("drawn 1" in row["points"])])


@pytest.mark.parametrize(("body", "rows"), [(1e6, 400), (1e7, 1200), (8.5e7, 1200), (3e8, 30_000)])
def test_relative_terms_are_the_same_point_again(terms, body, rows) -> None:
    space = full_space(body, problem_of({"a": 90, "b": 10}), rows)
    named = terms.points(space, 15)
    assert list(named)[:5] == ["default", "hand 1", "hand 2", "hand 3", "drawn 1"], "no layers can be left"
    assert named["default"] == {**space.default, "learning_rate": 1.0, "epochs": 1.0}
    for point in [space.default, *space.first, *terms.drawn(space, 15)]:
        back = placed(relative(point, space.default), space.parameters, space.default)
        assert back == pytest.approx(point)
        assert type(back["epochs"]) is int


def test_terms_mean_the_same_in_another_space() -> None:
    small = full_space(1e7, problem_of({"a": 90, "b": 10}), 400)
    large = full_space(8.5e7, problem_of(None), 4000)
    point = {**small.default, "learning_rate": 2 * small.default["learning_rate"], "epochs": 8, "balance": "focal"}
    moved = placed(relative(point, small.default), large.parameters, large.default)
    assert moved["learning_rate"] == pytest.approx(2 * large.default["learning_rate"])
    assert moved["epochs"] == large.parameters["epochs"].high, "twice the default, held within the space"
    assert set(moved) == set(large.parameters)
    assert placed(relative(large.default, large.default), small.parameters, small.default) == pytest.approx(small.default)
    assert placed({"batch_size": 64}, small.parameters, small.default) == small.default, "a choice that the space does not give"


def test_drawn_points_fill_the_space_and_more_begin_with_the_same(terms) -> None:
    parameters = {"rate": LogUniform(1e-5, 1e-3), "share": Uniform(0, 1), "epochs": Integer(2, 5), "way": Choice(("a", "b"))}
    space = Space(parameters, {"rate": 1e-4, "share": 0.5, "epochs": 3, "way": "a"})
    many = terms.drawn(space, 64)
    assert terms.drawn(space, 15) == many[:15]
    assert terms.drawn(space, 0) == []
    assert Counter(point["way"] for point in many) == {"a": 32, "b": 32}
    assert set(Counter(point["epochs"] for point in many).values()) == {16}
    assert sorted(int(8 * math.log(point["rate"] / 1e-5, 100)) for point in many) == sorted([*range(8)] * 8)
    assert json.loads(json.dumps(many)) == many


def test_no_set_to_mine_on_is_one_to_judge_by() -> None:
    from portfolio.sets import SETS
    from search.sets import SETS as JUDGING

    judging = {one for made in JUDGING.values() for one in made.args}
    assert {"news", "topics", "ratings"} <= judging
    assert not set(SETS) & {*JUDGING, *judging, "movies", "reviews", "digests"}


def test_rows_are_drawn_of_each_class_and_none_is_in_both_files() -> None:
    from portfolio.sets import BINS, parted, strata

    codes = strata("spam", ["ham"] * 4000 + ["spam"] * 1000)
    learned, judged = parted(codes, 1200)
    assert (len(learned), len(judged)) == (1200, 1200)
    assert not set(learned) & set(judged)
    assert [sum(codes[part]) for part in (learned, judged)] == [240, 240]
    assert (learned, judged) == parted(codes, 1200)
    assert [len(part) for part in parted(codes[3500:4500], 1200)] == [667, 333]
    bins = Counter(strata("editorials", [str(number / 7) for number in range(1000)]).tolist())
    assert sorted(bins) == list(range(BINS))
    assert max(bins.values()) - min(bins.values()) <= 2


def stub(name: str, counts: dict[str, int] | None) -> SimpleNamespace:
    data = SimpleNamespace(problem=problem_of(counts), learnable=range(1200))
    return SimpleNamespace(name=name, sha256="abc", understood=lambda _: data)


def test_a_point_is_the_same_on_all_sets_and_what_is_alike_there_one_trial(terms, tiny_source) -> None:
    from portfolio.trials import jobs_of

    samples = [stub("uneven", {"a": 900, "b": 300}), stub("numbers", None)]
    jobs = list(jobs_of(Catalog.build(), tiny_source("bert"), samples, 2, 0))
    by_set = {name: [job for job in jobs if job.sample.name == name] for name in ("uneven", "numbers")}
    assert [list(job.points) for job in by_set["uneven"]] == [[n] for n in ("default", "hand 1", "hand 2", "hand 3", "drawn 1", "drawn 2")]
    assert [list(job.points) for job in by_set["numbers"]] == [["default", "hand 1"], ["hand 2"], ["hand 3"], ["drawn 1"], ["drawn 2"]]
    assert by_set["uneven"][1].hyperparameters["balance"] == "weights"
    assert "balance" not in by_set["numbers"][0].hyperparameters
    uneven, numbers = ({name: one.points[name] for one in found for name in one.points} for found in by_set.values())
    assert uneven == numbers
    assert [job.sample.name for job in jobs[:3]] == ["uneven", "numbers", "uneven"], "a benchmark that is cut off has seen all sets"
    own = full_space(0, problem_of({"a": 900, "b": 300}), 1200).default
    assert [job.hyperparameters for job in by_set["uneven"][:2]] == [own, own | {"balance": "weights"}]


def test_what_is_measured_is_not_measured_again(tmp_path, monkeypatch, tiny_source) -> None:
    from portfolio import __main__ as portfolio

    source = tiny_source("bert")
    samples = {name: stub(name, {"a": 900, "b": 300}) for name in portfolio.SETS}
    first = next(portfolio.jobs_of(Catalog.build(), source, [*samples.values()], 1, 0))
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({**first.key, "best": 0.5}) + "\n", encoding="utf-8")
    asked = []
    monkeypatch.setattr(portfolio, "sample", lambda name, rows, folder: samples[name])
    monkeypatch.setattr(portfolio, "source", lambda _: source)
    monkeypatch.setattr(portfolio, "appended", lambda file, jobs: [asked.append(job) or job.name for job in jobs[:1]])
    monkeypatch.setattr(sys, "argv", ["portfolio", "measure", "--points", "1", "--file", str(file)])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(SystemExit, match="1 of 24 failed: tweets tiny-bert default"):
        portfolio.main()
    assert asked[0].key != first.key


def test_a_trial_leaves_its_figures(tmp_path, tiny_source) -> None:
    from portfolio import sets as portfolio_sets
    from portfolio.trials import FailedTrialError, Job, tried

    for name, rows in (("learned", 48), ("judged", 24)):
        lines = [f"the phone is {'good' if number % 2 else 'bad'} {number},{'yes' if number % 2 else 'no'}" for number in range(rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    sample = portfolio_sets.Sample("spam", tmp_path / "learned.csv", tmp_path / "judged.csv", "abc")
    chosen = {**full_space(0, problem_of({"a": 1, "b": 1}), 48).default, "learning_rate": 5e-3, "batch_size": 8, "epochs": 12}
    row = tried(Job(sample, tiny_source("bert"), {}, chosen, 0))
    assert row["rows"] == {"learned": 48, "judged": 24}
    assert row["metric"] == "f1_macro"
    assert 0.9 < row["best"] <= 1
    assert row["last"] <= row["best"]
    with pytest.raises(FailedTrialError, match="the loss is not finite"):
        tried(Job(sample, tiny_source("bert"), {}, {**chosen, "learning_rate": 1e30}, 0))


def test_mining_writes_where_it_comes_from(tmp_path, monkeypatch, capsys) -> None:
    from portfolio import __main__ as portfolio

    file, output = tmp_path / "rows.jsonl", tmp_path / "portfolio.json"
    rows = rows_of(FIGURES)
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "source": "other"}]), encoding="utf-8")
    arguments = ["portfolio", "mine", "--source", "x", "--file", str(file), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    portfolio.main()
    made = json.loads(output.read_text(encoding="utf-8"))
    assert (made["source"], made["rows"], made["points"], made["commits_measured"]) == ("x", 15, 6, ["abc"])
    assert {name: (one["worst"], one["best"]) for name, one in made["sets"].items()} == dict.fromkeys("abc", (0.0, 1.0))
    assert [one["point"] for one in made["portfolio"]] == ["drawn 3", "drawn 1", "drawn 2", "default"]
    assert made["portfolio"][0]["relative"] == {"n": "drawn 3"}, "its learning rate is the default's"
    assert made["portfolio"][3]["relative"] == {}
    assert made["regret_left_out"]["by hand"] == pytest.approx([0.4] * 4)
    lines = capsys.readouterr().out.splitlines()
    assert "1            0.467     0.400     0.587" in lines
    monkeypatch.setattr(sys, "argv", [*arguments[:2], "--source", "none", *arguments[4:]])
    with pytest.raises(SystemExit, match="no two sets measured with none"):
        portfolio.main()
