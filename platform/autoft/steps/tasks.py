"""Which task the data are for: every task says how well they fit, and a near tie is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from autoft.catalog import Catalog
from autoft.data.columns import Kind, profile
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.task import AlsoCalled, Match, Task

MARGIN = 0.1
"""Tasks whose scores differ by less are asked for."""
UNASKED = 0.4
"""A match below this is taken only where the user names the task."""
SURE = 0.6
"""A match below this is taken with a warning."""

_PARTS = frozenset(("train", "training", "test", "testing", "validation", "valid", "val", "dev", "eval", "holdout"))
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
    """The task that is taken; `others` could be meant as well, best first; `unused` columns play no role; `doubt` is a warning or empty,
    and `notes` say what else the user should know of the columns."""

    task: Task
    match: Match
    others: tuple[tuple[Task, Match], ...] = ()
    unused: tuple[str, ...] = ()
    doubt: str = ""
    notes: tuple[str, ...] = ()


def find_task(table: Table, given: Mapping[str, tuple[str, ...]], wanted: str | None, catalog: Catalog) -> Found:
    """The best match, or that of the task `wanted`. Raises DataError where none fits, and where several fit about equally."""
    tasks = [_named(wanted, catalog)] if wanted else list(catalog.tasks.values())
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
        raise _nothing_fits(table, given, tasks, found, refusals)
    near = [pair for pair in found if pair[1].score > found[0][1].score - MARGIN]
    if len(near) > 1:
        raise _near_tie(table, near)
    task, match = found[0]
    used = {name for names in match.columns.values() for name in names}
    unused = tuple(name for name in table.names if name not in used)
    return Found(task, match, tuple(found[1:]), unused, _doubt(task, match, given, wanted), _notes(table, unused))


def _named(wanted: str, catalog: Catalog) -> Task:
    if wanted not in catalog.tasks:
        for task in catalog.tasks.values():
            if isinstance(task, AlsoCalled) and wanted.casefold() in task.also:
                raise SettingsError(f"there is no task named {wanted!r}", hint=f"did you mean --task {task.name} ({task.summary})?")
    return catalog.task(wanted)


def _doubt(task: Task, match: Match, given: Mapping[str, tuple[str, ...]], wanted: str | None) -> str:
    """That the task is not sure of what it says; a column that is called as its role is no guess."""
    if match.score >= SURE or "label" in given or (given and wanted is None):
        return ""
    if wanted is None:
        return f"it is not certain what this table is for: {task.name} is a guess; name the columns with --text and --label to be sure"
    guessed = {role: names for role, names in match.columns.items() if role not in given and any(name.casefold() != role for name in names)}
    if not guessed:
        return ""
    taken = ", ".join(f"{role} {listed(names, 3)}" for role, names in guessed.items())
    return f"it is not certain which columns {task.name} is about: {taken} is a guess; name them with --text and --label to be sure"


def _notes(table: Table, unused: Sequence[str]) -> tuple[str, ...]:
    """What a column that plays no role tells all the same: which rows are for training and which for test."""
    for name in unused:
        values = {value.strip().casefold() for value in table[name] if isinstance(value, str)}
        if values and values <= _PARTS and values & {"train", "training"} and len(values) > 1:
            parts = ", ".join(sorted(values))
            said = f"the column {name!r} ({parts}) is not used: rows are split anew; to keep its parts"
            return (f"{said}, write a file for each and give --validation FILE and --test FILE",)
    return ()


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


def _strange_role(given: Mapping[str, tuple[str, ...]], tasks: Sequence[Task]) -> DataError | None:
    """A role that no task has, as far as they say which they have."""
    known = {role for task in tasks for role in getattr(task, "roles", ())}
    known |= {"label"} if known else set(given)
    role = next((role for role in given if role not in known), None)
    if role is None:
        return None
    close = nearest(role, known)
    hint = f"did you mean --column {close}={quote(','.join(given[role]))}?" if close else "--column ROLE=NAME takes one of them"
    return DataError(f"there is no role {role!r}; there are {', '.join(sorted(known))}", hint=hint)


def _nested(table: Table) -> str:
    """The first column of objects, and what they hold."""
    for name, values in table.columns.items():
        first = next((value for value in values if value), None)
        several = isinstance(first, list | tuple)
        one = first[0] if isinstance(first, list | tuple) else first
        if isinstance(one, Mapping):
            return f"{name!r} holds {'lists of ' if several else ''}objects with {listed(map(str, one), 6)}"
    return ""


def _nothing_fits(
    table: Table,
    given: Mapping[str, tuple[str, ...]],
    tasks: Sequence[Task],
    found: Sequence[tuple[Task, Match]],
    refusals: Sequence[tuple[Task, DataError]],
) -> DataError:
    possible = _choices(found) if found else ""
    messages = dict.fromkeys(refusal.message for _, refusal in refusals)
    if len(messages) == 1:
        refusal = refusals[0][1]
        hints = [hint for hint in (refusal.hint, possible) if hint]
        return DataError(refusal.message, hint="; or ".join(hints) or None)
    strange = _strange_role(given, tasks)
    if strange is not None and not (found or refusals):
        return strange
    nested = _nested(table)
    if nested and not messages:
        what = f"{table.origin}: {nested}; a column is read where it holds texts, numbers, or lists of them"
        return DataError(what, hint='flatten it, one value a key: {"text": "...", "label": "..."}')
    columns = f"the columns are {_seen(table)}"
    if len(tasks) == 1 and not refusals:
        (task,) = tasks
        what = f"{table.origin} does not fit {task.name} ({task.summary}); {columns}"
        return DataError(what, hint="--text NAME and --label NAME name the columns; `autoft check` without --task tells what fits")
    said = {task.name: refusal.message.removeprefix(f"{table.origin}: ") for task, refusal in refusals}
    said |= {task.name: f"could be meant: {match.reason}" for task, match in found}
    lines = [f"{name}: {words}" for name, words in said.items()]
    rest = [f"{task.name} ({task.summary})" for task in tasks if task.name not in said]
    lines += [f"no columns for {', '.join(rest)}"] if rest else []
    message = "\n  ".join([f"{table.origin}: no task fits without a flag; {columns}", *lines])
    named = "--text NAME and --label NAME name the columns; --task NAME names the task"
    return DataError(message, hint=f"{possible}, or {named}" if possible else named)
