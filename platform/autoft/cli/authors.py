"""`autoft plugins new` and `autoft plugins check`: for those who write plugins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoft.scaffold import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 600
"""After which a plugin that does not answer is left."""


@click.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(tuple(KINDS)), required=True, help="What the plugin gives.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="DIR", help="Where its folder goes.")
@click.option("--licence", metavar="SPDX", default="Apache-2.0", show_default=True, help="The licence that the package states.")
def new(name: str, kind: str, output: Path, licence: str) -> None:
    """Write a package that gives a plugin, works as it is, and comes with its tests: the start of one of your own.

    NAME is the package's, e.g. autoft-grades. Nothing is overwritten.
    """
    import shlex

    from autoft.scaffold import install_command, new_package, plugin_name

    folder = new_package(name, kind, output, licence)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        click.echo(str(path))
    data = " --data FILE" if KINDS[kind].data else ""
    click.echo(
        f"\nNext:\n{install_command(folder)}\npython -m pytest {shlex.quote(str(folder))}\nautoft plugins check {plugin_name(name)}{data}"
    )
    if data:
        click.echo(f"FILE holds what the {kind} is for, e.g. {KINDS[kind].data}: without it the check cannot look at everything.")


@click.command("check")
@click.argument("name", required=False)
@click.option("--plugin", "file", type=click.Path(path_type=Path), help="A one-file plugin, in place of an installed one.")
@click.option("--data", type=click.Path(path_type=Path), help="Rows, or a file, of the kind that the plugin is for.")
@click.option(
    "--ray/--no-ray", default=True, help="Whether a trial of its model runs on a worker of Ray.  [default: where it is installed]"
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@click.pass_context
def check(context: click.Context, name: str | None, file: Path | None, data: Path | None, ray: bool, as_json: bool) -> None:
    """Hold a plugin to its contract, in a process of its own: interface, names, licence, workers, serving, time to import.

    NAME is an installed plugin as `autoft plugins` lists it, or its package. Exit status 1 when a check fails. What cannot be looked at
    without rows or a file of its kind is told as not checked: give them with --data.
    """
    import json

    if (name is None) == (file is None):
        raise click.UsageError("Name an installed plugin, or a file with --plugin.")
    findings = _findings(name or "", file, data, ray)
    if as_json:
        click.echo(json.dumps(findings, indent=2, ensure_ascii=False))
    else:
        from autoft.cli.tables import show

        show(["CHECK", "STATUS", ""], [[one["check"], one["status"], one["detail"]] for one in findings])
    if any(one["status"] == "failed" for one in findings):
        context.exit(1)


def _findings(name: str, file: Path | None, data: Path | None, ray: bool) -> Sequence[dict[str, Any]]:
    """From another process, since a plugin may print, hang or die. Raises PluginError where there is no such plugin."""
    import json
    import subprocess
    import sys
    import tempfile

    from autoft.errors import PluginError

    if data is not None and not data.exists():
        raise PluginError(f"--data {data}: there is no such file", hint="give rows of the kind that the plugin is for")
    if file is not None and not file.is_file():
        raise PluginError(
            f"--plugin {file}: there is no such file", hint="--plugin takes one Python file with functions marked @autoft.hookimpl"
        )
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "findings.jsonl"
        told = {"name": name, "file": str(file) if file else None, "data": str(data) if data else None, "ray": ray, "output": str(output)}
        command = [sys.executable, "-m", "autoft.testing.checkup", json.dumps(told)]
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
            last = _last_said(done.stderr)
            ended = f"the process ended with {done.returncode}{': ' if last else ', and said nothing'}{last}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            ended = f"it does not answer within {SECONDS} s"
        lines = output.read_text(encoding="utf-8").splitlines() if output.exists() else []
    findings = [json.loads(line) for line in lines]
    if findings and "error" in findings[-1]:
        raise PluginError(findings[-1]["error"], hint=findings[-1]["hint"])
    return [*findings, *([{"check": "comes to an end", "status": "failed", "detail": ended}] if ended else [])]


def _last_said(text: str) -> str:
    """The last line of what that process said, once its traces (`--trace`) are passed on."""
    from autoft.guard import TRACE, say

    lines = text.strip().splitlines()
    for line in lines:
        if line.startswith(TRACE):
            say(line)
    return next((line for line in reversed(lines) if not line.startswith(TRACE)), "")
