"""All that can be said of a plugin before anybody uses it. `autoft plugins check` runs this in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from autoft.testing.checkup.contracts import contracts
from autoft.testing.checkup.elsewhere import encodes_afresh, in_ray, rebuilt, without_torch
from autoft.testing.checkup.package import gives, hooks, imports, licence, taken_names
from autoft.testing.checkup.subject import Finding, subject_of
from autoft.testing.checkup.use import what_models_open


def check_plugin(name: str, file: Path | None = None, data: Path | None = None, *, ray: bool = True) -> Iterator[Finding]:
    """What there is to say of the installed plugin `name`, an entry point or its package, or of the one in `file`; one after another.

    `data` is rows, or a file, of the kind that it is for. With `ray` a trial of its model runs on a worker of Ray, where that is installed.
    Raises PluginError where no plugin has that name.
    """
    subject = subject_of(name, file, data)
    record = subject.record
    if record.failure:
        yield Finding("loads", "failed", record.failure)
        if subject.loaded.plugin is None:
            return
    else:
        yield Finding("loads", "passed", f"{record.name} ({record.origin}) gives {gives(record)}")
    if record.gives:
        taken = taken_names(subject.loaded, record)
        yield Finding("names are free", "failed" if taken else "passed", taken or ", ".join(given.name for given in record.gives))
    yield imports(subject)
    yield licence(subject)
    yield from hooks(subject)
    if not record.gives:
        return
    with tempfile.TemporaryDirectory() as place:
        used = cache(lambda: what_models_open(subject, Path(place)))
        yield from contracts(subject, used)
        yield rebuilt(subject)
        yield from in_ray(subject) if ray else ()
        yield from encodes_afresh(subject, used, Path(place))
    yield from without_torch(subject)
