"""Which task the data are for: every task says how well they fit, and a near tie is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from autoft.catalog import Catalog
from autoft.data.columns import Kind, profile
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.task import Match, Task

MARGIN = 0.1
"""Tasks whose scores differ by less are asked for."""
UNASKED = 0.4
"""A match below this is taken only where the user names the task."""
SURE = 0.6
"""A match below this is taken with a warning."""

_HOLDS: Mapping[Kind, str] = {
    "empty": "nothing",
    "text": "texts",
    "class": "few different values",
    "number": "numbers",
    "identifier": "ids",
    "date": "dates",
    "list": "lists",
    "other": "objects",
}


@dataclass(frozen=True)
class Found:
    """The task that is taken; `others` could be meant as well, best first; `unused` columns play no role; `doubt` is a warning or empty."""

    task: Task
    match: Match
    others: tuple[tuple[Task, Match], ...] = ()
    unused: tuple[str, ...] = ()
    doubt: str = ""


def find_task(table: Table, given: Mapping[str, tuple[str, ...]], wanted: str | None, catalog: Catalog) -> Found:
    """The best match, or that of the task `wanted`. Raises DataError where none fits, and where several fit about equally."""
    tasks = [catalog.task(wanted)] if wanted else list(catalog.tasks.values())
    found: list[tuple[Task, Match]] = []
    refusals: list[tuple[Task, DataError]] = []
    for task in tasks:
        try:
            match = task.match(table, given)
        except DataError as refusal:
            refusals.append((task, refusal))
            continue
        if match is not None:
            found.append((task, match))
    found.sort(key=lambda pair: -pair[1].score)
    if not found or (wanted is None and found[0][1].score < UNASKED):
        raise _nothing_fits(table, tasks, found, refusals)
    near = [pair for pair in found if pair[1].score > found[0][1].score - MARGIN]
    if len(near) > 1:
        raise _near_tie(table, near)
    task, match = found[0]
    used = {name for names in match.columns.values() for name in names}
    doubt = f"no name tells what this table is for: {task.name} is a guess; name the columns with --text and --label to be sure"
    guessed = wanted is None and not given and match.score < SURE
    return Found(task, match, tuple(found[1:]), tuple(name for name in table.names if name not in used), doubt if guessed else "")


def flags(match: Match, task: Task, best: Match | None = None) -> str:
    """What chooses this reading on the command line; columns only where they differ from those of `best`."""
    chosen = [f"--task {task.name}"]
    for role, names in match.columns.items():
        if best is not None and best.columns.get(role) == names:
            continue
        name = quote(",".join(names))
        chosen.append(f"--{role} {name}" if role in ("text", "label") else f"--column {role}={name}")
    return " ".join(chosen)


def _near_tie(table: Table, near: Sequence[tuple[Task, Match]]) -> DataError:
    readings = [f"{task.name}: {match.reason}" for task, match in near]
    message = "\n  ".join([f"{table.origin}: {len(near)} readings fit about equally:", *readings])
    return DataError(message, hint=f"say which: {_choices(near)}")


def _choices(found: Sequence[tuple[Task, Match]]) -> str:
    """The flags of each; columns that all agree on are left out."""
    first = found[0][1]
    rest = [match for _, match in found[1:]]
    same = {role: names for role, names in first.columns.items() if rest and all(match.columns.get(role) == names for match in rest)}
    shared = Match(first.score, same, first.reason)
    return ", or ".join(flags(match, task, shared) for task, match in found)


def _seen(table: Table, most: int = 12) -> str:
    """The columns and what they hold, as far as it can be told."""
    shown = [f"{column.name!r} ({_HOLDS[column.kind]})" for column in profile(table)]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _nothing_fits(
    table: Table, tasks: Sequence[Task], found: Sequence[tuple[Task, Match]], refusals: Sequence[tuple[Task, DataError]]
) -> DataError:
    possible = _choices(found) if found else ""
    messages = dict.fromkeys(refusal.message for _, refusal in refusals)
    if len(messages) == 1:
        refusal = refusals[0][1]
        hints = [hint for hint in (refusal.hint, possible) if hint]
        return DataError(refusal.message, hint="; or ".join(hints) or None)
    columns = f"the columns are {_seen(table)}"
    if len(tasks) == 1 and not refusals:
        (task,) = tasks
        what = f"{table.origin} does not fit {task.name} ({task.summary}); {columns}"
        return DataError(what, hint="--text NAME and --label NAME name the columns; `autoft check DATA` tells what fits")
    said = {task.name: refusal.message.removeprefix(f"{table.origin}: ") for task, refusal in refusals}
    said |= {task.name: f"could be meant: {match.reason}" for task, match in found}
    lines = [f"{name}: {words}" for name, words in said.items()]
    lines += [f"no such columns: {task.name} ({task.summary})" for task in tasks if task.name not in said]
    message = "\n  ".join([f"{table.origin}: no task fits without a flag; {columns}", *lines])
    named = "--text NAME and --label NAME name the columns; --task NAME names the task"
    return DataError(message, hint=f"{possible}, or {named}" if possible else named)
