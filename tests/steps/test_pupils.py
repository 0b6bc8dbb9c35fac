"""Whom the winner may teach."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import SettingsError
from autoft.hardware import limits
from autoft.interfaces.model import Candidate
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.settings import Settings, layers_of
from autoft.steps import pupils as module
from autoft.steps.pupils import Pupils, pupils_of

PROBLEM = Problem(
    task="toy", fields={"text": ("text",)}, inputs=("text",), labels=("a", "b"), metric=Metric(name="accuracy"),
    head=Head(kind="single_label_classification", outputs=2),
)  # fmt: skip
ROWS = Table({"text": ["x"]})


class Plain:
    name = "plain"
    summary = ""


class Teachable:
    name = "teachable"
    summary = ""

    def students(self, problem, sources, limits, rows):
        found = [
            Candidate(self.name, one, one.name != "odd", "odd" if one.name == "odd" else "", forward=one.parameters) for one in sources
        ]
        return [] if problem.task == "writing" else found

    def shortened(self, model, source, layers, folder):
        raise NotImplementedError


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """Three sources at hand; one more that could be fetched."""
    sizes = {"large": 30, "small": 10, "odd": 1, "middle": 20}
    have = {
        name: Source(name, Path(name), name[0] * 64, "MIT" if name != "small" else "GPL", ("en",), size) for name, size in sizes.items()
    }
    monkeypatch.setattr(module.sources, "at_hand", lambda cards: [have[name] for name in ("large", "small", "odd")])
    monkeypatch.setattr(module.sources, "resolve", lambda name, cards, **_: have[name])
    cards = {name: SourceCard(name, "", "MIT", ("en",), size) for name, size in sizes.items()}
    models = {"plain": Plain(), "teachable": Teachable()}
    return Catalog(models=models, tasks={}, readers={}, encoders={}, exporters={}, tuners={}, trackers={}, sources=cards)


def made(catalog, distill, problem=PROBLEM, **settings) -> Pupils | None:
    tried = [Candidate("plain"), Candidate("full", Source("large", Path("large"), "l" * 64))]
    return pupils_of(Settings(distill=distill, **settings), catalog, problem, tried, limits(None), ROWS, lambda _: None)


def names(found: Pupils) -> list[str]:
    return [candidate.name for candidate in found.candidates]


def test_those_that_suit_the_quickest_first(catalog):
    assert made(catalog, None) is None
    assert names(made(catalog, "smallest")) == ["teachable:small", "teachable:large"]
    assert names(made(catalog, "smallest", licences=("mit",))) == ["teachable:large"]
    assert names(made(catalog, "smallest", max_size=12)) == ["teachable:small"]


def test_the_one_that_is_named(catalog):
    found = made(catalog, "middle")
    assert names(found) == ["teachable:middle"]
    assert found.quicker_than(Candidate("full", forward=1.0)).name == "teachable:middle"
    with pytest.raises(SettingsError, match="there is no source named 'midle'; did you mean 'middle'"):
        made(catalog, "midle")
    with pytest.raises(SettingsError, match=r"no source can learn from the winner \(teachable:odd: odd\)"):
        made(catalog, "odd")


def test_only_what_is_quicker_than_the_winner(catalog):
    found = made(catalog, "smallest")
    assert found.quicker_than(Candidate("full", forward=30.0)).name == "teachable:small"
    assert found.quicker_than(Candidate("full", forward=10.0)) is None
    alone = made(catalog, "smallest", licences=("mit",))
    assert len(alone.candidates) == 1
    assert alone.quicker_than(Candidate("full", forward=30.0)) is None, "it would teach itself"


def test_layers(catalog):
    found = made(catalog, "layers=3")
    assert (found.layers, found.candidates) == (3, ())
    assert [layers_of(text) for text in ("layers=3", "layers = 12", "layers=x", "my-layers=3", "smallest")] == [3, 12, None, None, None]
    for wrong in ("layers=0", "layers=-1", "layers=many"):
        with pytest.raises(SettingsError, match="it must be smallest, the name of a source, or layers=N"):
            Settings.collect({"distill": wrong})


def test_where_nothing_learns_so(catalog):
    with pytest.raises(SettingsError, match="nothing learns a writing problem from a teacher"):
        made(catalog, "smallest", PROBLEM.model_copy(update={"task": "writing"}))
    with pytest.raises(SettingsError, match="nothing learns a writing problem from a teacher"):
        made(catalog, "layers=2", PROBLEM.model_copy(update={"task": "writing"}))
    bare = Catalog(models={"plain": Plain()}, tasks={}, readers={}, encoders={}, exporters={}, tuners={}, trackers={}, sources={})
    with pytest.raises(SettingsError, match="no model learns from a teacher"):
        made(bare, "smallest")
