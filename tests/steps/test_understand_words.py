"""Files of tagged words: their own parts may have longer rows, and what was changed is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.errors import DataError
from autoft.settings import Settings
from autoft.steps.understand import understand

ENTITY = {"tokens": ["Ann", "met", "Bo"], "ner_tags": ["S-PER", "O", "S-PER"]}


def write(path: Path, records: list[dict]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def numbered(rows: int) -> list[dict]:
    return [{"tokens": [*ENTITY["tokens"], str(i)], "ner_tags": [*ENTITY["ner_tags"], "O"]} for i in range(rows)]


def test_a_test_file_with_longer_rows_and_a_remark_on_the_scheme(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", numbered(30))
    test = write(tmp_path / "test.jsonl", [{"tokens": ["so"] * 9 + ["Cy"], "ner_tags": ["O"] * 9 + ["S-PER"]}] * 2)
    understood = understand(Settings(data=data, test=test), Catalog.build(kinds=("tasks", "readers")))
    assert understood.task.name == "token-classification"
    assert understood.targets.shape == (32, 10)
    assert (understood.targets[:30, 4:] == -1).all()
    assert understood.targets[30].tolist() == [0] * 9 + [1]
    assert set(understood.splits.test.tolist()) == {30, 31}
    assert any("BIOES" in remark for remark in understood.remarks)
    assert np.array_equal(np.unique(understood.targets), [-1, 0, 1])


def test_a_bad_row_of_a_test_file_is_named_by_its_own_number(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", numbered(30))
    test = write(tmp_path / "test.jsonl", [{"tokens": [], "ner_tags": []}, ENTITY, {**ENTITY, "tokens": ["Ann"]}])
    with pytest.raises(DataError, match=r"test.jsonl, row 3, column 'ner_tags': there are 3 tags for 1 words"):
        understand(Settings(data=data, test=test), Catalog.build(kinds=("tasks", "readers")))
