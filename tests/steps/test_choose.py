"""Which candidates a run tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import SettingsError, SourceError
from autoft.interfaces.model import Candidate, Limits
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.steps import choose as module
from autoft.steps.choose import Choice, choose, in_time

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


@pytest.mark.parametrize(("licences", "found"), [((), ["toy:known"]), (("apache-2.0", "mit"), ["toy:known"]), (("apache-2.0",), [])])
@pytest.mark.parametrize("named", [True, False])
def test_sources_under_other_licences_are_not_tried(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, licences: tuple[str, ...], found: list[str], named: bool
) -> None:
    class Plain(Toy):
        name = "plain"

        def candidates(self, problem, sources, limits, rows):
            return [Candidate(self.name)]

    catalog.models["plain"] = Plain()
    own = replace(module.sources.find(catalog.sources["known"]), licence="MIT")
    monkeypatch.setattr(module.sources, "at_hand", lambda cards: [own])
    monkeypatch.setattr(module.sources, "resolve", lambda name, cards, **_: own)
    made = choose(["toy:known", "plain"] if named else [], catalog, PROBLEM, LIMITS, ROWS, offline=True, licences=licences)
    assert [c.name for c in made.tried] == [*found, "plain"]
    assert made.named == (frozenset(c.name for c in made.tried) if named else frozenset())
    assert [c.reason for c in made.passed_over] == ([] if found else ["its licence is MIT; allowed: apache-2.0"])


def test_a_licence_that_is_not_known_is_not_an_allowed_one(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"its licence is not known; allowed: mit\)") as caught:
        choose([f"toy:{folder(tmp_path / 'mine', 'a')}"], catalog, PROBLEM, LIMITS, ROWS, offline=True, licences=("mit",))
    assert "autoft models shows the licence" in caught.value.hint


def test_nothing_is_fetched_under_another_licence(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Choosy(Toy):
        def candidates(self, problem, sources, limits, rows):
            return [Candidate(self.name)]

        def wanted(self, problem, cards, limits):
            seen.extend(card.name for card in cards)
            return []

    catalog.models["toy"] = Choosy()
    catalog.sources["free"] = SourceCard("free", "", "Apache-2.0", ("en",), 1)
    choose([], catalog, PROBLEM, LIMITS, ROWS, offline=False, licences=("apache-2.0",))
    assert seen == ["free"]


def test_what_cannot_answer_in_time_is_passed_over_unless_it_is_named_or_all_there_is(tmp_path: Path) -> None:
    small, large = (Candidate("full", Source(name, tmp_path, "")) for name in ("small", "large"))
    choice = Choice((Candidate("linear"), small, large), (), frozenset())

    def slow(*names: str) -> Callable[[Candidate], str]:
        return lambda candidate: "too slow" if candidate.source and candidate.source.name in names else ""

    made = in_time(choice, slow("large"))
    assert made.tried == choice.tried[:2]
    assert [(one.name, one.proposed, one.reason) for one in made.passed_over] == [("full:large", False, "too slow")]
    assert in_time(choice, slow("small", "large")) is choice, "no source would be left"
    assert in_time(replace(choice, named=frozenset({"full:large"})), slow("large")).tried == choice.tried
    assert in_time(choice, slow()).tried == choice.tried
