"""The table of loaders in docs/formats.md is the one whose cells tests/loaders holds."""

from __future__ import annotations

import re
from pathlib import Path

from loader_claims import NOTES, ROWS, table
from worked_examples import DOCS, PAGES


def test_the_page_has_the_table() -> None:
    assert table() in (DOCS / "formats.md").read_text(encoding="utf-8"), "python tests/loader_claims.py prints it"


def test_every_task_is_in_it_and_every_note_is_used() -> None:
    assert {row.task for row in ROWS} == {page.stem for page in PAGES}
    assert {note for row in ROWS for _, note in row.cells.values() if note} == set(NOTES)


def test_the_page_names_the_versions_that_are_asked() -> None:
    here, page = Path(__file__).parents[1] / "loaders", (DOCS / "formats.md").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==(\d+\.\d+)", (here / "optimum.txt").read_text() + (here / "mlflow.txt").read_text(), re.M))
    (js,) = re.findall(r'"@huggingface/transformers": "(\d+\.\d+)', (here / "package.json").read_text())
    assert f"transformers.js {js} " in page
    assert f"mlflow {pins['mlflow-skinny']} " in page
    assert f"optimum-onnx {pins['optimum-onnx']}, which needs transformers {pins['transformers']} " in page


def test_the_lock_file_names_no_place_to_fetch_from() -> None:
    text = (Path(__file__).parents[1] / "loaders" / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity": "sha512-' in text
    assert '"resolved"' not in text
    assert not re.search(r'"(version|node_modules/[^"]*)": "\w+://', text)
