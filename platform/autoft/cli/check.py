"""`autoft check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autoft.cli.options import data_options


@click.command("check")
@click.argument("data", type=click.Path())
@data_options
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(data: str, config: Path | None, as_json: bool, **flags: Any) -> int:
    """Show what a run would make of DATA, and stop: the task and why, columns, rows, classes, splits, what is odd, what to type next."""
    import json

    from autoft.catalog import Catalog
    from autoft.console import show_check
    from autoft.plugins import read_plugin_file
    from autoft.settings import Settings
    from autoft.steps.check import check

    settings = Settings.collect({"data": data, **flags}, config)
    catalog = Catalog.build([read_plugin_file(path) for path in settings.plugins])
    understood = check(settings, catalog)
    if as_json:
        click.echo(json.dumps(understood, indent=2, ensure_ascii=False))
    else:
        show_check(understood)
    return 0
