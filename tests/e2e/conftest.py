"""Real runs through the command line, small enough for a newcomer's machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, and no run that several of them share, writes into the user's own list of runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path_factory.getbasetemp() / 'runs.sqlite'}")
        yield


@pytest.fixture(scope="session")
def bert_tiny() -> str:
    """The name of real weights, fetched once into the cache."""
    from autoft import sources
    from autoft.catalog import Catalog

    card = Catalog.build().sources["bert-tiny"]
    sources.fetch(card)
    return card.name
