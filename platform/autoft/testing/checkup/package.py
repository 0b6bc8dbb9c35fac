"""What a plugin tells of itself before anything that it gives is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autoft.catalog import Catalog, PluginRecord
from autoft.plugins import Loaded, load_installed
from autoft.testing.checkup.subject import Finding, Subject
from autoft.testing.contract import ContractBroken

SLOW_SECONDS = 1.0
"""From which on importing a plugin is told as slow: every command waits for it."""


def taken_names(loaded: Loaded, alone: PluginRecord) -> str | None:
    """What is wrong with it beside all others, where it gives less then."""
    others = [one for one in load_installed() if (one.name, one.origin) != (loaded.name, loaded.origin)]
    beside = Catalog.of([*others, loaded]).plugins[-1]
    return None if beside.gives == alone.gives else beside.failure


def gives(record: PluginRecord) -> str:
    """In words."""
    return ", ".join(f"{given.kind} {given.name}" for given in record.gives) or "hooks of events only"


def imports(subject: Subject) -> Finding:
    """How long it takes to load it, and what heavy libraries come with it."""
    told = f"{subject.seconds:.2f} s"
    if subject.heavy:
        what = f"{told}; it imports {', '.join(subject.heavy)} as it is loaded: move that into the methods, since the server loads it too"
        return Finding("import", "failed", what)
    if subject.seconds > SLOW_SECONDS:
        return Finding("import", "passed", f"{told}: slow, and every command waits for it")
    return Finding("import", "passed", told)


def licence(subject: Subject) -> Finding:
    """That of its package's metadata, or of a line in its file."""
    if subject.file is not None:
        line = next((line for line in subject.file.text.splitlines() if "SPDX-License-Identifier:" in line), None)
        if line is None:
            return Finding("licence", "failed", "the file states none: # SPDX-License-Identifier: Apache-2.0, for instance")
        return Finding("licence", "passed", line.partition("SPDX-License-Identifier:")[2].strip())
    metadata: Any = subject.loaded.distribution.metadata if subject.loaded.distribution else {}
    stated = metadata.get("License-Expression") or metadata.get("License")
    classifiers = [line for line in (metadata.get_all("Classifier") or []) if line.startswith("License ::")] if metadata else []
    if not stated and not classifiers:
        return Finding("licence", "failed", 'its package states none: license = "Apache-2.0" in pyproject.toml, for instance')
    return Finding("licence", "passed", str(stated or classifiers[0].rpartition("::")[2]).strip().partition("\n")[0])


def hooks(subject: Subject) -> Iterator[Finding]:
    """Those that carry events, where it has some."""
    from autoft.testing import check_hooks

    try:
        called = check_hooks(subject.loaded.plugin)
    except ContractBroken as broken:
        yield Finding("hooks of events", "failed", str(broken))
    else:
        if called:
            yield Finding("hooks of events", "passed", ", ".join(called))
