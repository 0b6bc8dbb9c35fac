"""The fixtures that authors get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.interfaces.source import Source
from autoft.testing import make_source

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def test_a_table_becomes_a_file_that_is_read_back(autoft_table: Table, autoft_file: Callable[[Table], Path]) -> None:
    path = autoft_file(autoft_table)
    assert path.parent == Path.cwd(), "the project is the working folder"
    read = read_table(path, list(Catalog.build(kinds=("readers",)).readers.values()))
    assert list(read.records()) == list(autoft_table.records())


def test_the_source_is_the_same_every_time_and_one_that_transformers_reads(autoft_source: Source, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    assert make_source(tmp_path / "again").sha256 == autoft_source.sha256
    model, told = AutoModel.from_pretrained(autoft_source.folder, local_files_only=True, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert sum(weight.numel() for weight in model.parameters()) == autoft_source.parameters
    tokenizer = AutoTokenizer.from_pretrained(autoft_source.folder, local_files_only=True)
    assert tokenizer.tokenize("a great phone") == ["a", "great", "phone"]


def test_runs_of_a_project_go_side_by_side_and_are_its_own(autoft_project: Project) -> None:
    first, second = autoft_project.run(trials=1), autoft_project.run(trials=1)
    assert first.folder != second.folder
    assert first.folder.parent == second.folder.parent == autoft_project.folder
    assert first.result["run_id"] != second.result["run_id"]
    assert (autoft_project.folder / "runs.sqlite").exists()
