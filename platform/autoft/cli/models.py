"""`autoft models`, `autoft models fetch`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from autoft.catalog import Catalog
    from autoft.interfaces.source import Source, SourceCard

_plugin = click.option("--plugin", "files", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin with further cards.")
_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@click.group("models", invoke_without_command=True)
@_plugin
@_json
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Show pretrained models: which are on this machine, and how to get the rest.

    Any other encoder works as well: give its folder or hub id (owner/name) to `autoft run --models`.
    """
    if context.invoked_subcommand is not None:
        context.obj = files
        return
    from autoft import sources

    cards = list(_catalog(files).sources.values())
    found = {source.name: source for source in sources.at_hand(cards)}
    if as_json:
        _list_json(cards, found)
    else:
        _list(cards, found)


@command.command("fetch")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_plugin
@_json
@click.pass_context
def fetch(context: click.Context, names: tuple[str, ...], files: tuple[Path, ...], as_json: bool) -> None:
    """Fetch the weights of NAME: a name that `autoft models` lists, or a hub id (owner/name)."""
    import json

    from autoft import sources

    cards = _catalog((*(context.obj or ()), *files)).sources
    for name in names:
        source = sources.resolve(name, cards, progress=lambda line: click.echo(line, err=True))
        if as_json:
            click.echo(json.dumps({"name": source.name, "folder": str(source.folder), "sha256": source.sha256}))
        else:
            click.echo(f"{source.name} is in {source.folder}")


def _catalog(files: Sequence[Path]) -> Catalog:
    from autoft.catalog import Catalog
    from autoft.plugins import read_plugin_file

    return Catalog.build([read_plugin_file(path) for path in files])


def _list(cards: Sequence[SourceCard], found: dict[str, Source]) -> None:
    from autoft.cli.tables import millions, show
    from autoft.sources import ways

    order = sorted(cards, key=lambda card: card.name not in found)
    rows = [
        [
            card.name,
            "yes" if card.name in found else "no",
            millions(card.parameters),
            " ".join(card.languages),
            card.domain,
            card.licence,
            str(found[card.name].folder) if card.name in found else ways(card),
        ]
        for card in order
    ]
    show(["NAME", "AT HAND", "PARAMETERS", "LANGUAGES", "DOMAIN", "LICENCE", "WHERE"], rows)
    click.echo("\nGet one: autoft models fetch NAME. Use one: autoft run data.csv --models full:NAME")


def _list_json(cards: Sequence[SourceCard], found: dict[str, Source]) -> None:
    import json

    entries = []
    for card in cards:
        source = found.get(card.name)
        entries.append(
            {
                "name": card.name,
                "hub_id": card.hub_id,
                "licence": card.licence,
                "languages": card.languages,
                "parameters": card.parameters,
                "domain": card.domain,
                "architecture": card.architecture,
                "summary": card.summary,
                "wheels": [requirement for wheel in card.wheels for requirement in wheel.requirements],
                "at_hand": source is not None,
                "folder": str(source.folder) if source else None,
                "sha256": source.sha256 if source else None,
            }
        )
    click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
