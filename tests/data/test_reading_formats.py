from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoft.data.reading import read_table
from autoft.errors import DataError
from autoft.interfaces.reader import Reader
from autoft_plugins.readers import READERS

ROWS = [{"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"}]
COLUMNS = {"text": ["good", "bad"], "label": ["pos", "neg"]}


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_table(path, READERS)
    assert str(path) in caught.value.message or path.name in caught.value.message
    return caught.value


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_readers_are_readers():
    assert all(isinstance(reader, Reader) for reader in READERS)
    assert len({reader.name for reader in READERS}) == len(READERS)


@pytest.mark.parametrize("content", [ROWS, {"data": ROWS}, {"version": 1, "data": ROWS}, COLUMNS])
def test_json(tmp_path, content):
    table = read_table(written(tmp_path / "a.json", json.dumps(content)), READERS)
    assert dict(table.columns) == COLUMNS


def test_json_lines_with_gaps_and_blank_lines(tmp_path):
    lines = '{"text": "good", "label": 1}\n\n{"text": "bad", "extra": [1]}\n'
    table = read_table(written(tmp_path / "a.jsonl", lines), READERS)
    assert dict(table.columns) == {"text": ["good", "bad"], "label": [1, None], "extra": [None, [1]]}


def test_json_lines_in_a_json_file_are_said(tmp_path):
    table = read_table(written(tmp_path / "a.json", "\n".join(map(json.dumps, ROWS))), READERS)
    assert dict(table.columns) == COLUMNS
    assert "JSON lines" in table.notes[0]


def test_json_in_utf16(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps([{"text": "naïve", "label": "x"}], ensure_ascii=False).encode("utf-16"))
    table = read_table(path, READERS)
    assert table["text"][0] == "naïve"
    assert "UTF-16" in table.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "line 2"),
        ("a.jsonl", '{"text": "a"}\n\n[1, 2]\n', "line 3"),
        ("a.jsonl", " \n", "no rows"),
        ("a.json", '[{"text": "a"},\n {"text" "b"}]', "line 2"),
        ("a.json", '[{"text": "a"}, 7]', "element 2"),
        ("a.json", '{"rows": 3, "of": "x"}', "'rows', 'of'"),
        ("a.json", "3", "single value"),
        ("a.json", "[]", "no rows"),
        ("a.json", '{"data": []}', "no rows"),
        ("a.json", "[" * 100_000, "nested"),
        ("a.json", "", "empty"),
    ],
)
def test_broken_json_names_the_place(tmp_path, name, content, said):
    assert said in refusal(written(tmp_path / name, content)).message


def test_parquet_with_class_names(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    table = arrow.table({"text": ["good", "bad", None], "label": [1, 0, -1]})
    parquet.write_table(table, path)
    assert dict(read_table(path, READERS).columns) == {"text": ["good", "bad", None], "label": [1, 0, -1]}
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(metadata), path)
    assert list(read_table(path, READERS)["label"]) == ["pos", "neg", None]


def test_bad_parquet(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    assert "no Parquet" in refusal(written(tmp_path / "a.parquet", "text,label\n")).message
    parquet.write_table(arrow.table({"text": arrow.array([], arrow.string())}), tmp_path / "b.parquet")
    assert "no rows" in refusal(tmp_path / "b.parquet").message


def test_dataset_folders(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    data = datasets.Dataset.from_dict({"text": ["good", "bad", "fine"], "label": [1, 0, 1]}, features=features)
    data.select([2, 0]).save_to_disk(str(tmp_path / "one"))
    table = read_table(tmp_path / "one", READERS)
    assert dict(table.columns) == {"text": ["fine", "good"], "label": ["pos", "pos"]}
    assert table.notes == ()
    parts = {"test": data.select([0]), "train": data.select([1, 2])}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "many"))
    table = read_table(tmp_path / "many", READERS)
    assert list(table["text"]) == ["bad", "fine"]
    assert "'train' is read" in table.notes[0]
    assert f"--test {tmp_path / 'many' / 'test'}" in table.notes[0]
    (tmp_path / "one" / "dataset_info.json").write_text("{")
    assert "damaged" in refusal(tmp_path / "one").message


def test_a_missing_file_offers_the_nearest(tmp_path):
    written(tmp_path / "reviews.csv", "text,label\na,b\n")
    error = refusal(tmp_path / "review.csv")
    assert "there is no file" in error.message
    assert str(tmp_path / "reviews.csv") in (error.hint or "")
    assert "does not exist" in refusal(tmp_path / "nowhere" / "reviews.csv").message


def test_an_unknown_ending_lists_the_known(tmp_path):
    error = refusal(written(tmp_path / "a.docx", "x"))
    assert "'.docx'" in error.message
    assert ".csv, .tsv" in error.message
    assert ".parquet" in error.message


def test_a_folder_that_is_no_data_set(tmp_path):
    assert "no data set" in refusal(tmp_path).message
    written(tmp_path / "notes.md", "x")
    assert "'notes.md'" in refusal(tmp_path).message
    written(tmp_path / "train.csv", "text,label\na,b\n")
    assert str(tmp_path / "train.csv") in (refusal(tmp_path).hint or "")


def test_a_folder_named_like_a_file(tmp_path):
    (tmp_path / "data.csv").mkdir()
    assert "no data set" in refusal(tmp_path / "data.csv").message
