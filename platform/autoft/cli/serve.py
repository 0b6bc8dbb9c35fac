"""`autoft serve`."""

from __future__ import annotations

from pathlib import Path

import click

from autoft.cli.options import abstain_option


@click.command("serve")
@click.argument("bundle")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 opens it to the network.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes any free one.")
@click.option("--threads", type=click.IntRange(1), help="Threads of the model.  [default: all processors]")
@click.option("--format", "format_name", metavar="NAME", help="One of the bundle's formats.  [default: the one it was exported for]")
@abstain_option
@click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin the bundle was made with.")
def command(
    bundle: str,
    host: str,
    port: int,
    threads: int | None,
    format_name: str | None,
    abstain_below: float | None,
    plugins: tuple[Path, ...],
) -> int:
    """Serve BUNDLE over HTTP: POST /predict, POST / in the shapes of Hugging Face's API, GET /health/ready, /info, /docs.

    BUNDLE is a bundle's folder, a run's output folder, a run's id (or a unique beginning of it), or `last`, the newest run that left one.
    """
    from autoft.cli.where import bundle_folder
    from autoft.errors import AutoftError
    from autoft.loading import load_predictor

    folder = bundle_folder(bundle)
    try:
        from autoft.serving.server import bind, serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("autoft"):
            raise
        raise AutoftError(f"serving needs the package {error.name}", hint="pip install 'autoft[serve]'") from None
    listener = bind(host, port)
    predictor = load_predictor(folder, plugin_files=plugins, threads=threads, format_name=format_name, abstain_below=abstain_below)
    name = predictor.bundle.manifest.provenance.candidate

    def ready(address: str) -> None:
        click.echo(f"{name} on {address} (try it: {address}/docs); Ctrl-C stops", err=True)

    serve(predictor, host, port, name=name, listener=listener, on_ready=ready)
    return 0
