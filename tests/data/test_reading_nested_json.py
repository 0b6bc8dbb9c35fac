"""JSON as APIs and annotation tools write it: read, or told what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autoft.data.reading import read_table
from autoft.errors import DataError
from autoft_plugins.readers import READERS

ROWS = [{"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"}]


@pytest.mark.parametrize(
    ("content", "said", "advised"),
    [
        ({"status": "ok", "results": ROWS}, "2 under 'results'", "jq .results"),
        ({"train": ROWS, "test": ROWS[:1]}, "2 under 'train' and 1 under 'test'", "autoft run train.json --test test.json"),
        ({"0": ROWS[0], "1": ROWS[1]}, "an object under each of its keys '0', '1'", "jq '[.[]]'"),
        ([{"id": 1, "data": {"text": "Ann"}, "annotations": [{"result": []}]}], "Label Studio's full export", "JSON_MIN"),
        ({"a": 1, "b": []}, "an object with the keys 'a', 'b'", "an array of objects"),
    ],
)
def test_what_holds_no_array_of_rows(tmp_path: Path, content: Any, said: str, advised: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_table(path, READERS)
    assert said in caught.value.message
    assert advised in (caught.value.hint or "")


def test_pairs_of_a_text_and_its_entities(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([["Ann left", {"entities": [[0, 3, "PER"]]}], ["Nobody", {"entities": []}]]), encoding="utf-8")
    assert dict(read_table(path, READERS).columns) == {"text": ["Ann left", "Nobody"], "entities": [[[0, 3, "PER"]], []]}
