"""`autoft export`."""

from __future__ import annotations

import click


@click.command("export")
@click.argument("run")
@click.option("--to", metavar="NAMES", multiple=True, help="Formats by comma, the one to be served first: onnx-int8,onnx.")
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
@click.option("--json", "as_json", is_flag=True, help="Print the bundle's formats as JSON and nothing else.")
def command(run: str, to: tuple[str, ...], max_loss: float | None, only: bool, trim_vocabulary: bool, as_json: bool) -> int:
    """Write the model of RUN in further formats, into its bundle; without --to, list those it has and those there are.

    RUN is an id, a unique prefix of one, `last`, or the output folder. Each format is proved on the run's rows, which have to be where they
    were. One that rounds is kept only where the metric falls by no more than --max-loss on rows that the weights never saw. The first of
    --to is what `predict` and `serve` take from then on; --format takes another.

    --trim-vocabulary keeps the tokens of the run's rows, what other words are written by, and as many of the most frequent others as it
    takes for trimming and rounding together to cost no more than --max-loss. The whole model stays in the run's folder model.whole.
    """
    names = [name for group in to for name in group.split(",") if name]
    asked = bool(names) or trim_vocabulary
    if not asked and (max_loss is not None or only):
        raise click.UsageError("--max-loss and --only go with --to")
    from autoft.console import show_formats

    if not asked:
        from autoft.catalog import Catalog
        from autoft.cli.where import bundle_folder
        from autoft.runtime.bundle import open_bundle

        bundle = open_bundle(bundle_folder(run))
        known = Catalog.build(kinds=("exporters",)).exporters
        summaries = {name: one.summary for name, one in known.items()}
        show_formats(bundle.folder, bundle.formats, summaries, trimmed=bundle.manifest.trimmed, as_json=as_json)
        return 0
    from autoft.api import export

    done = export(run, names, max_loss=max_loss, only=only, trim_vocabulary=trim_vocabulary)
    for line in done.refused:
        click.echo(line, err=True)
    show_formats(done.bundle, done.formats, trimmed=done.trimmed, as_json=as_json)
    return 0
