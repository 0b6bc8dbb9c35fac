"""`autoft predict`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import click

from autoft.cli.options import abstain_option, column_options, domain_option

if TYPE_CHECKING:
    from autoft.errors import DataError
    from autoft.interfaces.problem import Problem
    from autoft.runtime.files import RowFile
    from autoft.runtime.predictor import Predictor

_Pairs: TypeAlias = Iterable[tuple[Mapping[str, Any], dict[str, Any]]]

_WIDEST_TEXT = 60
_SHOWN = ("label", "labels", "score", "scores", "entities", "text")


@click.command("predict")
@click.argument("bundle")
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--input", "input_file", type=click.Path(path_type=Path), help="A data file as for `run`, a text a line in a .txt, or - for stdin."
)
@column_options
@click.option(
    "--output", "output_file", type=click.Path(path_type=Path), help="Where its rows go with the answers: .csv, .tsv, .jsonl, .parquet."
)
@click.option("--resume", is_flag=True, help="Go on with an output that was cut off, behind the rows that are there.")
@click.option("--json", "as_json", is_flag=True, help="One answer a line, as JSON.")
@click.option(
    "--threads", type=click.IntRange(1), help="Threads of the model.  [default: for a file as `autoft bench` advised, else all processors]"
)
@click.option("--format", "format_name", metavar="NAME", help="One of the bundle's formats.  [default: the one it was exported for]")
@abstain_option
@domain_option
@click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin the bundle was made with.")
def command(
    bundle: str,
    texts: tuple[str, ...],
    input_file: Path | None,
    text: str | None,
    columns: tuple[str, ...],
    output_file: Path | None,
    resume: bool,
    as_json: bool,
    threads: int | None,
    format_name: str | None,
    abstain_below: float | None,
    out_of_domain: bool,
    plugins: tuple[Path, ...],
) -> int:
    """Answer with BUNDLE: for each TEXT, or for each row of a file.

    BUNDLE is a bundle's folder, a run's output folder, a run's id (or a unique beginning of it), or `last`, the newest run that left one.
    A file keeps its rows' order and all its columns; --text and --column name those to read where they are called otherwise than in
    training. --output writes it in whole windows of rows: an interrupted one is gone on with by the same command and --resume, and the
    file is the same in the end as if it had never been interrupted.

    Where a model takes two texts, they stand one after the other: autoft predict last "A man sleeps." "Nobody is asleep." asks about one
    pair, four texts about two. A row may also be a JSON object: '{"premise": "...", "hypothesis": "..."}'.
    """
    if bool(texts) == (input_file is not None):
        raise click.UsageError("give either TEXT or --input FILE: autoft predict BUNDLE 'a text'")
    if input_file is None and (text is not None or columns):
        raise click.UsageError("--text and --column name columns of a file: they go with --input")
    if output_file is not None and (input_file is None or as_json):
        raise click.UsageError("--output goes with --input, and without --json")
    if resume and (output_file is None or str(input_file) == "-"):
        raise click.UsageError("--resume goes with --input FILE and --output: standard input cannot be read again")
    from autoft.cli.options import columns_by_role
    from autoft.cli.rows import file_name, open_rows
    from autoft.cli.where import bundle_folder
    from autoft.loading import load_predictor

    given = columns_by_role(text, columns)
    folder = bundle_folder(bundle)
    if output_file is not None:
        _check_output(input_file, output_file)
    if input_file is None:
        predictor = load_predictor(
            folder,
            plugin_files=plugins,
            threads=threads,
            exporter=format_name,
            abstain_below=abstain_below,
            out_of_domain=out_of_domain,
        )
        rows = _rows(texts, predictor.problem)
        _show(zip(rows, predictor.predict(rows), strict=True), as_json)
        _tell_of_blank(sum(isinstance(row, str) and not row.strip() for row in rows), predictor.problem)
        return 0
    predictor = load_predictor(
        folder,
        plugin_files=plugins,
        threads=threads and 1,
        at_once=threads,
        purpose="file",
        exporter=format_name,
        abstain_below=abstain_below,
        out_of_domain=out_of_domain,
    )
    file = open_rows(input_file, predictor, plugins, given)
    blank = _Blank(predictor.problem, given)
    if output_file is None:
        pairs = blank.counted(predictor.stream(file.rows, columns=given, origin=file_name(input_file)))
        _show(_inputs_only(pairs, predictor.problem, given), as_json)
    else:
        _write(_Filled(predictor, input_file, file, given, output_file, format_name), blank, resume=resume)
    _tell_of_blank(blank.rows, predictor.problem)
    return 0


def _check_output(input_file: Path | None, output_file: Path) -> None:
    from autoft.errors import DataError

    if input_file is not None and output_file.exists() and input_file.exists() and output_file.samefile(input_file):
        raise DataError(f"--output {output_file} is the input file itself", hint="choose another name")
    if not output_file.parent.is_dir():
        raise DataError(f"--output {output_file}: there is no folder {output_file.parent}", hint=f"mkdir -p {output_file.parent}")


def _rows(texts: Sequence[str], problem: Problem) -> list[str | Mapping[str, Any]]:
    """A row for each text; where the model takes several, for each object that is written out, and for as many texts in a row."""
    columns = [problem.fields.get(role, (role,)) for role in problem.inputs]
    names = [name for several in columns for name in several]
    if len(names) == 1:
        return list(texts)
    rows: list[str | Mapping[str, Any]] = []
    waiting: list[str] = []
    for text in texts:
        written = None if waiting else _object(text)
        if written is not None:
            rows.append(written)
            continue
        waiting.append(text)
        if len(waiting) == len(names) == len(problem.inputs):
            rows.append(dict(zip(problem.inputs, waiting, strict=True)))
            waiting = []
    if waiting:
        raise _left_over(waiting, names, together=len(names) == len(problem.inputs))
    return rows


def _object(text: str) -> Mapping[str, Any] | None:
    """The JSON object that a text writes out, if it does."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, Mapping) else None


