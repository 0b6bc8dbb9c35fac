"""The folder that is served: its manifest `autoft.json`, and the check that its files are those that were proved."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from autoft.errors import BundleError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Frozen, Problem
from autoft.interfaces.task import Decoder
from autoft.runtime.advice import Advice
from autoft.runtime.reference import Reference

MANIFEST = "autoft.json"
DECODER = "decoder.npz"
SCHEMA = 1
_LARGEST_MANIFEST = 64 * 2**20


class EncoderRecord(Frozen):
    """Which encoder stands before the graph; its files lie in the bundle."""

    name: str
    config: dict[str, Any] = Field(default_factory=dict)


class FormatRecord(Frozen):
    """A format of the bundle: its own files, and how near it is to the fitted model."""

    files: tuple[str, ...]
    bytes: int = Field(ge=0, description="of its files")
    details: dict[str, Any] = Field(default_factory=dict)
    proof: dict[str, Any] = Field(default_factory=dict, description="what was compared, and the largest difference")
    loss: dict[str, Any] | None = Field(default=None, description="what its rounding costs in the metric; None where it rounds nothing")


class TrimRecord(Frozen):
    """A vocabulary from which tokens were left out."""

    kept: int = Field(description="tokens that stayed")
    of: int = Field(description="tokens that there were")
    share: float = Field(description="how much stayed of what neither the rows nor words without a token need: the most frequent")
    loss: dict[str, Any] = Field(description="what it costs in the metric, by tokens of the training rows alone")


class PluginRecord(Frozen):
    """A one-file plugin without which the bundle gives no answers. The bundle names it and does not hold it."""

    name: str
    sha256: str


class PackageRecord(Frozen):
    """An installed package of plugins that gave something of the bundle. The bundle names it and does not hold it."""

    requirement: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*==[\w.+!-]+$", description="name==version, as pip takes it")
    gives: tuple[str, ...] = Field(description="what of the bundle it gave: task NAME, encoder NAME, exporter NAME or model NAME")

    @property
    def answering(self) -> tuple[str, ...]:
        """What of it answers need: all but the model, which has learned."""
        return tuple(one for one in self.gives if not one.startswith("model "))


class Provenance(Frozen):
    """Where the model comes from."""

    candidate: str
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    averaged: tuple[int, ...] = Field(default=(), description="the trials of whose weights these are the mean; empty for one trial's own")
    teacher: str | None = Field(default=None, description="the candidate whose answers it learned from; None where labels alone taught it")
    source: str | None = Field(default=None, description="name of the pretrained weights; None for a model without")
    source_sha256: str | None = None
    data_sha256: str = ""
    seed: int = 0
    run_id: str | None = None
    versions: dict[str, str] = Field(default_factory=dict, description="package -> version at the time of the export")


class Manifest(Frozen):
    """The content of autoft.json: what the other files of a bundle do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    schema_version: int = Field(default=SCHEMA, alias="schema", ge=1)
    autoft: str = Field(description="version that wrote the bundle")
    created: str = Field(description="ISO 8601, UTC")
    problem: Problem
    exporter: str = Field(description="the format that is served unless another is asked for")
    export_details: dict[str, Any] = Field(default_factory=dict)
    encoder: EncoderRecord
    decoder: dict[str, Any] = Field(default_factory=dict, description=f"the decoder's config; its arrays are in {DECODER}")
    input_schema: dict[str, Any] = Field(default_factory=dict, description="JSON Schema of one row of a request")
    output_schema: dict[str, Any] = Field(default_factory=dict, description="JSON Schema of one answer")
    files: dict[str, str] = Field(default_factory=dict, description="relative path -> sha256 of every file but autoft.json")
    provenance: Provenance
    licences: dict[str, str] = Field(default_factory=dict, description="what -> licence, e.g. of the source")
    figures: dict[str, dict[str, float]] = Field(default_factory=dict, description="part of the data -> metric -> value")
    proof: dict[str, Any] = Field(default_factory=dict, description="what was compared, and the largest difference")
    plugin_files: tuple[PluginRecord, ...] = ()
    plugin_packages: tuple[PackageRecord, ...] = Field(
        default=(), description="installed packages of plugins; empty also in bundles made before they were named"
    )
    formats: dict[str, FormatRecord] = Field(default_factory=dict, description="all formats by name; empty where there is only `exporter`")
    advice: Advice | None = Field(default=None, description="how it is served best; None until `autoft bench` has measured it")
    trimmed: TrimRecord | None = Field(default=None, description="None for the vocabulary of the source")
    reference: Reference | None = Field(
        default=None,
        description="how answers and inputs are distributed, for the server to tell drift; None in bundles made before there was one",
    )

    def package_of(self, kind: str, name: str) -> PackageRecord | None:
        """The installed package that gave this; `kind` is in the singular. None for what is built in, and for what a file gave."""
        return next((package for package in self.plugin_packages if f"{kind} {name}" in package.gives), None)


