"""Flags that say what the data are: the same for every command that reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

_COLUMNS = (
    click.option("--text", metavar="COLUMN", help="The column that holds the text."),
    click.option("--column", "columns", metavar="ROLE=NAME", multiple=True, help="The column for any role of the task."),
)

_OPTIONS = (
    click.option("--seed", type=int, metavar="N", help="Seed of the split, the search and the training.  [default: 0]"),
    _COLUMNS[0],
    click.option("--label", metavar="COLUMN", help="The column that holds the label."),
    _COLUMNS[1],
    click.option("--task", metavar="NAME", help="The kind of learning, where the data leaves it open."),
    click.option("--metric", metavar="NAME", help="The metric that decides.  [default: the task's own, e.g. f1_macro]"),
    click.option("--validation", type=click.Path(path_type=Path), help="A file of rows to choose by, instead of a split."),
    click.option("--test", type=click.Path(path_type=Path), help="A file of rows for the one final figure, instead of a split."),
    click.option(
        "--add",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="A file of further rows to learn from: none of them is chosen by or judged on.",
    ),
    click.option("--group", metavar="COLUMN", help="Rows with the same value there, e.g. of one user, stay in one part of the split."),
    click.option("--time", metavar="COLUMN", help="Learn from earlier rows, test on later ones, by the dates or numbers there."),
    click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, help="A one-file plugin."),
    click.option("--config", type=click.Path(path_type=Path), help="A settings file.  [default: autoft.toml, if there]"),
)


abstain_option = click.option(
    "--abstain-below",
    type=click.FloatRange(0, 1),
    metavar="P",
    help='Answers of one class with a lower probability have `"sure": false`, all others true.',
)
domain_option = click.option(
    "--out-of-domain",
    is_flag=True,
    help='Answers of one class have `"out_of_domain"`: the share of the validation rows that are less strange to the model.',
)
"""For commands that answer."""


def data_options(command: _F) -> _F:
    """Add the flags, in this order."""
    return _with(_OPTIONS, command)


def column_options(command: _F) -> _F:
    """Add those that name the columns of what is asked about."""
    return _with(_COLUMNS, command)


def columns_by_role(text: str | None, columns: Sequence[str]) -> dict[str, str]:
    """What those say. Raises SettingsError."""
    from pydantic import TypeAdapter, ValidationError

    from autoft.errors import SettingsError
    from autoft.settings import Pairs

    given = [*columns, *([f"text={text}"] if text else [])]
    try:
        return TypeAdapter[dict[str, str]](Pairs).validate_python(given)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"--column is {', '.join(columns)}; it must be {reason}", hint="autoft predict --help") from None


def _with(options: Sequence[Callable[[_F], _F]], command: _F) -> _F:
    for option in reversed(options):
        command = option(command)
    return command
