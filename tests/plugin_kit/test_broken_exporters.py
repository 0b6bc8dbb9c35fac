"""Exporters with one thing wrong: the check finds it, and says which rule it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoft.interfaces.exporter import Exported
from autoft.scaffold.templates.exporter.plugin import OrtExporter
from autoft.testing import check_exporter
from broken import but, finds


def untold(self: Any, program: Any, problem: Any, folder: Path) -> Exported:
    (folder / "notes.txt").write_text("more")
    return OrtExporter.export(self, program, problem, folder)


def meddling(self: Any, program: Any, problem: Any, folder: Path) -> Exported:
    (folder / "vocabulary.json").write_text("{}")
    return OrtExporter.export(self, program, problem, folder)


EXPORTERS: dict[str, dict[str, Any]] = {
    "leaves \\['notes.txt'\\]": {"export": untold},
    "changes \\['vocabulary.json'\\]": {"export": meddling},
    "which is not there": {"export": lambda self, *_: Exported(("absent.bin",), {})},
    "says no to the model": {"supports": lambda self, program, problem: "it is a Tuesday"},
    "converts is 'absent'": {"converts": "absent"},
}


@pytest.mark.parametrize("sentence", EXPORTERS)
def test_exporters(sentence: str) -> None:
    finds(lambda: check_exporter(but(OrtExporter, **EXPORTERS[sentence])), sentence)
