"""From a bundle's folder to a `Predictor`: looks up the plugins that the manifest names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from autoft.errors import BundleError, PluginError

if TYPE_CHECKING:
    from autoft.catalog import Catalog
    from autoft.data.table import Table
    from autoft.interfaces.reader import Reader
    from autoft.interfaces.tuner import PluginFile
    from autoft.runtime.advice import Setting
    from autoft.runtime.bundle import Bundle, Manifest
    from autoft.runtime.predictor import Predictor

_T = TypeVar("_T")

Purpose: TypeAlias = Literal["server", "file"]
"""Requests that come one by one, or the rows of a file."""


def load_predictor(
    bundle: Path,
    *,
    plugin_files: Sequence[Path] = (),
    threads: int | None = None,
    at_once: int | None = None,
    purpose: Purpose | None = None,
    exporter: str | None = None,
    abstain_below: float | None = None,
    out_of_domain: bool = False,
    truncate: bool = True,
) -> Predictor:
    """Open the bundle in the folder `bundle`, with `at_once` batches in work at a time (one by default) and `threads` threads a batch (by
    default their share of all that the process may use).

    Where neither is given, `purpose` takes both, and the rows of a batch, from the bundle's advice, if that holds here; without one a file
    is answered by a batch of one thread a processor, and requests as `_server_default` says. `exporter` names the format that is opened,
    where it is not the manifest's; for `abstain_below`, `out_of_domain` and `truncate` see `Predictor`.
    `plugin_files` are the one-file plugins that the bundle was made with. Raises BundleError when the folder is no bundle, a
    file was changed, or a plugin is missing or another one than the bundle names.
    """
    from autoft.catalog import Catalog
    from autoft.plugins import read_plugin_file
    from autoft.runtime.bundle import open_bundle
    from autoft.runtime.predictor import Predictor
    from autoft.runtime.session import available_cores

    opened = open_bundle(bundle)
    manifest = opened.manifest
    files = [read_plugin_file(path) for path in plugin_files]
    _check_plugin_files(opened, files)
    catalog = Catalog.build(files, kinds=("tasks", "encoders", "exporters"))
    batch = None
    if threads is None and at_once is None and purpose is not None:
        setting = advised(manifest, purpose, exporter)
        if setting is not None:
            threads, at_once, batch = setting.threads, setting.sessions, setting.batch
        else:
            threads, at_once = (1, available_cores()) if purpose == "file" else _server_default(available_cores())
    return Predictor(
        opened,
        task=_found("task", catalog.task, manifest.problem.task, manifest, files),
        encoder=_found("encoder", catalog.encoder, manifest.encoder.name, manifest, files),
        exporter=_found("exporter", catalog.exporter, opened.format(exporter), manifest, files),
        threads=threads or max(1, available_cores() // (at_once or 1)),
        at_once=at_once or 1,
        batch=batch,
        abstain_below=abstain_below,
        out_of_domain=out_of_domain,
        truncate=truncate,
    )


def _server_default(cores: int) -> tuple[int, int]:
    """Threads and batches at a time where nobody has measured: with one thread each, most requests are answered, with all in one batch a
    lone request is answered soonest; both numbers are the same here, but for the rounding."""
    threads = math.isqrt(cores)
    return threads, cores // threads


def advised(manifest: Manifest, purpose: Purpose, exporter: str | None = None) -> Setting | None:
    """What the bundle's advice says for this purpose; None where it has none, or one of another format or another number of processors."""
    from autoft.runtime.session import available_cores

    advice = manifest.advice
    if advice is None or not advice.holds(available_cores(), exporter or manifest.exporter):
        return None
    return advice if purpose == "server" else advice.files


def _check_plugin_files(bundle: Bundle, files: Sequence[PluginFile]) -> None:
    needed = {record.name: record.sha256 for record in bundle.manifest.plugin_files}
    for file in files:
        if file.name in needed and file.sha256 != needed[file.name]:
            raise BundleError(
                f"--plugin {file.name} is not the file that {bundle.folder} was made with: "
                f"sha256 {file.sha256[:12]}... instead of {needed[file.name][:12]}...",
                hint="give the file as it was then, or run `autoft run` again with the new one",
            )


def _found(kind: str, lookup: Callable[[str], _T], name: str, manifest: Manifest, files: Sequence[PluginFile]) -> _T:
    """The plugin's object; where the catalog has none, the error says which package or file the bundle was made with."""
    try:
        return lookup(name)
    except PluginError as error:
        package = manifest.package_of(kind, name)
        if package is not None:
            broken = error.message.partition("\n")[1:]  # plugins that did not load
            said = f"the bundle needs the {kind} {name!r}, which {package.requirement} gives; it is not there"
            raise BundleError("".join([said, *broken]), hint=_install(manifest)) from None
        given = {file.sha256 for file in files}
        missing = [record for record in manifest.plugin_files if record.sha256 not in given]
        if not missing:
            raise BundleError(f"the bundle needs a plugin that is not installed: {error.message}", hint=error.hint) from None
        listed = ", ".join(f"{record.name} (sha256 {record.sha256})" for record in missing)
        raise BundleError(
            f"the bundle needs the plugin {listed}, which gives {name!r}; a bundle carries no code",
            hint="add " + " ".join(f"--plugin {record.name}" for record in missing),
        ) from None


def _install(manifest: Manifest) -> str:
    """All that the bundle was made with: with the first package alone the next would be missed."""
    return "pip install " + " ".join(package.requirement for package in manifest.plugin_packages if package.answering)


ANSWERING = ("tasks", "encoders", "exporters")
"""The kinds of plugins that a bundle's answers need."""


def check_plugins(bundle: Bundle, catalog: Catalog) -> None:
    """Raises BundleError where a plugin that the bundle's answers need is not in the catalog, which holds the kinds `ANSWERING`, or a file
    of the catalog is another one than the bundle names."""
    manifest, files = bundle.manifest, catalog.plugin_files
    _check_plugin_files(bundle, files)
    _found("task", catalog.task, manifest.problem.task, manifest, files)
    _found("encoder", catalog.encoder, manifest.encoder.name, manifest, files)
    _found("exporter", catalog.exporter, manifest.exporter, manifest, files)


def read_rows(path: Path, *, plugin_files: Sequence[Path] = (), unlabelled: Callable[[Sequence[Reader]], Reader] | None = None) -> Table:
    """A data file by the reader plugin that takes it, whole in memory. `unlabelled` makes, of the readers there are, one that is asked
    before them. Raises DataError."""
    from autoft.catalog import Catalog
    from autoft.data.reading import read_table
    from autoft.plugins import read_plugin_file

    files = [read_plugin_file(one) for one in plugin_files]
    catalog = Catalog.build(files, kinds=("readers",))
    readers = list(catalog.readers.values())
    return read_table(path, [unlabelled(readers), *readers] if unlabelled else readers, catalog.unloaded("read it"))
