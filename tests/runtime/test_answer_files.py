"""`autoft predict --output` at size: killed and gone on with, in bounded memory, in every format."""

from __future__ import annotations

import csv
import datetime
import errno
import io
import itertools
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autoft.cli.predict import command
from autoft.console.filling import Filling
from autoft.errors import AutoftError, DataError
from autoft.loading import load_predictor
from autoft.runtime import answers as answer_module
from autoft.runtime.answers import AnswerFile
from autoft.runtime.columnar import Parts
from autoft.runtime.predictor import CHUNK
from small_bundle import make_bundle

WINDOWS = 5
ROWS = (WINDOWS - 1) * CHUNK + 17
ENDINGS = ("csv", "tsv", "jsonl", "parquet")

KILLED = """
import os, sys
from autoft.console.filling import Filling
from autoft.cli.main import main
from autoft.runtime import answers

left = [2]
def advance(self, rows):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
Filling.advance = advance
answers.COMMIT_SECONDS = 1e9
sys.argv[0] = "autoft"
main()
"""


def written(path: Path, rows: int) -> Path:
    """Texts of many lengths, and columns that only have to come out again."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "review", "label"])
        for number in range(rows):
            word = "great" if number % 3 else "awful"
            writer.writerow([number, f'{word}, said "{number}"\n' + "lovely broken " * (number % 11), "?"])
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predict")
    make_bundle(folder / "bundle")
    written(folder / "in.csv", ROWS)
    return folder


def predict(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=True)
    if isinstance(result.exception, AutoftError | KeyboardInterrupt):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def names(folder: Path, start: str) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(start)}


@pytest.mark.parametrize("ending", ENDINGS)
def test_killed_in_the_middle_and_gone_on_with_the_file_is_the_same(home: Path, ending: str) -> None:
    whole, cut = home / f"whole.{ending}", home / f"cut.{ending}"
    predict(home / "bundle", "--input", home / "in.csv", "--output", whole)
    arguments = [home / "bundle", "--input", home / "in.csv", "--output", cut]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "predict", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -9, done.stderr
    assert not cut.exists(), "an output that is not whole does not have its name"
    journal = json.loads((home / f"cut.{ending}.journal").read_text())
    assert journal["rows"] == CHUNK
    said = predict(*arguments, "--resume").stderr
    assert f"{CHUNK:,} rows are there, going on behind them" in said
    assert cut.read_bytes() == whole.read_bytes()
    assert names(home, "cut.") >= {cut.name}
    assert not {name for name in names(home, f"cut.{ending}") if name != cut.name}


def test_order_and_all_columns_over_several_windows(home: Path) -> None:
    predict(home / "bundle", "--input", home / "in.csv", "--output", home / "all.jsonl")
    rows = [json.loads(line) for line in (home / "all.jsonl").read_text().splitlines()]
    with (home / "in.csv").open(newline="") as file:
        asked = list(csv.DictReader(file))
    assert [{name: row[name] for name in ("id", "review", "label")} for row in rows] == asked
    one = load_predictor(home / "bundle").predict([row["review"] for row in asked[:64]])
    assert [row["predicted_label"] for row in rows[:64]] == [answer["label"] for answer in one]


def begun(home: Path, name: str, monkeypatch: pytest.MonkeyPatch, *more: object) -> Path:
    """An output that Ctrl-C interrupted behind its second window."""
    output = home / name
    count = iter(range(100))

    def interrupt(self: Filling, rows: int) -> None:
        if next(count):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Filling, "advance", interrupt)
        result = CliRunner().invoke(
            command, [str(home / "bundle"), "--input", str(home / "in.csv"), "--output", str(output), *map(str, more)]
        )
    assert result.exit_code != 0
    assert f"{2 * CHUNK:,} rows are kept: the same command with --resume goes on behind them" in result.stderr
    return output


def test_ctrl_c_keeps_what_is_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = begun(home, "stopped.csv", monkeypatch)
    predict(home / "bundle", "--input", home / "in.csv", "--output", home / "plain.csv")
    predict(home / "bundle", "--input", home / "in.csv", "--output", output, "--resume")
    assert output.read_bytes() == (home / "plain.csv").read_bytes()


def test_two_inputs_are_never_mixed(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output = begun(home, "mixed.csv", monkeypatch)
    kept = (home / "mixed.csv.part").read_bytes()
    other = tmp_path / "other.csv"
    other.write_bytes((home / "in.csv").read_bytes().replace(b"great", b"awful", 1))
    second = make_bundle(tmp_path / "second", figures={"test": {"accuracy": 0.8}})
    for bundle, source, more, reason in (
        (home / "bundle", other, (), "another input file"),
        (second, home / "in.csv", (), "another bundle"),
        (home / "bundle", home / "in.csv", ("--abstain-below", 0.9), "other settings"),
    ):
        with pytest.raises(DataError, match=f"was begun with {reason}"):
            predict(bundle, "--input", source, "--output", output, "--resume", *more)
    assert (home / "mixed.csv.part").read_bytes() == kept, "and what is there stays"
    said = predict(home / "bundle", "--input", other, "--output", output).stderr
    assert f"begins anew, though {2 * CHUNK:,} rows were there" in said
    assert names(home, "mixed.") == {"mixed.csv"}


def test_resume_with_nothing_begun_begins(home: Path) -> None:
    predict(home / "bundle", "--input", home / "in.csv", "--output", home / "fresh.tsv", "--resume")
    assert names(home, "fresh.") == {"fresh.tsv"}


def test_a_file_that_was_whole_when_its_process_was_killed_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between taking its name and giving up its journal."""
    output = home / "named.csv"
    with monkeypatch.context() as patch:
        patch.setattr(answer_module._Text, "clean", lambda self: None)
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        predict(home / "bundle", "--input", home / "in.csv", "--output", output)
    before = output.read_bytes()
    assert (home / "named.csv.journal").exists()
    predict(home / "bundle", "--input", home / "in.csv", "--output", output, "--resume")
    assert output.read_bytes() == before
    assert names(home, "named.") == {"named.csv"}


