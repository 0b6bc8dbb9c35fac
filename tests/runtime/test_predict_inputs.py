"""What `autoft predict` takes: columns by other names, texts without a header, standard input, rows without a text; and what `last` is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoft.cli.predict import command
from autoft.cli.where import bundle_folder
from autoft.errors import AutoftError, BundleError, DataError, SettingsError
from autoft.interfaces.events import RunFailedEvent, RunStarted
from autoft.interfaces.problem import Problem
from autoft.store import Store
from small_bundle import make_bundle, problem
from task_bundles import PLUGIN, entities


def predict(*arguments: object, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], input=stdin)
    if isinstance(result.exception, AutoftError):
        raise result.exception
    return result


def labels(result: Result) -> list[str]:
    return [line.split()[0] for line in result.stdout.splitlines()]


def called_text() -> Problem:
    return problem().model_copy(update={"fields": {"text": ("text",), "label": ("rating",)}})


def test_a_text_is_shown_once(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "text", problem=called_text())
    (tmp_path / "in.csv").write_text("text\ngreat\n")
    assert predict(bundle, "--input", tmp_path / "in.csv").stdout.split("  ")[2] == "great\n"


def test_what_was_asked_is_shown_of_two_columns_that_could_be_meant(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,review\nawful,great\n")
    assert predict(bundle, "--input", tmp_path / "in.csv").stdout.split("  ") == ["good", "0.953", "great\n"]


@pytest.mark.parametrize("flags", [("--text", "body"), ("--column", "text=body")])
def test_a_column_of_another_name(bundle: Path, tmp_path: Path, flags: tuple[str, str]) -> None:
    (tmp_path / "in.csv").write_text("review,body\nold,great\nold,awful\n")
    shown = predict(bundle, "--input", tmp_path / "in.csv", *flags)
    assert [line.split("  ")[::2] for line in shown.stdout.splitlines()] == [["good", "great"], ["bad", "awful"]]
    predict(bundle, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv", *flags)
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "review,body,label,score"


def test_columns_that_are_refused(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,body\n1,great\n")
    with pytest.raises(DataError, match=r"reads the column 'review'; .*in\.csv has 'body', 'id'") as caught:
        predict(bundle, "--input", source)
    assert caught.value.hint == "name the column in this file: --text NAME"
    with pytest.raises(DataError, match="there is no column 'bodi'") as caught:
        predict(bundle, "--input", source, "--text", "bodi")
    assert caught.value.hint == "did you mean 'body'?"
    with pytest.raises(DataError, match="reads no text_pair"):
        predict(bundle, "--input", source, "--column", "text_pair=body")
    with pytest.raises(SettingsError, match="ROLE=NAME"):
        predict(bundle, "--input", source, "--column", "body")
    assert "go with --input" in predict(bundle, "great", "--text", "body").stderr


def test_lines_of_a_text_file(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("Great, I lost my parcel\n\nawful; one, two, three\nuseless\n")
    done = predict(bundle, "--input", path)
    assert labels(done) == ["good", "bad", "bad"]
    assert "each line is read as a text" in done.stderr
    path.write_text("review\ngreat\n")
    done = predict(bundle, "--input", path)
    assert (labels(done), done.stderr) == (["good"], "")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a great parcel\n", ["good"]),
        (b"great, really\nawful\n", ["good", "bad"]),
        (b"great, really\nawful, too\n", ["good", "bad"]),
        (b"id,review\n1,great\n", ["good"]),
        (b'{"review": "great"}\n{"review": "awful"}\n', ["good", "bad"]),
    ],
)
def test_standard_input(bundle: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, found: list[str]) -> None:
    assert labels(predict(bundle, "--input", "-", stdin=content)) == found


def test_a_table_with_a_fault_is_not_taken_for_lines(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("id,review\n1,great\n2,awful,too\n")
    with pytest.raises(DataError, match="line 3"):
        predict(bundle, "--input", tmp_path / "in.txt")
    for content in (b"id,body\n1,great\n2,awful\n", b"Ada\tB-PER\nmet\tO\n\nBo\tB-PER\n"):
        with pytest.raises(DataError, match="reads the column 'review'"):
            predict(bundle, "--input", "-", stdin=content)
    with pytest.raises(DataError, match="reads the column 'review'"):
        predict(bundle, "--input", "-", stdin=b'{"body": "great"}\n{"body": "awful"}\n')


@pytest.mark.parametrize("name", ["in.conll", "in.txt"])
def test_words_without_tags(tmp_path: Path, name: str) -> None:
    bundle = entities(tmp_path / "entities")
    manifest = json.loads((bundle / "autoft.json").read_text())
    manifest["input_schema"]["properties"]["text"] = {"type": ["string", "array"], "items": {"type": "string"}}
    (bundle / "autoft.json").write_text(json.dumps(manifest))
    (tmp_path / name).write_text("Ada\nmet\n\nnobody\n")
    done = predict(bundle, "--input", tmp_path / name, "--plugin", PLUGIN, "--json")
    assert [[one["word"] for one in json.loads(line)["entities"]] for line in done.stdout.splitlines()] == [["Ada"], []]


def test_rows_without_a_text_are_told_of(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,review\n1,great\n2,\n3,  \n")
    done = predict(bundle, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    assert "2 rows have no text: their answers mean nothing" in done.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
    assert predict(bundle, "great", " ").stderr == "1 row has no text: its answer means nothing\n"


def test_a_value_is_found_by_its_file_and_row(tmp_path: Path) -> None:
    pair = problem().model_copy(
        update={
            "task": "pair-classification",
            "inputs": ("text", "text_pair"),
            "fields": {"text": ("a",), "text_pair": ("b",), "label": ("c",)},
        }
    )
    bundle = make_bundle(tmp_path / "pair", problem=pair)
    (tmp_path / "in.csv").write_text('a,b\n"one\ntwo",x\ny,\n')
    with pytest.raises(DataError, match=r"in\.csv, row 2, column 'b'"):
        predict(bundle, "--input", tmp_path / "in.csv")
    (tmp_path / "in.csv").write_text("a,other\none,two\n")
    with pytest.raises(DataError, match="reads the column 'b'") as caught:
        predict(bundle, "--input", tmp_path / "in.csv")
    assert caught.value.hint == "name the column in this file: --column text_pair=NAME"


def started(store: Store, folder: Path, name: str, when: float) -> None:
    folder.mkdir()
    store.run_started(
        RunStarted(
            time=when,
            run_id=name,
            folder=str(folder),
            data=f"{name}.csv",
            task="text-classification",
            metric="f1_macro",
            budget=None,
            candidates=[],
        )
    )


def test_last_is_the_newest_run_with_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    monkeypatch.chdir(tmp_path)
    store = Store()
    for when, name in enumerate(("older", "newer", "failed", "running")):
        started(store, tmp_path / name, name, 1e9 + when)
    store.run_finished(RunFailedEvent(time=2e9, run_id="failed", status="failed", reason="x"))
    with pytest.raises(BundleError, match="no run has left a bundle"):
        bundle_folder("last")
    for name in ("older", "newer"):
        make_bundle(tmp_path / name / "bundle")
    assert bundle_folder("last") == tmp_path / "newer" / "bundle"
    assert capsys.readouterr().err == "last is newer: text-classification on newer.csv\n"
