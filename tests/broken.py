"""Plugins with one thing wrong, and what their check says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoft.testing import ContractBroken

ROOT = Path(__file__).parents[1]


def but(kind: type, **members: Any) -> Any:
    """An object of the class with other members."""
    return type(kind.__name__, (kind,), members)()


def finds(check: Callable[[], None], sentence: str) -> None:
    with pytest.raises(ContractBroken, match=sentence) as caught:
        check()
    assert isinstance(caught.value, AssertionError)
    told = str(caught.value)
    anchor = told.rpartition("#")[2]
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "plugins" / "checks.md").read_text(encoding="utf-8"), re.M)
    assert anchor in [heading.lower() for heading in headings], told
    assert caught.value.home.startswith("autoft.interfaces.")