def test_a_full_disk_keeps_what_is_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = answer_module._Text.write, iter(range(100))

    def write(self: Any, pairs: Any) -> Any:
        if next(count) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, pairs)

    output = home / "full.csv"
    with monkeypatch.context() as patch:
        patch.setattr(answer_module._Text, "write", write)
        patch.setattr(answer_module, "COMMIT_SECONDS", 0.0)
        with pytest.raises(DataError, match="No space left on device") as caught:
            predict(home / "bundle", "--input", home / "in.csv", "--output", output)
    assert caught.value.hint == f"--resume goes on behind the {2 * CHUNK:,} rows that are there"
    predict(home / "bundle", "--input", home / "in.csv", "--output", output, "--resume")
    predict(home / "bundle", "--input", home / "in.csv", "--output", home / "roomy.csv")
    assert output.read_bytes() == (home / "roomy.csv").read_bytes()


def test_resume_wants_a_file_twice(home: Path) -> None:
    for arguments in (("--input", "-", "--output", "x.csv"), ("--input", home / "in.csv"), ("great",)):
        result = CliRunner().invoke(command, [str(home / "bundle"), *map(str, arguments), "--resume"])
        assert result.exit_code == 2
        assert "--resume goes with --input FILE and --output" in result.stderr


class Watched:
    """Rows that know how far they were read."""

    def __init__(self, rows: int, wrong: int | None = None) -> None:
        self.read = 0
        self._rows, self._wrong = rows, wrong

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(self._rows):
            self.read += 1
            yield {"no": 1} if self._wrong is not None and number >= self._wrong else {"review": f"great {number}"}


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_stream_reads_little_ahead_and_answers_what_it_read_before_a_fault(home: Path, at_once: int) -> None:
    predictor = load_predictor(home / "bundle", threads=1, at_once=at_once)
    rows, furthest = Watched(6 * CHUNK), 0
    for count, (row, _) in enumerate(predictor.stream(rows)):
        assert row["review"] == f"great {count}"
        furthest = max(furthest, rows.read - count)
    assert count == 6 * CHUNK - 1
    assert furthest <= 2 * CHUNK
    stream = predictor.stream(Watched(3 * CHUNK, wrong=CHUNK))
    assert len(list(itertools.islice(stream, CHUNK))) == CHUNK
    with pytest.raises(DataError, match="the model reads the column 'review'"):
        next(stream)


def test_several_at_once_give_the_answers_of_one(home: Path) -> None:
    rows = [{"review": "great " * (number % 13) + str(number)} for number in range(2 * CHUNK + 5)]
    one, three = (list(load_predictor(home / "bundle", threads=1, at_once=count).stream(rows)) for count in (1, 3))
    assert one == three