def _left_over(texts: Sequence[str], names: Sequence[str], *, together: bool) -> DataError:
    from autoft.errors import DataError

    written = "'{" + ", ".join(f'"{name}": ...' for name in names) + "}'"
    what = f"{texts[0][:_WIDEST_TEXT]!r} stands alone" if together else f"{texts[0][:_WIDEST_TEXT]!r} is no JSON object"
    example = " ".join(f'"{name}"' for name in names) if together else written
    return DataError(f"{what}; this model takes {', '.join(names)}", hint=f"autoft predict BUNDLE {example}")


def _read_from(row: Mapping[str, Any], problem: Problem, given: Mapping[str, str]) -> list[Any]:
    """What a row asks: the values of the columns that `Predictor.stream` reads."""
    found = []
    for role in problem.inputs:
        names = (given[role],) if role in given else problem.fields.get(role, (role,))
        names = (role,) if len(names) == 1 and names[0] not in row else names
        found += [row[name] for name in names if name in row]
    return found


def _inputs_only(pairs: _Pairs, problem: Problem, given: Mapping[str, str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    for row, answer in pairs:
        shown = _read_from(row, problem, given)
        yield (shown[0] if len(shown) == 1 else tuple(shown)), answer


class _Blank:
    """Counts the rows of a file that ask nothing. They are answered, since a file keeps its rows."""

    def __init__(self, problem: Problem, given: Mapping[str, str]) -> None:
        self._problem, self._given = problem, given
        self.rows = 0

    def counted(self, pairs: _Pairs) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
        from autoft.data.columns import is_missing

        for row, answer in pairs:
            self.rows += all(is_missing(value) for value in _read_from(row, self._problem, self._given))
            yield row, answer


def _tell_of_blank(count: int, problem: Problem) -> None:
    if count:
        rows, whose = ("1 row has", "its answer means") if count == 1 else (f"{count:,} rows have", "their answers mean")
        click.echo(f"{rows} no {' and no '.join(problem.inputs)}: {whose} nothing", err=True)


class _Filled(NamedTuple):
    """What an output is made of."""

    predictor: Predictor
    input_file: Path
    file: RowFile
    columns: Mapping[str, str]
    output: Path
    format_name: str | None


def _write(made: _Filled, blank: _Blank, *, resume: bool) -> None:
    import itertools
    import time

    from autoft.cli.rows import file_name
    from autoft.console.filling import Filling
    from autoft.errors import AutoftError
    from autoft.runtime.answers import AnswerFile, NoRoom, work_of
    from autoft.runtime.predictor import CHUNK

    started = time.perf_counter()
    work = None
    if made.input_file.is_file():
        work = work_of(made.predictor, made.input_file, made.columns, made.format_name)
    schema = made.predictor.bundle.manifest.output_schema
    answers = AnswerFile(made.output, made.file.names, schema, work=work, resume=resume, row_types=made.file.types)
    before = answers.rows
    if before:
        click.echo(f"{made.output}: {before:,} rows are there, going on behind them", err=True)
    elif answers.left_behind:
        click.echo(f"{made.output} begins anew, though {answers.left_behind:,} rows were there: --resume would have gone on", err=True)
    try:
        with Filling(made.file.total, before) as shown:
            rows = itertools.islice(made.file.rows, before, None)
            origin = file_name(made.input_file)
            pairs = blank.counted(made.predictor.stream(rows, columns=made.columns, origin=origin, before=before))
            while window := list(itertools.islice(pairs, CHUNK)):
                answers.write(window)
                shown.advance(len(window))
        answers.finish()
    except NoRoom:
        answers.close()
        raise
    except AutoftError:
        answers.discard()  # what is wrong with the input has to be mended, and then it is another one
        raise
    except BaseException:
        kept = answers.keep()
        if kept:
            click.echo(f"{kept:,} rows are kept: the same command with --resume goes on behind them", err=True)
        raise
    seconds = time.perf_counter() - started
    click.echo(f"{answers.rows:,} rows in {seconds:.1f} s -> {made.output}", err=True)


def _show(pairs: Iterable[tuple[Any, dict[str, Any]]], as_json: bool) -> None:
    """One line an answer: JSON, or the answer's own words and then what was asked."""
    for row, answer in pairs:
        click.echo(json.dumps(answer, ensure_ascii=False) if as_json else f"{_words(answer)}  {_short(row)}")


def _words(answer: Mapping[str, Any]) -> str:
    """An answer for the eye: `positive  0.981`, `drama 0.912, war 0.640`, `Ada (PER 0.993)`; what else it holds as name=value. The scores
    of what was not chosen are left to --json."""
    words = []
    if "label" in answer:
        words.append(str(answer["label"]))
    if "labels" in answer:
        scores = answer.get("scores", {})
        words.append(", ".join(f"{label} {_number(scores[label])}" if label in scores else label for label in answer["labels"]) or "(none)")
    if "score" in answer:
        words.append(_number(answer["score"]))
    if "entities" in answer:
        words.append(", ".join(f"{one['word']} ({one['entity_group']} {_number(one['score'])})" for one in answer["entities"]) or "(none)")
    if "text" in answer:
        words.append(answer["text"])
    rest = {name: value for name, value in answer.items() if name not in _SHOWN}
    words += [
        f"{name}={value if isinstance(value, str) else json.dumps(_rounded(value), ensure_ascii=False)}" for name, value in rest.items()
    ]
    return "  ".join(" ".join(word.split()) for word in words)


def _rounded(value: Any) -> Any:
    """With as many digits as the scores have."""
    if isinstance(value, float):
        return float(_number(value))
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return {name: _rounded(one) for name, one in value.items()} if isinstance(value, Mapping) else value


def _number(value: float) -> str:
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.3g}"


def _short(row: Any) -> str:
    """What was asked, on one line: the words of a list with blanks, several inputs with | between them."""
    from autoft.runtime.predictor import well_formed

    parts = tuple(row.values()) if isinstance(row, Mapping) else row
    if isinstance(parts, list | tuple) and all(isinstance(part, str) for part in parts):
        shown = (" | " if isinstance(parts, tuple) else " ").join(parts)
    else:
        shown = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, default=str)
    text = " ".join(str(well_formed(shown)).split())
    return text if len(text) <= _WIDEST_TEXT else text[: _WIDEST_TEXT - 1] + "…"
