"""All pages: where their links lead, and what the page on the search says of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoft.progress import STAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def anchors(page: Path) -> set[str]:
    """Of its headings, as the hosts of repositories make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, _, anchor in re.findall(r"\]\(([^)#:]*)(#([^)]*))?\)", page.read_text(encoding="utf-8")):
        other = page.parent / target if target else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), f"{target}#{anchor}"


def test_the_page_on_the_search_tells_each_stage_in_the_words_of_the_screen_and_in_their_order() -> None:
    told = " ".join((DOCS / "search.md").read_text(encoding="utf-8").split())
    places = [told.find(f"**{text}") for text in STAGES.values()]
    assert -1 not in places
    assert places == sorted(places)


def test_the_page_on_the_search_names_files_that_are_there() -> None:
    named = set(re.findall(r"`([\w./]+\.py)`", (DOCS / "search.md").read_text(encoding="utf-8")))
    roots = ("platform", "plugins", "autotune")
    files = [f"/{path.relative_to(ROOT).as_posix()}" for root in roots for path in (ROOT / root).rglob("*.py")]
    assert len(named) > 20
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []
