"""`autoft serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoft.cli.options import abstain_option

if TYPE_CHECKING:
    from autoft.runtime.predictor import Predictor


@click.command("serve")
@click.argument("bundle")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 opens it to the network.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes any free one.")
@click.option(
    "--threads", type=click.IntRange(1), help="Threads of a batch of rows.  [default: as `autoft bench` advised, else all processors]"
)
@click.option("--sessions", type=click.IntRange(1), help="Batches in work at a time.  [default: as `autoft bench` advised, else 1]")
@click.option("--format", "format_name", metavar="NAME", help="One of the bundle's formats.  [default: the one it was exported for]")
@click.option(
    "--log-requests",
    "log",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write every row and its answer to this file of JSON lines, which `autoft run` reads.  [default: texts are written nowhere]",
)
@abstain_option
@click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin the bundle was made with.")
def command(
    bundle: str,
    host: str,
    port: int,
    threads: int | None,
    sessions: int | None,
    format_name: str | None,
    log: Path | None,
    abstain_below: float | None,
    plugins: tuple[Path, ...],
) -> int:
    """Serve BUNDLE over HTTP: POST /predict, POST / in the shapes of Hugging Face's API, KServe's V2 protocol,
    MLflow's POST /invocations, GET /health/ready, /info, /metrics, /docs, and a page to try it at GET /.

    BUNDLE is a bundle's folder, a run's output folder, a run's id (or a unique beginning of it), or `last`, the newest run that left one.
    """
    from autoft.cli.where import bundle_folder
    from autoft.errors import AutoftError
    from autoft.loading import load_predictor

    folder = bundle_folder(bundle)
    try:
        from autoft.serving.request_log import RequestLog
        from autoft.serving.server import bind, serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("autoft"):
            raise
        raise AutoftError(f"serving needs the package {error.name}", hint="pip install 'autoft[serve]'") from None
    request_log = RequestLog(log) if log else None
    listener = bind(host, port)
    predictor = load_predictor(
        folder,
        plugin_files=plugins,
        threads=threads,
        at_once=sessions,
        purpose="server",
        exporter=format_name,
        abstain_below=abstain_below,
    )
    name = predictor.bundle.manifest.provenance.candidate
    setting = "" if threads or sessions else _setting(predictor, format_name)

    def ready(address: str) -> None:
        click.echo(f"{name} on {address} (try it: {address}/){setting}; Ctrl-C stops", err=True)

    serve(predictor, host, port, name=name, listener=listener, request_log=request_log, on_ready=ready)
    return 0


def _setting(predictor: Predictor, format_name: str | None) -> str:
    """What the start line says of the bundle's advice, if it has one, when this format is served."""
    from autoft.data.names import counted
    from autoft.loading import advised
    from autoft.runtime.session import available_cores

    manifest = predictor.bundle.manifest
    advice = manifest.advice
    if advice is None:
        return ""
    if advised(manifest, "server", format_name) is None:
        measured = f"{counted(advice.machine.cores, 'processor')} and the format {advice.format}"
        here = f"{counted(available_cores(), 'processor')} and {format_name or manifest.exporter} here"
        return f"; the bundle's advice is for {measured}, not for {here}: not taken"
    setting = (
        f"{counted(predictor.at_once, 'session')} of {counted(predictor.threads, 'thread')}, {counted(predictor.batch, 'row')} a batch"
    )
    return f"; {setting}, as autoft bench advised"
