"""`autoft plugins`; its commands for authors are in `autoft.cli.authors`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoft.cli.authors import check, new
from autoft.cli.variables import no_plugins_option, trace_option, while_it_runs

if TYPE_CHECKING:
    from autoft.catalog import Catalog


@click.group("plugins", invoke_without_command=True)
@click.option("--plugin", "files", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin to list with the others.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@no_plugins_option
@trace_option
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], as_json: bool, no_plugins: bool, trace: bool) -> None:
    """Show every plugin, where it came from, what it gives, and what failed to load and why."""
    while_it_runs(context, no_plugins=no_plugins, trace=trace)
    if context.invoked_subcommand is not None:
        return
    from autoft.catalog import Catalog
    from autoft.plugins import read_plugin_file

    catalog = Catalog.build([read_plugin_file(path) for path in files])
    if as_json:
        click.echo(_json(catalog))
        return
    from autoft.cli.tables import show

    rows = []
    for record in catalog.plugins:
        first = [record.name, record.origin]
        for given in record.gives:
            rows.append([*first, given.kind, given.name, given.summary])
            first = ["", ""]
        if not record.gives and not record.failure:
            rows.append([*first, "", "", "listens to events"])
    if rows:
        show(["PLUGIN", "ORIGIN", "GIVES", "NAME", ""], rows)
    failed = [record for record in catalog.plugins if record.failure]
    if failed:
        click.echo()
        show(
            ["NOT LOADED", "ORIGIN", "WHY"],
            [[record.name, record.origin + (", in part" if record.gives else ""), record.failure or ""] for record in failed],
        )


command.add_command(new)
command.add_command(check)


def _json(catalog: Catalog) -> str:
    import json

    records = [
        {
            "name": record.name,
            "origin": record.origin,
            "gives": [given._asdict() for given in record.gives],
            "failure": record.failure,
            "missing_extra": record.missing_extra,
            "left_out": record.left_out,
        }
        for record in catalog.plugins
    ]
    return json.dumps(records, indent=2, ensure_ascii=False)
