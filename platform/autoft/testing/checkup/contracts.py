"""The contracts of what a plugin gives."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from autoft.errors import AutoftError, DataError
from autoft.testing.checkup.subject import Finding, Subject, object_of, table_of
from autoft.testing.checkup.use import Uses, first_taken
from autoft.testing.contract import ContractBroken

KINDS = ("task", "model", "exporter", "tuner", "encoder", "reader", "tracker")
"""Those that have a contract check."""


def contracts(subject: Subject, used: Uses) -> Iterator[Finding]:
    """Of all that it gives, one after another."""
    kept: set[str] = set()
    for given in subject.record.gives:
        check = f"contract of {given.kind} {given.name}"
        if given.kind not in KINDS:
            yield Finding(check, "not checked", f"there is no contract check of a {given.kind}; its members are there")
            continue
        try:
            reason = _held(subject, given.kind, given.name)
        except ContractBroken as broken:
            yield Finding(check, "failed", str(broken))
        except (Exception, SystemExit) as error:
            yield Finding(check, "failed", f"{type(error).__name__}: {error}")
        else:
            if given.kind == "model" and reason is None:
                kept.add(given.name)
            use = used().get(given.name) if given.kind == "encoder" and reason else None
            if use is not None and use.model in kept:
                yield Finding(check, "passed", f"by the contract of model {use.model}, with what that opens it with")
            else:
                yield Finding(check, "not checked" if reason else "passed", reason or "")


def _held(subject: Subject, kind: str, name: str) -> str | None:
    """None where the contract was checked, else why not in whole. Raises ContractBroken."""
    from autoft import testing

    one = object_of(subject, kind, name)
    plugin = subject.loaded.plugin
    checks: dict[str, Callable[[], str | None]] = {
        "task": lambda: held_task(one, table_of(subject)),
        "model": lambda: _model(subject, one),
        "exporter": lambda: testing.check_exporter(one, table=table_of(subject), plugin=plugin),
        "tuner": lambda: testing.check_tuner(one),
        "encoder": lambda: held_encoder(one),
        "reader": lambda: _reader(subject, one),
        "tracker": lambda: testing.check_tracker(one),
    }
    return checks[kind]()


def held_task(task: Any, table: Any) -> str | None:
    """None where the contract was checked, else why not in whole. Raises ContractBroken."""
    from autoft.testing import check_task
    from autoft.testing.tasks import taken_by

    if table is None and not taken_by(task):
        return "it takes none of the tiny tables: give rows of its kind with --data"
    check_task(task, table)
    return None


def _model(subject: Subject, model: Any) -> str | None:
    """With a tiny source at hand."""
    from autoft.testing import check_model, make_source

    with tempfile.TemporaryDirectory() as name:
        sources = [make_source(Path(name) / "tiny-bert")]
        taken = first_taken(subject, model, sources, Path(name))
        if taken is None:
            return "it has no candidate for any of the tiny tables: give rows of its kind with --data"
        check_model(model, taken[0], sources=sources, plugin=subject.loaded.plugin)
    return None


def held_encoder(encoder: Any) -> str | None:
    """As `held_task`, without data."""
    from autoft.testing import check_encoder

    try:
        check_encoder(encoder, {})
    except ContractBroken as broken:
        if isinstance(broken.__cause__, KeyError | DataError | AutoftError):
            return "it needs what a model gives it (config, files, other rows than texts): call check_encoder(encoder, config, files, rows)"
        raise
    return None


def _reader(subject: Subject, reader: Any) -> str | None:
    from autoft.testing import check_reader

    given = subject.data if subject.data is not None and reader.matches(subject.data) else None
    check_reader(reader, given)
    return None if given else "what it refuses was looked at, what it reads was not: give a file of its kind with --data"
