"""A finished bundle, arranged for the places that run it: written aside by packagers, put in place once all of it is whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autoft.catalog import Catalog
from autoft.disk import inside, take_place, write_json
from autoft.errors import ExportError, InputError
from autoft.interfaces.packager import BundleFacts, Packager, Placed
from autoft.loading import ANSWERING, check_plugins
from autoft.runtime.bundle import MANIFEST, open_bundle, sha256_of
from autoft.version import __version__

KINDS = (*ANSWERING, "packagers")
"""The kinds of plugins that the catalog has to hold."""

RECORD = "packaged.json"
"""What was written into a folder, with the sha256 of each file: a folder of which all is as it was may be replaced."""


def package(bundle: Path, names: Sequence[str], folder: Path, catalog: Catalog) -> list[Placed]:
    """Arrange the bundle by the packagers of these names, each into the folder of its name below `folder`.

    All of them write aside; then what was there of an earlier call is replaced. Raises PluginError for a name that is unknown, BundleError
    where the bundle was changed or lacks a plugin, InputError where something of somebody else's is in the place, and ExportError where
    it cannot be taken or written; then all that was there is as it was.
    """
    packagers = [catalog.packager(name) for name in dict.fromkeys(names)]
    facts = _facts(bundle, catalog)
    if folder.resolve().is_relative_to(bundle.resolve()):
        raise InputError(f"{folder} lies in the bundle itself, which is proved as it is", hint="give a folder beside it")
    for packager in packagers:
        _check_place(inside(folder, packager.name))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".packaging-", dir=folder))
        try:
            placed = [_written(packager, facts, inside(aside, packager.name), folder / packager.name) for packager in packagers]
            for one in placed:
                take_place(aside / one.packager, one.folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        size = sum(facts.files.values()) / 2**20
        raise ExportError(
            f"{folder} could not be written: {error.strerror or error}; what was there is as it was",
            hint=f"the bundle has {size:,.0f} MiB: is there room for it, and may you write there?",
        ) from error
    return placed


def _facts(folder: Path, catalog: Catalog) -> BundleFacts:
    opened = open_bundle(folder)
    check_plugins(opened, catalog)
    manifest = opened.manifest
    needed = {("task", manifest.problem.task), ("encoder", manifest.encoder.name), ("exporter", manifest.exporter)}
    givers = [record for record in catalog.plugins if any((given.kind, given.name) in needed for given in record.gives)]
    named = {record.sha256 for record in manifest.plugin_files}
    return BundleFacts(
        folder=folder,
        sha256=sha256_of(folder / MANIFEST),
        task=manifest.problem.task,
        candidate=manifest.provenance.candidate,
        autoft=manifest.autoft,
        files={name: (folder / name).stat().st_size for name in (MANIFEST, *manifest.files)},
        graphs=opened.formats[manifest.exporter].files,
        versions=manifest.provenance.versions,
        plugin_files=tuple({file.sha256: file for file in catalog.plugin_files if file.sha256 in named}.values()),
        requirements=tuple(dict.fromkeys(record.requirement for record in givers if record.requirement)),
    )


def _written(packager: Packager, facts: BundleFacts, aside: Path, place: Path) -> Placed:
    aside.mkdir()
    made = packager.package(facts, aside)
    absent = next((name for name in made.files if not inside(aside, name).is_file()), None)
    if absent is not None:
        raise ExportError(f"the packager {packager.name} says that it wrote {absent}; there is no such file", hint="tell its author")
    files = {path.relative_to(aside).as_posix(): sha256_of(path) for path in sorted(aside.rglob("*")) if not path.is_dir()}
    record = {"schema": 1, "packager": packager.name, "autoft": __version__, "bundle": facts.sha256, "files": files}
    write_json(aside / RECORD, record)
    return Placed(packager.name, place, made.files, made.next_steps)


def _check_place(place: Path) -> None:
    """Raises InputError where the place is taken by anything that was not written by a call of `package`, or was changed since."""
    if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
        return
    if not place.exists() and not place.is_symlink():
        return
    try:
        files = dict(json.loads((place / RECORD).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        hint = "give another folder, or move this one away"
        raise InputError(f"{place} is there already, and is none that `autoft export` wrote", hint=hint) from None
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if name == RECORD or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink() or files.get(name) != sha256_of(path):
            what = "was changed" if name in files else "was added"
            hint = "give another folder, or move this one away: it would be replaced"
            raise InputError(f"{path} {what} since `autoft export` wrote {place}", hint=hint)
