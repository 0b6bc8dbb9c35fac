"""`autoft predict`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from autoft.interfaces.problem import Problem
    from autoft.runtime.files import RowFile
    from autoft.runtime.predictor import Predictor

_WIDEST_TEXT = 60


@click.command("predict")
@click.argument("bundle")
@click.argument("text", nargs=-1)
@click.option("--input", "input_file", type=click.Path(path_type=Path), help="A data file: CSV, TSV, JSON lines, JSON, Parquet.")
@click.option("--output", "output_file", type=click.Path(path_type=Path), help="Where its rows go with the answers: .csv, .tsv, .jsonl.")
@click.option("--json", "as_json", is_flag=True, help="One answer a line, as JSON.")
@click.option("--threads", type=click.IntRange(1), help="Threads of the model.  [default: all processors]")
@click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin the bundle was made with.")
def command(
    bundle: str,
    text: tuple[str, ...],
    input_file: Path | None,
    output_file: Path | None,
    as_json: bool,
    threads: int | None,
    plugins: tuple[Path, ...],
) -> int:
    """Answer with BUNDLE: for each TEXT, or for each row of a file.

    BUNDLE is a bundle's folder, a run's output folder, a run's id (or a unique beginning of it), or `last`. Where a model takes more
    than one text, each TEXT is a JSON object: '{"premise": "...", "hypothesis": "..."}'. A file keeps its rows' order and all its columns.
    """
    if bool(text) == (input_file is not None):
        raise click.UsageError("give either TEXT or --input FILE: autoft predict BUNDLE 'a text'")
    if output_file is not None and (input_file is None or as_json):
        raise click.UsageError("--output goes with --input, and without --json")
    from autoft.cli.where import bundle_folder
    from autoft.loading import load_predictor

    folder = bundle_folder(bundle)
    if output_file is not None:
        _check_output(input_file, output_file)
    predictor = load_predictor(folder, plugin_files=plugins, threads=threads)
    if input_file is None:
        rows = [_row(one, predictor.problem) for one in text]
        _show(zip(rows, predictor.predict(rows), strict=True), as_json)
        return 0
    file = _open(input_file, predictor, plugins)
    pairs = predictor.stream(file.rows, first_line=file.first_line)
    if output_file is None:
        _show(_inputs_only(pairs, predictor.problem), as_json)
        return 0
    _write(pairs, file, output_file)
    return 0


def _check_output(input_file: Path | None, output_file: Path) -> None:
    from autoft.errors import DataError

    if input_file is not None and output_file.exists() and input_file.exists() and output_file.samefile(input_file):
        raise DataError(f"--output {output_file} is the input file itself", hint="choose another name")
    if not output_file.parent.is_dir():
        raise DataError(f"--output {output_file}: there is no folder {output_file.parent}", hint=f"mkdir -p {output_file.parent}")


def _row(text: str, problem: Problem) -> str | Mapping[str, Any]:
    """The text itself, or the object that it writes out where the model takes more than a text."""
    role = problem.inputs[0]
    if len(problem.inputs) == 1 and len(problem.fields.get(role, (role,))) == 1:
        return text
    from autoft.errors import DataError

    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, Mapping):
        names = [name for role in problem.inputs for name in problem.fields.get(role, (role,))]
        example = "{" + ", ".join(f'"{name}": ...' for name in names) + "}"
        raise DataError(
            f"{text[:_WIDEST_TEXT]!r} is no JSON object; this model takes {', '.join(names)}", hint=f"autoft predict BUNDLE '{example}'"
        )
    return row


def _open(path: Path, predictor: Predictor, plugins: Sequence[Path]) -> RowFile:
    """Row by row where the file is plain; else whole, by the reader that takes it."""
    from autoft.loading import read_rows
    from autoft.runtime.files import RowFile, stream_file

    problem = predictor.problem
    wanted = {name for role in problem.inputs for name in (role, *problem.fields.get(role, ()))}
    streamed = stream_file(path, wanted)
    if streamed is not None:
        return streamed
    table = read_rows(path, plugin_files=plugins)
    for note in table.notes:
        click.echo(note, err=True)
    return RowFile(table.names, table.first_line, iter(table.records()))


def _inputs_only(pairs: Iterable[tuple[Mapping[str, Any], dict[str, Any]]], problem: Problem) -> Iterator[tuple[Any, dict[str, Any]]]:
    for row, answer in pairs:
        shown = [row[name] for role in problem.inputs for name in (role, *problem.fields.get(role, ())) if name in row]
        yield (shown[0] if len(shown) == 1 else shown), answer


def _write(pairs: Iterable[tuple[Mapping[str, Any], dict[str, Any]]], file: RowFile, output: Path) -> None:
    import time

    from autoft.runtime.files import write_answers

    started = time.perf_counter()
    count = write_answers(output, pairs, file.names)
    seconds = time.perf_counter() - started
    click.echo(f"{count:,} rows in {seconds:.1f} s -> {output}", err=True)


def _show(pairs: Iterable[tuple[Any, dict[str, Any]]], as_json: bool) -> None:
    """One line an answer: JSON, or the answer's own words and then what was asked."""
    for row, answer in pairs:
        click.echo(json.dumps(answer, ensure_ascii=False) if as_json else f"{_words(answer)}  {_short(row)}")


def _words(answer: Mapping[str, Any]) -> str:
    """`positive  0.981` for a class; name=value for whatever else an answer holds. The scores of all classes are left to --json."""
    rest = {name: value for name, value in answer.items() if name not in ("label", "score", "scores")}
    words = [str(answer["label"])] if "label" in answer else []
    if "score" in answer:
        words.append(f"{answer['score']:.3f}")
    return "  ".join(
        [*words, *(f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}" for name, value in rest.items())]
    )


def _short(row: Any) -> str:
    from autoft.runtime.predictor import well_formed

    text = " ".join(str(well_formed(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, default=str))).split())
    return text if len(text) <= _WIDEST_TEXT else text[: _WIDEST_TEXT - 1] + "…"
