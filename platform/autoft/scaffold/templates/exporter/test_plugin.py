"""The exporter keeps its contract, and says what it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoft.errors import BundleError
from autoft.scaffold.templates.exporter.plugin import OrtExporter
from autoft.testing import check_exporter


def test_it_keeps_the_contract_of_an_exporter() -> None:
    check_exporter(OrtExporter())


def test_a_damaged_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ort").mkdir()
    (tmp_path / "ort" / "model.ort").write_bytes(b"nothing that a graph begins with")
    with pytest.raises(BundleError, match="cannot be opened"):
        OrtExporter().open(tmp_path, 1)
