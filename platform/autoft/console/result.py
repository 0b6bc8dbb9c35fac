"""The end of a run: the leaderboard, the verdict, the proof, what was left where, what to do next."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any, TextIO

from rich.console import ConsoleRenderable
from rich.text import Text

from autoft.console.lines import near
from autoft.console.output import console_for, show
from autoft.console.tables import SHOWN, leaderboard_parts
from autoft.interfaces.events import TrialFinished
from autoft.progress import example_inputs, number, plain


def show_result(
    result: Mapping[str, Any],
    leaderboard: Iterable[TrialFinished] = (),
    folder: Path | None = None,
    *,
    stream: TextIO | None = None,
    width: int | None = None,
) -> None:
    """The final summary for the eye."""
    metric = plain(result.get("metric", ""))
    stream = stream or sys.stdout
    parts: list[ConsoleRenderable] = [Text("")]
    parts += leaderboard_parts(list(leaderboard), metric, SHOWN, console_for(stream, width).width)
    parts += [Text(""), Text("Verdict: ", style="bold").append(plain(result.get("verdict", "none")), style="default not bold")]
    proof = _proof(result.get("verified"), result.get("formats"))
    if proof:
        parts += [Text(""), Text("Proof: ", style="bold").append(proof, style="default not bold")]
    stood_in = _stood_in(result)
    if stood_in:
        parts += [Text(""), Text("Format: ", style="bold").append(stood_in, style="default not bold")]
    if folder is not None:
        parts += [Text(""), *_places(near(folder), result), Text(""), *_next_commands(near(folder), result)]
    show(stream, parts, width)


def _proof(verified: object, formats: object = None) -> str:
    if not isinstance(verified, Mapping) or "passed" not in verified:
        return ""
    first = formats[0] if isinstance(formats, list) and formats else {}
    model = f"the exported model ({plain(first['name'])})" if "name" in first else "the exported model"
    if not verified["passed"]:
        return f"{model} did NOT give the same answers"
    difference = verified.get("max_difference")
    if first.get("rounding"):
        loss = first.get("loss") or {}
        said = f"{model} rounds ({first['rounding']})"
        said += f": {loss['points']:.2f} points of {loss['metric']} lost" if "points" in loss else ""
        return said + f"; {100 * first['agreement']:.1f} % of the decisions are the same" if first.get("agreement") is not None else said
    said = f"{model} gives the same answers as the trained one"
    if isinstance(verified.get("rows"), int):
        said += f" on {verified['rows']} rows"
    if isinstance(verified.get("combinations"), int):
        said += f" and {verified['combinations']} combinations of batch, length and padding"
    return said + (f" (largest difference {number(float(difference))})" if isinstance(difference, int | float) else "")


def _stood_in(result: Mapping[str, Any]) -> str:
    """Which format is served in the place of what was asked for, and why; "" where nothing was refused."""
    refused, formats = result.get("refused"), result.get("formats")
    if not isinstance(refused, list) or not refused or not isinstance(formats, list) or not formats:
        return ""
    return f"{plain(formats[0].get('name'))} is served; " + "; ".join(plain(line) for line in refused)


def _places(folder: Path, result: Mapping[str, Any]) -> list[Text]:
    bundle = str(result.get("bundle") or "bundle")
    names = {"bundle": f"{bundle}/", "report": "report.html", "trials": "leaderboard.csv", "figures": "result.json"}
    return [Text(f"{kind + ':':<9}{folder / name}{'/' if name.endswith('/') else ''}") for kind, name in names.items()]


def _next_commands(folder: Path, result: Mapping[str, Any]) -> list[Text]:
    bundle = quote(str(folder / str(result.get("bundle") or "bundle")))
    example = example_inputs(result.get("columns"))
    opener = {"darwin": "open", "win32": "start"}.get(sys.platform, "xdg-open")
    commands = (f"autoft predict {bundle} {example}", f"autoft serve {bundle}", f"{opener} {quote(str(folder / 'report.html'))}")
    return [Text("Next:", style="bold"), *(Text(f"  {command}", no_wrap=True, overflow="fold") for command in commands)]
