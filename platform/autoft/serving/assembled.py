"""A server's application, put together as its options say."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from autoft.errors import AutoftError
from autoft.serving.access import AccessLog
from autoft.serving.app import create_app
from autoft.serving.engine import Engine
from autoft.serving.front import Front, guarded
from autoft.serving.keys import read_keys
from autoft.serving.metrics import Metrics
from autoft.serving.options import Named, Options
from autoft.serving.request_log import RequestLog
from autoft.serving.served import Served, loader
from autoft.serving.watching import Orders, Watch

if TYPE_CHECKING:
    from autoft.serving.tracing import Tracing


@dataclass(frozen=True)
class Assembled:
    """The application, and the bundles that it serves by name, the first one first."""

    app: AccessLog
    bundles: Mapping[str, Served]
    engine: Engine


@contextlib.contextmanager
def assembled(options: Options) -> Iterator[Assembled]:
    """The bundles are open, and looked after, as long as this lasts. Raises InputError where a bundle, a key, the file for requests or
    what the OTEL_* variables name cannot be used."""
    with contextlib.ExitStack() as ends:
        tracing = _tracing() if options.otel else None
        if tracing is not None:
            ends.callback(tracing.close)
        yield _assembled(options, tracing, ends)


def _assembled(options: Options, tracing: Tracing | None, ends: contextlib.ExitStack) -> Assembled:
    keys = read_keys(options.keys, os.environ)
    engine, metrics = Engine(most=options.queue, timeout=options.timeout), Metrics()
    request_log = RequestLog(options.log_requests) if options.log_requests else None
    load, orders = loader(options), Orders(options.orders) if options.orders else None
    bundles: dict[str, Served] = {}
    for named in options.bundles:
        moved = orders.newest(named.name)[1] if orders else None
        build = partial(create_app, name=named.name, engine=engine, metrics=metrics, request_log=request_log, tracing=tracing)
        bundles[named.name] = Served(Named(name=named.name, folder=moved or named.folder), load, build)
    watch = Watch(bundles, changes=options.watch, orders=orders)
    app = guarded(Front(bundles, watch), keys=keys, origins=options.cors)
    ends.callback(engine.close)
    ends.callback(watch.close)
    watch.start()
    return Assembled(app, bundles, engine)


def _tracing() -> Tracing | None:
    """Of this process: what sends spans does not outlive a fork, and each worker has its own."""
    try:
        from autoft.serving.tracing import opened
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise AutoftError("--otel needs OpenTelemetry's SDK, which is not installed", hint="pip install 'autoft[otel]'") from None
    return opened()
