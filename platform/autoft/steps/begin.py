"""How a run begins: run.json, the split, and what was understood; or how one that was cut off goes on with the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from autoft import hardware
from autoft.catalog import Catalog
from autoft.interfaces.events import RunResumed, RunStarted
from autoft.interfaces.model import Limits
from autoft.interfaces.tuner import PluginFile
from autoft.journal import Journal, versions
from autoft.settings import Settings
from autoft.steps.choose import Choice
from autoft.steps.clock import Clock
from autoft.steps.earlier import Points
from autoft.steps.understand import Understood


def begin(
    settings: Settings,
    understood: Understood,
    choice: Choice,
    limits: Limits,
    clock: Clock,
    journal: Journal,
    catalog: Catalog,
    said: Sequence[str],
    earlier: Points,
) -> None:
    """Make the folder, or take it up, and tell of it. To a run that goes on all the rest was said before."""
    told: dict[str, Any] = {
        "run_id": journal.run_id,
        "folder": str(journal.folder.resolve()),
        "data": str(understood.data),
        "task": understood.problem.task,
        "candidates": tuple(candidate.name for candidate in choice.tried),
        "budget": clock.budget,
        "metric": understood.problem.metric.name,
    }
    if journal.past is not None and journal.past.started:
        journal.go_on()
        spent = journal.past.spent
        journal.emit(RunResumed(started=clock.started + spent, spent=spent, **told))
        return
    journal.start({**_facts(settings, understood, choice, limits, clock, journal, catalog), "earlier": earlier})
    understood.splits.save(journal.folder / "data" / "splits.npz")
    journal.emit(RunStarted(**told))
    for warning in catalog.warnings:
        journal.say(warning, "warning")
    for text in (understood.reason, *understood.remarks, *said):
        journal.say(text)
    for candidate in choice.tried:
        journal.say(f"tried: {candidate.name}: {candidate.reason}" if candidate.reason else f"tried: {candidate.name}")
    for candidate in choice.passed_over:
        journal.say(f"passed over: {candidate.name}: {candidate.reason}")


def _facts(
    settings: Settings, understood: Understood, choice: Choice, limits: Limits, clock: Clock, journal: Journal, catalog: Catalog
) -> dict[str, Any]:
    return {
        "schema": 1,
        "run_id": journal.run_id,
        "pid": os.getpid(),
        "started": clock.started,
        "directory": os.getcwd(),  # noqa: PTH109
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "problem": understood.problem.model_dump(mode="json"),
        "hardware": hardware.describe(),
        "limits": asdict(limits),
        "versions": versions(),
        "data_sha256": understood.problem.data_sha256,
        "rows_sha256": rows_sha256(understood),
        "candidates": [candidate.name for candidate in choice.tried],
        "named": sorted(choice.named),
        "sources": source_hashes(choice),
        "plugins": file_hashes(catalog.plugin_files),
    }


def source_hashes(choice: Choice) -> dict[str, str]:
    """By the name of the source."""
    return {candidate.source.name: candidate.source.sha256 for candidate in choice.tried if candidate.source}


def file_hashes(files: Iterable[PluginFile]) -> list[dict[str, str]]:
    """Of `--plugin` files."""
    return [{"name": file.name, "sha256": file.sha256} for file in files]


def rows_sha256(understood: Understood) -> str:
    """Of what is learned from: the files of --validation and --test are in it, and how the labels were read."""
    targets = json.dumps(understood.targets.tolist(), default=str)
    return hashlib.sha256((understood.rows.sha256() + targets).encode("utf-8", "surrogatepass")).hexdigest()
