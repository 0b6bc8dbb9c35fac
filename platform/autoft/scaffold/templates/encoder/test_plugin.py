"""The encoder keeps its contract, and like texts get like arrays."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.scaffold.templates.encoder.plugin import CharacterEncoder
from autoft.testing import check_encoder


def test_it_keeps_the_contract_of_an_encoder() -> None:
    check_encoder(CharacterEncoder(), {"width": 64, "size": 3})


def test_like_texts_are_near(tmp_path: Path) -> None:
    encoding = CharacterEncoder().open(tmp_path, {})
    one, like, other = encoding.encode(Table({"text": ["a great phone", "a great phones", "dull"]})).arrays["characters"]
    assert one @ like > 0.8 > one @ other


def test_a_width_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="at least 1"):
        CharacterEncoder().open(tmp_path, {"width": 0})
