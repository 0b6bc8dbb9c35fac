"""`autoft export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from autoft.catalog import Catalog


@click.command("export")
@click.argument("run")
@click.option(
    "--to", metavar="NAMES", multiple=True, help="By comma: formats, the one to be served first, and places: onnx-int8,onnx,docker."
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0),
    metavar="POINTS",
    help="What rounding and trimming may cost in the metric.  [default: as in the run]",
)
@click.option("--only", is_flag=True, help="Keep no other format in the bundle.")
@click.option(
    "--trim-vocabulary", is_flag=True, help="Leave out tokens that the data hardly need, and make the bundle anew in the formats of --to."
)
@click.option("--output", type=click.Path(path_type=Path), help="Where the folders of places go.  [default: beside the bundle]")
@click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin the bundle was made with.")
@click.option("--json", "as_json", is_flag=True, help="Print what is there as JSON and nothing else.")
def command(
    run: str,
    to: tuple[str, ...],
    max_loss: float | None,
    only: bool,
    trim_vocabulary: bool,
    output: Path | None,
    plugins: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Write the model of RUN in further formats, into its bundle, or arrange the bundle for a place to run, such as docker; without --to,
    list the formats that it has, and what there is.

    RUN is an id, a unique prefix of one, `last`, or the output folder; for places a bundle's folder will do. Each format is proved on the
    run's rows, which have to be where they were. One that rounds is kept only where the metric falls by no more than --max-loss points on
    rows that the weights never saw. The first format of --to is what `predict` and `serve` take from then on; --format takes another.

    --trim-vocabulary keeps the tokens of the run's rows, what other words are written by, and as many of the most frequent others as it
    takes for trimming and rounding together to cost no more than --max-loss. The whole model stays in the run's folder model.whole.
    """
    from autoft.catalog import Catalog
    from autoft.plugins import read_plugin_file

    names = [name for group in to for name in group.split(",") if name]
    catalog = Catalog.build([read_plugin_file(path) for path in plugins])
    places = [name for name in names if name in catalog.packagers]
    formats = [name for name in names if name not in places]
    if not formats and not trim_vocabulary and (max_loss is not None or only):
        raise click.UsageError("--max-loss and --only go with formats: --to onnx-int8")
    if not places and output is not None:
        raise click.UsageError("--output goes with places: --to docker")
    for name in formats:
        _known(catalog, name)
    if formats or trim_vocabulary:
        _formats(run, formats, max_loss=max_loss, only=only, trim_vocabulary=trim_vocabulary, as_json=as_json and not places)
    if places:
        _places(run, places, output, catalog, as_json=as_json)
    if not (names or trim_vocabulary):
        _list(run, catalog, as_json=as_json)
    return 0


def _known(catalog: Catalog, name: str) -> None:
    """Raises PluginError for what is neither a format nor a place."""
    if name not in catalog.exporters:
        from autoft.data.names import nearest
        from autoft.errors import PluginError

        close = nearest(name, [*catalog.exporters, *catalog.packagers])
        known = f"formats: {', '.join(catalog.exporters)}; places: {', '.join(catalog.packagers)}"
        raise PluginError(f"--to {name}: there is no such format or place; {known}", hint=f"did you mean {close!r}?" if close else None)


def _formats(run: str, names: Sequence[str], *, max_loss: float | None, only: bool, trim_vocabulary: bool, as_json: bool) -> None:
    from autoft.api import export
    from autoft.console import show_formats

    done = export(run, names, max_loss=max_loss, only=only, trim_vocabulary=trim_vocabulary)
    for line in done.refused:
        click.echo(line, err=True)
    show_formats(done.bundle, done.formats, trimmed=done.trimmed, as_json=as_json)


def _places(run: str, names: Sequence[str], output: Path | None, catalog: Catalog, *, as_json: bool) -> None:
    from autoft.cli.where import bundle_folder
    from autoft.console import show_places
    from autoft.steps.package import package

    bundle = bundle_folder(run)
    show_places(package(bundle, names, output or bundle.resolve().parent, catalog), as_json=as_json)


def _list(run: str, catalog: Catalog, *, as_json: bool) -> None:
    from autoft.cli.where import bundle_folder
    from autoft.console import show_formats
    from autoft.runtime.bundle import open_bundle

    bundle = open_bundle(bundle_folder(run))
    known = {one.name: one.summary for one in catalog.exporters.values()} | {one.name: one.summary for one in catalog.packagers.values()}
    show_formats(bundle.folder, bundle.formats, known, trimmed=bundle.manifest.trimmed, as_json=as_json)