@dataclass(frozen=True)
class Bundle:
    """A folder whose files were checked against its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def problem(self) -> Problem:
        return self.manifest.problem

    @property
    def formats(self) -> dict[str, FormatRecord]:
        """All there are by name, that of a bundle of one format, too."""
        manifest = self.manifest
        if manifest.formats:
            return dict(manifest.formats)
        files = tuple(name for name in manifest.files if name.endswith(".onnx"))
        size = sum((self.folder / name).stat().st_size for name in files)
        return {manifest.exporter: FormatRecord(files=files, bytes=size, details=manifest.export_details, proof=manifest.proof)}

    def format(self, name: str | None) -> str:
        """`name`, or the format that is served where it is None. Raises BundleError for one that the bundle does not hold."""
        if name is None or name in self.formats:
            return name or self.manifest.exporter
        raise BundleError(
            f"{self.folder} has no format {name!r}; it has {', '.join(self.formats)}", hint=f"autoft export RUN --to {name} adds it"
        )

    def decoder(self) -> Decoder:
        """What turns outputs into answers."""
        return Decoder(self.manifest.decoder, _read_arrays(self.folder / DECODER) if DECODER in self.manifest.files else {})


def write_decoder(folder: Path, decoder: Decoder) -> dict[str, Any]:
    """Write the decoder's arrays below `folder`, if it has any, and return the config for the manifest."""
    if decoder.arrays:
        import numpy as np

        odd = next((name for name, array in decoder.arrays.items() if array.dtype.hasobject), None)
        if odd is not None:
            raise BundleError(f"the decoder's array {odd!r} holds Python objects; a bundle holds numbers and texts only")
        np.savez(folder / DECODER, **decoder.arrays)  # type: ignore[arg-type]
    return dict(decoder.config)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write autoft.json with the sha256 of every other file of the folder; returns what was written.

    Raises BundleError where the folder holds something that is neither a file nor a folder, e.g. a symbolic link.
    """
    files: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST or (path.is_dir() and not path.is_symlink()):
            continue
        files[name] = sha256_of(_contained(folder, name))
    full = manifest.model_copy(update={"files": files})
    _replace_manifest(folder, full.model_dump_json(by_alias=True, indent=2))
    return full


def write_advice(folder: Path, advice: Advice) -> None:
    """Put the advice into autoft.json; all else in it stays, what a later version wrote there too, and so do the other files.

    Raises BundleError where the folder holds no bundle, OSError where it cannot be written.
    """
    _read_manifest(folder)
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    _replace_manifest(folder, json.dumps(content | {"advice": advice.model_dump(mode="json")}, indent=2, ensure_ascii=False))


def _replace_manifest(folder: Path, text: str) -> None:
    """Written aside, then renamed: whoever reads it meanwhile finds it whole."""
    aside = folder / f".{MANIFEST}.new"
    try:
        aside.write_text(text + "\n", encoding="utf-8")
        aside.replace(folder / MANIFEST)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def open_bundle(folder: Path) -> Bundle:
    """Read and check a bundle. Raises BundleError naming the file that is absent, changed, or not where it belongs."""
    manifest = _read_manifest(folder)
    for name, expected in manifest.files.items():
        actual = sha256_of(_contained(folder, name))
        if actual != expected:
            raise BundleError(
                f"{folder / name} was changed after the bundle was proved: sha256 {actual[:12]}... instead of {expected[:12]}...",
                hint="copy the bundle again from where it was made, or run `autoft run` again",
            )
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.suffix in (".onnx", ".npz", ".data", ".onnx_data") and name not in manifest.files:
            raise BundleError(f"{path} does not belong to the bundle: {MANIFEST} does not list it", hint="remove the file")
    return Bundle(folder, manifest)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BundleError(f"there is no folder {folder}", hint="`autoft runs` lists the runs and their folders")
    if not path.exists():
        raise BundleError(f"{folder} is no bundle: it has no {MANIFEST}", hint="give the folder `bundle` that `autoft run` left")
    text = _contained(folder, MANIFEST)
    if text.stat().st_size > _LARGEST_MANIFEST:
        raise BundleError(f"{path} is no manifest of a bundle: it has more than {_LARGEST_MANIFEST:,} bytes")
    try:
        manifest = Manifest.model_validate_json(text.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"{path} is no manifest of a bundle: {where}: {first['msg']}") from None
    if manifest.schema_version > SCHEMA:
        raise BundleError(
            f"{path} was written by autoft {manifest.autoft} in schema {manifest.schema_version}; this autoft reads up to {SCHEMA}",
            hint="pip install --upgrade autoft",
        )
    return manifest


def _contained(folder: Path, name: str) -> Path:
    """The regular file `name` below `folder`, reached without a link; raises BundleError for anything else."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or any(odd in name for odd in "\\:\0"):
        raise BundleError(f"{MANIFEST} of {folder} lists {name!r}, which is no path inside the bundle")
    path = folder
    for part in parts:
        path = path / part
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            raise BundleError(f"the bundle {folder} is not whole: {name} is absent", hint="copy the whole folder") from None
        if stat.S_ISLNK(mode):
            raise BundleError(f"{path} is a symbolic link; a bundle holds plain files only", hint="copy the folder with `cp -rL`")
    if not stat.S_ISREG(mode):
        raise BundleError(f"{path} is no plain file")
    return path


def sha256_of(path: Path) -> str:
    """Of a file, as 64 hexadecimal digits, read anew."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_arrays(path: Path) -> Arrays:
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays.items())
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} cannot be read: {error}") from None
