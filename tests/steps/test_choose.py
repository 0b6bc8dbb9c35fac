"""Which candidates a run tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import SettingsError, SourceError
from autoft.interfaces.model import Candidate, Limits
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.steps import choose as module
from autoft.steps.choose import choose

PROBLEM = Problem(
    task="toy",
    fields={"text": ("text",)},
    inputs=("text",),
    labels=("a", "b"),
    head=Head(kind="single_label_classification", outputs=2),
    metric=Metric(name="accuracy"),
)
LIMITS = Limits(memory=1 << 30, threads=1, gpus=0, seconds=None, flops=1e9)
ROWS = Table({"text": ["x"]})


class Toy:
    """A model that takes whatever source it is given."""

    name = "toy"
    summary = ""

    def candidates(self, problem, sources, limits, rows):
        return [Candidate(self.name, source) for source in sources]

    def wanted(self, problem, cards, limits):
        return []


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Catalog:
    """A card `known` that is at hand, and folders that are sources by their path."""
    cards = {"known": SourceCard("known", "", "MIT", ("en",), 1)}
    own = Source("known", tmp_path / "cache" / "known", "c" * 64)

    def resolve(name: str, cards: object, **_: object) -> Source:
        return own if name == "known" else Source(Path(name).name, Path(name).resolve(), Path(name, "weights").read_text())

    monkeypatch.setattr(module.sources, "resolve", resolve)
    monkeypatch.setattr(module.sources, "find", lambda card: own)
    monkeypatch.setattr(module.sources, "at_hand", lambda cards: [own])
    return Catalog(models={"toy": Toy()}, tasks={}, readers={}, encoders={}, exporters={}, tuners={}, trackers={}, sources=cards)


def folder(path: Path, digit: str) -> str:
    path.mkdir(parents=True)
    (path / "weights").write_text(digit * 64)
    return str(path)


def tried(catalog: Catalog, *models: str) -> list[str]:
    return [c.name for c in choose(models, catalog, PROBLEM, LIMITS, ROWS, offline=True).tried]


def test_folders_of_one_name_are_told_apart(catalog: Catalog, tmp_path: Path) -> None:
    first, second = folder(tmp_path / "a" / "model", "1"), folder(tmp_path / "b" / "model", "2")
    assert tried(catalog, f"toy:{first}", f"toy:{second}") == ["toy:model", "toy:model-22222222"]
    assert tried(catalog, f"toy:{first}", first, f"toy:{first}") == ["toy:model"]


def test_a_folder_gives_way_to_the_card_of_its_name(catalog: Catalog, tmp_path: Path) -> None:
    path = folder(tmp_path / "known", "3")
    assert tried(catalog, f"toy:{path}", "toy:known") == ["toy:known-33333333", "toy:known"]
    assert tried(catalog, path, "toy") == ["toy:known-33333333", "toy:known"]


def test_the_same_weights_twice_under_one_name_are_refused(catalog: Catalog, tmp_path: Path) -> None:
    paths = [folder(tmp_path / name / "model", "1") for name in ("a", "b", "c")]
    with pytest.raises(SettingsError, match="have one name and hold the same weights"):
        tried(catalog, *(f"toy:{path}" for path in paths))


def test_a_source_alone_leaves_it_to_the_models_whether_they_suit(catalog: Catalog) -> None:
    class Shy(Toy):
        name = "shy"

        def candidates(self, problem, sources, limits, rows):
            return [Candidate(self.name, source, proposed=False, reason="for other data") for source in sources]

    catalog.models["shy"] = Shy()
    made = choose(["known"], catalog, PROBLEM, LIMITS, ROWS, offline=True)
    assert [c.name for c in made.tried] == ["toy:known"]
    assert [(c.name, c.reason) for c in made.passed_over] == [("shy:known", "for other data")]
    assert tried(catalog, "known", "shy:known") == ["toy:known", "shy:known"]
    del catalog.models["toy"]
    assert tried(catalog, "known") == ["shy:known"]


@pytest.mark.parametrize("others", [True, False])
def test_where_no_weights_suit_the_message_says_what_does(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, others: bool) -> None:
    """A model without weights is only named where there is one for this problem."""

    class Choosy(Toy):
        def candidates(self, problem, sources, limits, rows):
            return []

        def wanted(self, problem, cards, limits):
            return list(cards)

    class Plain(Toy):
        name = "plain"

        def candidates(self, problem, sources, limits, rows):
            return [Candidate(self.name)] if others else []

    catalog.models.clear()
    catalog.models.update(toy=Choosy(), plain=Plain())
    with pytest.raises(SourceError, match="--offline") as caught:
        choose((), catalog, PROBLEM, LIMITS, ROWS, offline=True)
    assert caught.value.hint is not None
    assert "autoft models fetch known" in caught.value.hint
    assert ("--models plain, which needs no pretrained weights" in caught.value.hint) == others
    assert ("--models FOLDER" in caught.value.hint) != others
