"""`autoft bench`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoft.cli.options import column_options

if TYPE_CHECKING:
    from autoft.benching.figures import Measurements
    from autoft.benching.questions import Ask, Questions
    from autoft.runtime.predictor import Predictor


@click.command("bench")
@click.argument("bundle")
@click.option(
    "--input", "input_file", type=click.Path(path_type=Path), help="Rows to ask about, as for predict.  [default: the run's, or made ones]"
)
@column_options
@click.option("--seconds", type=click.FloatRange(1), default=30.0, show_default=True, help="About how long to measure.")
@click.option("--format", "format_name", metavar="NAME", help="One of the bundle's formats.  [default: the one it was exported for]")
@click.option("--json", "as_json", is_flag=True, help="Standard output holds the figures as JSON and nothing else.")
@click.option("--plot", type=click.Path(path_type=Path), help="Where the charts go, as HTML.  [default: bench.html in the run's folder]")
@click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin the bundle was made with.")
def command(
    bundle: str,
    input_file: Path | None,
    text: str | None,
    columns: tuple[str, ...],
    seconds: float,
    format_name: str | None,
    as_json: bool,
    plot: Path | None,
    plugins: tuple[Path, ...],
) -> int:
    """Measure how fast BUNDLE answers on this machine, and write what serves it best into its autoft.json.

    Latency and throughput by length, batch, sessions and threads; memory; cold start; beside PyTorch, where it is installed and BUNDLE lies
    in the folder of the run that left it. `autoft serve` and `autoft predict --input` take the advice on machines with as many processors.

    BUNDLE is a bundle's folder, a run's output folder, a run's id (or a unique beginning of it), or `last`, the newest run that left one.
    """
    import json

    from autoft.benching.bench import bench
    from autoft.cli.options import columns_by_role
    from autoft.cli.where import bundle_folder
    from autoft.console.bench import bench_progress, show_bench

    if input_file is None and (text is not None or columns):
        raise click.UsageError("--text and --column name columns of a file: they go with --input")
    given = columns_by_role(text, columns)
    folder = bundle_folder(bundle)
    run = folder.parent if folder.name == "bundle" and (folder.parent / "run.json").is_file() else None
    if plot is not None:
        _check_plot(plot)
    with bench_progress() as tell:
        measured = bench(
            folder,
            _ask(input_file, given, run, plugins),
            plugin_files=plugins,
            exporter=format_name,
            model=run / "model" if run else None,
            seconds=seconds,
            tell=tell,
        )
    target = plot or (run / "bench.html" if run else None)
    if as_json:
        click.echo(json.dumps(measured.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False))
    else:
        show_bench(measured)
    if target is not None:
        _draw(target, measured)
    return 0


def _ask(input_file: Path | None, given: Mapping[str, str], run: Path | None, plugins: Sequence[Path]) -> Ask:
    """Which rows: those of the file, else of the run, else made ones."""
    from autoft.benching.questions import made, of_file, of_run
    from autoft.cli.rows import file_name, open_rows

    def ask(predictor: Predictor) -> Questions:
        if input_file is not None:
            return of_file(predictor, open_rows(input_file, predictor, plugins, given).rows, given, file_name(input_file))
        found = of_run(predictor, run, plugins) if run else ""
        return made(predictor, found) if isinstance(found, str) else found

    return ask


def _check_plot(plot: Path) -> None:
    from autoft.errors import InputError

    if plot.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--plot {plot}: charts are written as HTML", hint=f"--plot {plot.with_suffix('.html')}")
    if not plot.parent.is_dir():
        raise InputError(f"--plot {plot}: there is no folder {plot.parent}", hint=f"mkdir -p {plot.parent}")


def _draw(path: Path, measured: Measurements) -> None:
    """Where it cannot be written, the figures are there all the same."""
    from autoft.report.bench import write_bench

    try:
        write_bench(path, measured)
    except OSError as error:
        click.echo(f"the charts were not written: {path}: {error.strerror or error}", err=True)
    else:
        click.echo(f"Charts: {path}", err=True)
