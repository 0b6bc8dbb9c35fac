"""The formats of a bundle."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import ConsoleRenderable
from rich.table import Table
from rich.text import Text

from autoft.console.lines import near
from autoft.console.output import as_json as written
from autoft.console.output import show, write_line
from autoft.progress import number, plain

if TYPE_CHECKING:
    from autoft.runtime.bundle import FormatRecord, TrimRecord


def show_formats(
    folder: Path,
    formats: Mapping[str, FormatRecord],
    known: Mapping[str, str] | None = None,
    *,
    trimmed: TrimRecord | None = None,
    as_json: bool = False,
    stream: TextIO | None = None,
    width: int | None = None,
) -> None:
    """The formats of the bundle in `folder`, the one that is served first; `known` are all there are, with a word on each; `trimmed` is
    what became of its vocabulary."""
    stream = stream or sys.stdout
    if as_json:
        content: dict[str, object] = {"bundle": str(folder)}
        content["formats"] = {name: one.model_dump(mode="json") for name, one in formats.items()}
        content["trimmed"] = trimmed.model_dump(mode="json") if trimmed else None
        write_line(stream, written(content, stream))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("format", "size", "same decisions", "largest difference", "loss", ""):
        table.add_column(name, justify="left" if name in ("format", "") else "right")
    for place, (name, one) in enumerate(formats.items()):
        served = "served" if not place else ""
        table.add_row(plain(name), _size(one.bytes), _agreement(one), _difference(one), _loss(one), served)
    parts: list[ConsoleRenderable] = [Text(f"{near(folder)}/", style="bold"), table]
    if trimmed:
        cost = f"{trimmed.loss['points']:.2f} points of {plain(trimmed.loss['metric'])}"
        parts.append(Text(f"vocabulary: {trimmed.kept:,} of {trimmed.of:,} tokens, which costs {cost}"))
    others = {name: summary for name, summary in (known or {}).items() if name not in formats}
    if others:
        parts += [Text(""), Text("autoft export RUN --to NAME adds:", style="bold")]
        parts += [Text(f"  {plain(name)}: {plain(summary)}") for name, summary in others.items()]
    show(stream, parts, width)


def _size(many: int) -> str:
    return f"{many / 1e6:.1f} MB"


def _agreement(one: FormatRecord) -> str:
    agreement = one.proof.get("agreement")
    return "-" if agreement is None else f"{float(agreement):.2%}"


def _difference(one: FormatRecord) -> str:
    difference = one.proof.get("max_difference")
    return "-" if difference is None else number(float(difference))


def _loss(one: FormatRecord) -> str:
    return "none" if one.loss is None else f"{one.loss['points']:.2f} points of {plain(one.loss['metric'])}"
