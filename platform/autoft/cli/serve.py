"""`autoft serve`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoft.cli.options import abstain_option, domain_option

if TYPE_CHECKING:
    from autoft.serving.options import Named
    from autoft.serving.server import Started


@click.command("serve")
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 opens it to the network.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes any free one.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of a batch of rows.  [default: as `autoft bench` advised, else the root of the number of processors]",
)
@click.option(
    "--sessions",
    type=click.IntRange(1),
    help="Batches in work at a time.  [default: as `autoft bench` advised, else as many as share the processors; 1 with --threads]",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes on the port, the processors shared out.")
@click.option("--format", "format_name", metavar="NAME", help="One of the bundle's formats.  [default: the one it was exported for]")
@click.option(
    "--log-requests",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write every row and its answer to this file of JSON lines, which `autoft run` reads.  [default: texts are written nowhere]",
)
@abstain_option
@domain_option
@click.option("--no-truncate", is_flag=True, help="Refuse rows that are longer than the model reads, instead of cutting them.")
@click.option(
    "--batch-tokens",
    type=click.IntRange(0),
    metavar="N",
    help="Put rows of several requests into one batch, up to N padded tokens; 0 never does.  [default: 16384 on a GPU, else 0]",
)
@click.option("--queue", type=click.IntRange(1), metavar="ROWS", help="Rows that may wait; above it requests get 429.  [default: 2048]")
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="For a request; after it, it gets 504.  [default: 60]"
)
@click.option("--watch", is_flag=True, help="When a bundle's folder is replaced, check the new one and serve it.")
@click.option(
    "--api-keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Answer only those who send a key: a key a line, beside those in AUTOFT_API_KEYS. One marked admin: may swap bundles.",
)
@click.option("--cors", multiple=True, metavar="ORIGIN", help="Let pages of this origin ask, e.g. https://shop.example.")
@click.option("--otel", is_flag=True, help="Send spans of requests by OpenTelemetry, where the OTEL_* variables say. No texts are sent.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The log's form.")
@click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin the bundle was made with.")
def command(
    bundles: tuple[str, ...],
    host: str,
    port: int,
    threads: int | None,
    sessions: int | None,
    workers: int,
    format_name: str | None,
    log_requests: Path | None,
    abstain_below: float | None,
    out_of_domain: bool,
    no_truncate: bool,
    batch_tokens: int | None,
    queue: int | None,
    timeout: float | None,
    watch: bool,
    api_keys: Path | None,
    cors: tuple[str, ...],
    otel: bool,
    log_format: str,
    plugins: tuple[Path, ...],
) -> int:
    """Serve BUNDLE over HTTP: POST /predict, POST / in the shapes of Hugging Face's API, KServe's V2 protocol,
    MLflow's POST /invocations, GET /health/ready, /info, /metrics, /docs, and a page to try it at GET /.

    BUNDLE is a bundle's folder, a run's output folder, a run's id (or a unique beginning of it), or `last`, the newest run that left one.
    Each is at /models/NAME/..., too, the second and further ones there alone. NAME=BUNDLE names it; else its folder does.
    """
    from autoft.errors import AutoftError

    named = _named(bundles)
    try:
        from autoft.serving.server import bind, serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("autoft"):
            raise
        raise AutoftError(f"serving needs the package {error.name}", hint="pip install 'autoft[serve]'") from None
    from autoft.serving.options import QUEUE, TIMEOUT, Options

    options = Options(
        bundles=named,
        plugins=plugins,
        threads=threads,
        sessions=sessions,
        format=format_name,
        abstain_below=abstain_below,
        out_of_domain=out_of_domain,
        truncate=not no_truncate,
        batch_tokens=batch_tokens,
        keys=api_keys,
        log_requests=log_requests,
        cors=cors,
        log_format="json" if log_format == "json" else "text",
        otel=otel,
        watch=watch,
        workers=workers,
        queue=queue or QUEUE,
        timeout=timeout or TIMEOUT,
    )
    listener = bind(host, port)

    def ready(started: Started) -> None:
        several = f"; {workers} workers" if workers > 1 else ""
        names, address = ", ".join(started.names), started.address
        click.echo(f"{names} on {address} (try it: {address}/){started.setting}{several}; Ctrl-C stops", err=True)

    if workers == 1:
        serve(options, listener, ready)
        return 0
    from autoft.serving.supervisor import supervise

    return supervise(options, listener, ready)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _named(bundles: tuple[str, ...]) -> tuple[Named, ...]:
    """The bundles with their names. Raises InputError where two have one name."""
    from autoft.cli.where import bundle_folder
    from autoft.errors import InputError
    from autoft.serving.options import Named

    found: list[Named] = []
    for text in bundles:
        name, equals, rest = text.partition("=")
        own = bool(equals) and _NAME.fullmatch(name) is not None and not Path(text).exists()
        folder = bundle_folder(rest if own else text)
        name = name if own else _name_of(folder)
        if any(one.name == name for one in found):
            raise InputError(f"two bundles would be served as {name}", hint=f"name one of them: autoft serve A other={text}")
        found.append(Named(name=name, folder=folder))
    return tuple(found)


def _name_of(folder: Path) -> str:
    """Of the folder, or of the run whose folder `bundle` it is; without what has no place in a URL."""
    whole = folder.absolute()
    name = whole.parent.name if whole.name == "bundle" else whole.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "bundle"
