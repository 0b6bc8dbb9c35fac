"""`autoft predict`: texts, files, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoft.cli.predict import command
from autoft.cli.where import bundle_folder
from autoft.errors import AutoftError, BundleError, DataError, InputError
from small_bundle import TRAIN, environment_without, make_bundle, problem


def predict(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=True)
    if isinstance(result.exception, AutoftError):
        raise result.exception
    return result


def test_texts(bundle: Path) -> None:
    result = predict(bundle, "a great phone", "useless\nand broken")
    assert [line.split("  ") for line in result.stdout.splitlines()] == [
        ["good", "0.953", "a great phone"],
        ["bad", "0.986", "useless and broken"],
    ]


def test_json_is_one_answer_a_line(bundle: Path) -> None:
    lines = predict(bundle, "--json", "great", "awful").stdout.splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["good", "bad"]
    assert json.loads(lines[0]).keys() == {"label", "score", "scores"}


def test_a_run_folder_stands_for_its_bundle(tmp_path: Path) -> None:
    make_bundle(tmp_path / "run" / "bundle")
    assert bundle_folder(str(tmp_path / "run")) == tmp_path / "run" / "bundle"


def test_a_run_that_left_nothing(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(BundleError, match="left no bundle"):
        bundle_folder(str(tmp_path))


def test_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name, reason in ((tmp_path, "is no bundle"), (tmp_path / "file", "is a file"), (tmp_path / "gone", "there is no folder")):
        with pytest.raises(BundleError, match=reason):
            bundle_folder(str(name))


def test_an_unknown_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        bundle_folder("nothing-of-that-name")


def test_csv_keeps_order_and_all_columns(bundle: Path, tmp_path: Path) -> None:
    rows = [{"id": str(n), "review": f'{"great" if n % 3 else "awful"}, said "{n}"\nreally', "label": "?"} for n in range(50)]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "review", "label"])
        writer.writeheader()
        writer.writerows(rows)
    predict(bundle, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["id", "review", "label", "predicted_label", "score"]
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    assert [row["predicted_label"] for row in found] == ["good" if n % 3 else "bad" for n in range(50)]
    assert all(0.5 < float(row["score"]) < 1 for row in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "in.csv", "out.csv"]


def test_json_lines_to_json_lines(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "great", "tags": ["a"]}\n\n{"text": "awful \\ud83d"}\n')
    predict(bundle, "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl")
    first, second = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first["tags"] == ["a"]
    assert (first["label"], second["label"]) == ("good", "bad")
    assert first["scores"].keys() == {"bad", "good"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latin.csv", "id;review\n1;great café\n2;awful déjà vu\n".encode("latin-1")),
        ("utf16.csv", "review\ngreat\nawful\n".encode("utf-16")),
        ("semicolon.csv", b"id;review\n1;great\n2;awful\n"),
        ("rows.json", b'[{"review": "great"}, {"review": "awful"}]'),
    ],
)
def test_files_that_need_a_reader(bundle: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    predict(bundle, "--input", tmp_path / name, "--output", tmp_path / "out.tsv")
    with (tmp_path / "out.tsv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file, delimiter="\t")] == ["good", "bad"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("quotes.tsv", 'id\treview\n1\tgreat 5" screen\n2\tawful\n3\t"great" they said\n4\tawful 3" one\n'),
        ("opened.tsv", 'id\treview\n1\t"great\n2\tawful\n3\tgreat"\n4\tawful\n'),
        ("backslash.csv", 'id,review\n1,"great \\"phone\\", yes"\n2,awful\n3,great\n4,awful\n'),
        ("trailing.csv", "id,review\n1,great\n2,awful,\n3,great\n  \n4,awful\n"),
        ("spaced.csv", 'id, review\n1, "great\n2, 3"\n2, awful\n3, great\n4, awful\n'),
        ("spaced_cells.csv", 'id,review\n1, "great"\n2, awful\n3, great\n4, awful\n'),
    ],
)
def test_no_row_is_lost_or_merged(bundle: Path, tmp_path: Path, name: str, content: str) -> None:
    from autoft.loading import read_rows
    from autoft.runtime.files import stream_file

    (tmp_path / name).write_text(content)
    assert stream_file(tmp_path / name, ["review"]) is None
    predict(bundle, "--input", tmp_path / name, "--output", tmp_path / "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["label"] for row in found] == ["good", "bad", "good", "bad"]
    assert [row["review"] for row in found] == list(read_rows(tmp_path / name)["review"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", 'id,review\n1,"great, said ""they""\nreally"\n\n2,awful\n'), ("a.tsv", "id\treview\n1\tgreat\n2\tawful\n")],
)
def test_what_streams_reads_as_a_reader_does(tmp_path: Path, name: str, content: str) -> None:
    from autoft.loading import read_rows
    from autoft.runtime.files import stream_file

    (tmp_path / name).write_text(content)
    streamed = stream_file(tmp_path / name, ["review"])
    assert streamed is not None
    assert [row["review"] for row in streamed.rows] == list(read_rows(tmp_path / name)["review"])


def test_a_file_without_output_goes_to_the_screen(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_text("id\treview\n1\tgreat\n2\tawful\n")
    assert [line.split()[0] for line in predict(bundle, "--input", tmp_path / "in.tsv").stdout.splitlines()] == ["good", "bad"]
    assert len(predict(bundle, "--json", "--input", tmp_path / "in.tsv").stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "review,id\ngreat,1\nawful\n", "line 3: the row has 1 cells, the first one has 2"),
        ("a.csv", 'review,id\n"great,1\n', "quot"),
        ("a.jsonl", '{"review": "great"}\n{"review"\n', "line 2: no JSON"),
        ("a.jsonl", '{"review": "great"}\n3\n', "line 2: no JSON object"),
        ("a.csv", "body,id\ngreat,1\nfine,2\n", "'review'"),
        ("a.csv", "", "empty"),
        ("a.xyz", "x", "not understood"),
    ],
)
def test_files_that_are_refused(bundle: Path, tmp_path: Path, name: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=reason) as caught:
        predict(bundle, "--input", tmp_path / name, "--output", tmp_path / "out.csv")
    assert caught.value.exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "bundle"]


def test_outputs_that_are_refused(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("review\ngreat\n")
    for output, reason in (
        (source, "is the input file"),
        (tmp_path / "no" / "a.csv", "there is no folder"),
        (tmp_path / "a.xlsx", "cannot be written"),
    ):
        with pytest.raises(DataError, match=reason):
            predict(bundle, "--input", source, "--output", output)
    assert source.read_text() == "review\ngreat\n"
    assert predict(bundle).exit_code == 2
    assert predict(bundle, "great", "--input", source).exit_code == 2
    assert predict(bundle, "great", "--output", tmp_path / "a.csv").exit_code == 2


def test_a_model_of_two_texts_takes_objects(tmp_path: Path) -> None:
    two = problem().model_copy(update={"inputs": ("text", "other"), "fields": {"text": ("review",), "other": ("reply",)}})
    folder = make_bundle(tmp_path / "two", problem=two)
    with pytest.raises(DataError, match="this model takes review, reply"):
        predict(folder, "great")
    assert predict(folder, '{"review": "great", "reply": "x"}').stdout.startswith("good")


@pytest.fixture
def base_only(tmp_path: Path) -> dict[str, str]:
    return environment_without(TRAIN, tmp_path / "blocker")


def run(*code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *code], env=env, capture_output=True, text=True, timeout=120)


def test_predict_without_the_train_extra(bundle: Path, base_only: dict[str, str]) -> None:
    assert "ModuleNotFoundError" in run("-c", "import torch", env=base_only).stderr
    done = run("-m", "autoft", "predict", str(bundle), "--json", "great", env=base_only)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "good"
    assert done.stderr == ""


def test_predict_imports_nothing_it_does_not_need(bundle: Path) -> None:
    code = (
        "import sys; from autoft.cli.predict import command; command([sys.argv[1], 'great'], standalone_mode=False); "
        "print(sorted({*sys.argv[2:]} & set(sys.modules)))"
    )
    done = run("-c", code, str(bundle), *TRAIN, "sqlmodel", "rich", "fastapi", "alembic", env={**os.environ})
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_refused_bundle_ends_with_2_and_no_traceback(bundle: Path) -> None:
    (bundle / "vocabulary.json").write_text("{}")
    done = run("-m", "autoft", "predict", str(bundle), "great", env={**os.environ})
    assert done.returncode == 2
    assert "vocabulary.json" in done.stderr
    assert "Traceback" not in done.stderr
