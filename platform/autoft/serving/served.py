"""A bundle that is served, and another that takes its place while requests come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from starlette.types import ASGIApp

from autoft.data.names import counted
from autoft.errors import AutoftError, BundleError
from autoft.loading import advised, load_predictor
from autoft.runtime.predictor import Predictor
from autoft.runtime.session import available_cores
from autoft.serving.openapi import example_row
from autoft.serving.options import GPU_TOKENS, Named, Options

LOG = logging.getLogger("autoft.serving")

Build = Callable[[Predictor], ASGIApp]


class Served:
    """`app` answers with the bundle in `folder`; whoever got it goes on with it when another has come.

    Raises BundleError where the bundle cannot be opened.
    """

    def __init__(self, named: Named, load: Callable[[Path], Predictor], build: Build) -> None:
        self.name, self.folder = named.name, named.folder
        self._load, self._build = load, build
        self._swapping = threading.Lock()
        self.seen = fingerprint(self.folder)
        self.predictor = load(self.folder)
        self._answers = _warmed(self.predictor) is None
        self.app = build(self.predictor)

    def swap(self, folder: Path | None = None) -> Predictor:
        """Serve the bundle in `folder`, by default in the same folder as before. Its files are checked and a row is answered first;
        requests that have begun are answered by the old one. Raises AutoftError, and the old one is served on. Takes seconds: for
        a thread."""
        with self._swapping:
            folder = folder or self.folder
            self.seen = fingerprint(folder)
            predictor = self._load(folder)
            self._check_same(predictor, folder)
            reason = _warmed(predictor)
            if reason is not None and self._answers:
                raise BundleError(f"{folder} does not answer a row as the old bundle does: {reason}")
            self.predictor, self.folder, self.app = predictor, folder, self._build(predictor)
            return predictor

    def _check_same(self, predictor: Predictor, folder: Path) -> None:
        now, then = predictor.problem, self.predictor.problem
        if (now.task, now.inputs) != (then.task, then.inputs):
            what = f"{folder} is for {now.task} of {', '.join(now.inputs)}; {self.name} is for {then.task} of {', '.join(then.inputs)}"
            raise BundleError(what, hint="serve it under a name of its own")


def _warmed(predictor: Predictor) -> str | None:
    """Answer a row, as the first is slower; why that cannot be, which is no fault where a row cannot be made up for such inputs."""
    try:
        predictor.predict([example_row(predictor.bundle)])
    except AutoftError as error:
        return error.message
    except Exception as error:  # a plugin may raise anything for a row that was made up
        return type(error).__name__
    return None


def swapped(served: Served, folder: Path | None = None) -> str | None:
    """Swap, and tell the log of it; why not, where the old one is served on."""
    try:
        predictor = served.swap(folder)
    except AutoftError as error:
        LOG.error("%s: not swapped, the old bundle is served on: %s", served.name, error.message)
        return error.message
    except Exception as error:  # whatever a plugin raises, the old one is served on
        LOG.error("%s: not swapped, the old bundle is served on: %s", served.name, type(error).__name__)
        return f"it cannot be served: {type(error).__name__}"
    LOG.info("%s: swapped for %s of %s", served.name, predictor.bundle.manifest.provenance.candidate, predictor.bundle.manifest.created)
    return None


def fingerprint(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """What tells that a file of the bundle was replaced: names, sizes, times and inodes. () where there is no folder."""
    try:
        found = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    except OSError:  # gone meanwhile
        return ()
    return tuple((str(path.relative_to(folder)), facts.st_size, facts.st_mtime_ns, facts.st_ino) for path, facts in found)


def loader(options: Options) -> Callable[[Path], Predictor]:
    """What opens a bundle as the options say. Of several workers each has its share of the processors."""
    threads = options.threads
    if options.workers > 1 and threads is None:
        threads = max(1, available_cores() // options.workers // (options.sessions or 1))

    def load(folder: Path) -> Predictor:
        predictor = load_predictor(
            folder,
            plugin_files=options.plugins,
            threads=threads,
            at_once=options.sessions,
            purpose="server",
            exporter=options.format,
            abstain_below=options.abstain_below,
            out_of_domain=options.out_of_domain,
            truncate=options.truncate,
        )
        if predictor.on_gpu and options.sessions is None:
            predictor.at_once = 1  # processors were counted; the engine has two batches in work all the same
        predictor.budget = budget(options.batch_tokens, predictor)
        return predictor

    return load


def budget(asked: int | None, predictor: Predictor) -> int | None:
    """Most padded tokens of a batch of several requests. None where nothing was asked for, on processors, whose batches are small, and
    where rows have no length to count."""
    if asked is not None:
        return asked or None
    return GPU_TOKENS if predictor.on_gpu and predictor.encoding.max_length is not None else None


def setting(predictor: Predictor, format_name: str | None) -> str:
    """What the start line says of the bundle's advice, if it has one, when this format is served."""
    manifest = predictor.bundle.manifest
    advice = manifest.advice
    if advice is None:
        return ""
    if advised(manifest, "server", format_name) is None:
        measured = f"{counted(advice.machine.cores, 'processor')} and the format {advice.format}"
        here = f"{counted(available_cores(), 'processor')} and {format_name or manifest.exporter} here"
        return f"; the bundle's advice is for {measured}, not for {here}: not taken"
    said = f"{counted(predictor.at_once, 'session')} of {counted(predictor.threads, 'thread')}"
    if predictor.budget is not None:
        return f"; {said}, as autoft bench advised; {predictor.budget:,} tokens a batch"
    return f"; {said}, {counted(predictor.batch, 'row')} a batch, as autoft bench advised"