@pytest.mark.soak
def test_memory_does_not_grow_with_the_file(home: Path, tmp_path: Path) -> None:
    peaks = []
    for rows in (20 * CHUNK, 80 * CHUNK):
        written(tmp_path / "in.csv", rows)
        for ending in ("csv", "parquet"):
            tracemalloc.start()
            predict(home / "bundle", "--input", tmp_path / "in.csv", "--output", tmp_path / f"out.{ending}")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[0]
    assert peaks[3] < 1.5 * peaks[1]


def test_parquet_keeps_types_and_order(home: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    count = CHUNK + 3
    day = datetime.datetime(2026, 1, 2, 3, 4, 5)
    table = arrow.table(
        {
            "review": [f"{'great' if number % 2 else 'awful'} {number}" for number in range(count)],
            "tags": [["a", "b"]] * count,
            "when": arrow.array([day] * count, arrow.timestamp("ms")),
            "small": arrow.array([None, *range(1, count)], arrow.int32()),
            "deep": [{"x": 1, "y": "z"}] * count,
        }
    )
    parquet.write_table(table, home / "typed.parquet")
    predict(home / "bundle", "--input", home / "typed.parquet", "--output", home / "typed_out.parquet")
    found = parquet.read_table(home / "typed_out.parquet")
    assert found.select(table.column_names).equals(table)
    assert found.column("label").to_pylist() == ["good" if number % 2 else "bad" for number in range(count)]
    assert found.schema.field("scores").type == arrow.struct([("bad", arrow.float64()), ("good", arrow.float64())])
    predict(home / "bundle", "--input", home / "typed.parquet", "--output", home / "typed_out.jsonl")
    first = json.loads((home / "typed_out.jsonl").read_text().splitlines()[0])
    assert (first["when"], first["small"], first["deep"]) == (str(day), None, {"x": 1, "y": "z"})


ENTITIES = {
    "type": "object",
    "properties": {
        "entities": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"word": {"type": "string"}, "start": {"type": "integer"}, "score": {"type": "number"}},
            },
        },
        "labels": {"type": "array", "items": {"type": "string"}},
        "scores": {"type": "object", "additionalProperties": {"type": "number"}},
        "sure": {"type": "boolean"},
    },
}


def test_parquet_takes_the_types_of_answers_from_the_bundle(tmp_path: Path) -> None:
    """Not from the first window, where no entity was found."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = AnswerFile(tmp_path / "a.parquet", ["text", "labels"], ENTITIES)
    entity = {"word": "Ada", "start": 0, "score": 0.5}
    empty = {"entities": [], "labels": [], "scores": {}, "sure": False}
    file.write([({"text": "x", "labels": None}, empty)])
    file.write([({"text": "Ada", "labels": "y"}, {**empty, "entities": [entity], "labels": ["a"], "scores": {"a": 0.9}})])
    file.finish()
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column("entities").to_pylist() == [[], [entity]]
    assert table.column("scores").to_pylist() == [[], [("a", 0.9)]]
    assert table.column("labels").to_pylist() == [None, "y"], "the rows' own column keeps its name"
    assert table.column("predicted_labels").to_pylist() == [[], ["a"]]
    assert table.schema.field("scores").type == arrow.map_(arrow.string(), arrow.float64())


@pytest.mark.parametrize(("row", "reason"), [({"n": "three"}, "column 'n' is int64 in the first rows"), ({"m": 1}, "has the column 'm'")])
def test_parquet_refuses_what_does_not_fit_and_leaves_nothing(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    pytest.importorskip("pyarrow")
    file = AnswerFile(tmp_path / "a.parquet", ["n"], {})
    file.write([({"n": 1}, {"label": "x"})])
    with pytest.raises(DataError, match=reason) as caught:
        file.write([(row, {"label": "x"})])
    assert caught.value.hint == "write JSON lines: --output answers.jsonl"
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="needs the library pyarrow") as caught:
        Parts(tmp_path / "a.parquet", [], {}, None)
    assert caught.value.hint == "pip install 'autoft[parquet]'"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_now_and_then_and_a_terminal_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.0, 10.0, 40.0, 50.0])
    monkeypatch.setattr("autoft.console.filling.time.monotonic", lambda: next(moments))
    log = io.StringIO()
    with Filling(10_000, 1_000, log) as shown:
        for _ in range(3):
            shown.advance(2_000)
    assert log.getvalue() == "5,000 of about 10,000 rows, 100 rows a second, 50s left\n"
    monkeypatch.undo()
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    with Filling(10, stream=screen) as shown:
        shown.advance(12)
    assert "12 rows" in screen.getvalue()
