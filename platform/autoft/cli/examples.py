"""`autoft examples`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("examples")
@click.argument("name", required=False)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.  [default: NAME.csv]")
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="How many rows at most.  [default: the example's own number]")
def command(name: str | None, output: Path | None, rows: int | None) -> None:
    """List example data; with NAME, write it as a CSV file with the columns text and label."""
    from autoft import examples

    if name is None:
        from autoft.cli.tables import show

        listed = [[one.name, one.summary, str(one.rows or "all"), one.origin, one.requirement] for one in examples.EXAMPLES.values()]
        show(["NAME", "WHAT", "ROWS", "FROM", "INSIDE"], listed)
        click.echo("\nWrite one: autoft examples NAME")
        return
    path = examples.write(name, output or Path(f"{name}.csv"), rows, lambda line: click.echo(line, err=True))
    click.echo(f"wrote {path}. Next: autoft run {path}")
