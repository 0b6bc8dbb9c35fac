"""A run that was cut off goes on only with what it had: the same settings, rows, parts, weights and plugin files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from autoft.data.splits import Splits
from autoft.errors import DataError, InputError, PluginError, SettingsError, SourceError
from autoft.history import History
from autoft.interfaces.model import Limits
from autoft.interfaces.tuner import PluginFile
from autoft.settings import DURATION, Settings, parse_duration, parse_ray_address
from autoft.steps.begin import file_hashes, rows_sha256, source_hashes
from autoft.steps.choose import Choice
from autoft.steps.clock import budget_of
from autoft.steps.understand import Understood
from autoft.store.address import VARIABLE

NEW = "autoft run starts a new one"


def refuse_ended(past: History) -> None:
    """Raises InputError for a run that has a result."""
    if past.ended is not None:
        raise InputError(f"the run {past.run_id} has ended: it is {past.ended.status}", hint=f"autoft runs show {past.folder}; {NEW}")


def settings_of(
    past: History,
    *,
    budget: float | str | None,
    database: str | None,
    verbose: bool | None,
    ray_address: str | None = None,
    offline: bool | None = None,
) -> Settings:
    """The run's own, but for these where they are given; its budget counts all sessions, `budget` this one.

    Raises SettingsError for a budget or an address that is none, and where the database's password is not written down.
    """
    written = {**past.facts["settings"], "output": past.folder}
    written["database"] = database or _database(written.get("database"))
    if verbose is not None:
        written["verbose"] = verbose
    if offline is not None:
        written["offline"] = offline
    if ray_address is not None:
        try:
            written["ray_address"] = parse_ray_address(ray_address)
        except ValueError as error:
            raise SettingsError(f'--ray-address is "{ray_address}"; it must be {error}', hint="autoft resume --help") from None
    try:
        settings = Settings(**written)
    except ValidationError:
        raise _other_version(past) from None
    if budget is not None:
        try:
            return settings.model_copy(update={"budget": past.spent + parse_duration(budget)})
        except ValueError:
            raise SettingsError(f'--budget is "{budget}"; it must be {DURATION}', hint="autoft resume --help") from None
    if past.started and past.budget != budget_of(settings):  # an earlier session was given another
        return settings.model_copy(update={"budget": past.budget})
    return settings


def _database(written: str | None) -> str | None:
    """As it stands in run.json, where passwords are masked."""
    if written is None or "***" not in written:
        return written
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        raise SettingsError(f"the password of the run's database, {written}, is not written down", hint="--database URL gives it")
    return given


def _other_version(past: History) -> InputError:
    return InputError(f"{past.folder}: the run is of another version of autoft", hint=NEW)


def directory(past: History) -> Path:
    """Where the run was started, to which relative paths in its settings belong; here, where that is gone."""
    known = Path(past.facts.get("directory", "."))
    return known if known.is_dir() else Path()


def same_plugins(past: History, files: Sequence[PluginFile]) -> None:
    """Raises PluginError where a --plugin file is not what it was."""
    before, now = past.facts.get("plugins", []), file_hashes(files)
    changed = {one["name"] for one in (*before, *now) if one not in before or one not in now}
    if changed:
        raise PluginError(f"a --plugin file has changed since the run began: {', '.join(sorted(changed))}", hint=NEW)


def same_data(past: History, understood: Understood) -> None:
    """Raises DataError where the rows, what they are taken for, or their parts are not what they were."""
    now = {"data_sha256": understood.problem.data_sha256, "rows_sha256": rows_sha256(understood)}
    if any(past.facts.get(name) != value for name, value in now.items()):
        raise DataError(f"{understood.data}: the data, or a file beside it, has changed since the run began", hint=NEW)
    before = Splits.load(past.folder / "data" / "splits.npz")
    if not all(_equal(getattr(before, field.name), getattr(understood.splits, field.name)) for field in fields(Splits)):
        raise DataError(f"{past.folder}: the rows fall into other parts now than when the run began", hint=NEW)


def _equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=np.issubdtype(one.dtype, np.floating))


def limits_before(past: History) -> Limits:
    """Those by which the candidates were chosen, whatever is free or left now."""
    try:
        return Limits(**past.facts["limits"])
    except (KeyError, TypeError):
        raise _other_version(past) from None


def same_candidates(past: History, choice: Choice) -> Choice:
    """The candidates that were tried, in the same order, of all that can be chosen now. Raises SourceError where one is not there, or is
    of other weights."""
    pool = {candidate.name: candidate for candidate in (*choice.passed_over, *choice.tried)}
    names = past.facts["candidates"]
    missing = [name for name in names if name not in pool]
    if missing:
        raise SourceError(f"candidates of the run are not to be had any more: {', '.join(missing)}", hint="autoft models lists the sources")
    tried = tuple(pool.pop(name) for name in names)
    same = replace(choice, tried=tried, passed_over=tuple(pool.values()), named=frozenset(past.facts["named"]))
    changed = [name for name, sha256 in source_hashes(same).items() if past.facts["sources"].get(name) != sha256]
    if changed:
        raise SourceError(f"the weights have changed since the run began: {', '.join(changed)}", hint=NEW)
    return same
