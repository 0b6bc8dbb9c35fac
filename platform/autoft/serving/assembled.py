"""A server's application, put together as its options say."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI

from autoft.runtime.predictor import Predictor
from autoft.serving.access import AccessLog
from autoft.serving.app import create_app
from autoft.serving.engine import Engine
from autoft.serving.front import Front, guarded
from autoft.serving.keys import read_keys
from autoft.serving.options import Named, Options
from autoft.serving.served import Served, loader
from autoft.serving.watching import Orders, Watch


@dataclass(frozen=True)
class Assembled:
    """The application, and the bundles that it serves by name, the first one first."""

    app: AccessLog
    bundles: Mapping[str, Served]
    engine: Engine


@contextlib.contextmanager
def assembled(options: Options) -> Iterator[Assembled]:
    """The bundles are open, and looked after, as long as this lasts. Raises InputError where a bundle or a key cannot be used."""
    keys = read_keys(options.keys, os.environ)
    engine = Engine(most=options.queue, timeout=options.timeout)
    load, orders = loader(options), Orders(options.orders) if options.orders else None
    bundles: dict[str, Served] = {}
    for named in options.bundles:
        moved = orders.newest(named.name)[1] if orders else None
        bundles[named.name] = Served(Named(name=named.name, folder=moved or named.folder), load, partial(_application, engine))
    watch = Watch(bundles, changes=options.watch, orders=orders)
    app = guarded(Front(bundles, watch), keys=keys, origins=options.cors)
    with contextlib.closing(engine), contextlib.closing(watch):
        watch.start()
        yield Assembled(app, bundles, engine)


def _application(engine: Engine, predictor: Predictor) -> FastAPI:
    return create_app(predictor, name=predictor.bundle.manifest.provenance.candidate, engine=engine)
