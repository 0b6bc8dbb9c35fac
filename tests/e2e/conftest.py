"""Real runs through the command line, small enough for a newcomer's machine."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_database(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the user's own list of runs."""
    monkeypatch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path_factory.getbasetemp() / 'runs.sqlite'}")


@pytest.fixture(scope="session")
def bert_tiny() -> str:
    """The name of real weights, fetched once into the cache."""
    from autoft import sources
    from autoft.catalog import Catalog

    card = Catalog.build().sources["bert-tiny"]
    sources.fetch(card)
    return card.name
