"""What a plugin's event hooks have to keep."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from autoft.catalog import Catalog, EventHooks
from autoft.guard import time_limit
from autoft.hookspecs import PROJECT
from autoft.interfaces.events import Event
from autoft.plugins import Loaded
from autoft.testing.contract import ContractBroken
from autoft.testing.limits import Late, within
from autoft.testing.trackers import STREAMS


def check_hooks(plugin: object) -> tuple[str, ...]:
    """Call the event hooks of `plugin`, a module or an object, with all that runs tell: one that ends well, one that goes on after it was
    cut off, one that fails. What comes back are the hooks there are. They are called in a temporary working directory, in which the
    folders of these runs lie, so that nothing is written beside the author's own files.

    Raises ContractBroken for one that raises, or does not return in the time that a run gives it.
    """
    name = str(getattr(plugin, "__name__", type(plugin).__name__))
    called: list[str] = []
    for hooks in Catalog.of([Loaded(name, "checked", plugin)], kinds=()).event_hooks:
        with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
            for number, stream in enumerate(STREAMS, 1):
                folder = Path.cwd() / "runs" / f"checked-{number}"
                (folder / "trials").mkdir(parents=True)
                for event in stream(folder.name, folder):
                    called += [f"{PROJECT}_{event.event}"] if event.event in hooks.events else []
                    _call(hooks, event)
    return tuple(dict.fromkeys(called))


def _call(hooks: EventHooks, event: Event) -> None:
    hook = f"{PROJECT}_{event.event}"
    try:
        with within(time_limit()):
            hooks.hear(event)
    except Late:
        raise _broken(hook, f"did not return within {time_limit():g} s") from None
    except (Exception, SystemExit) as error:
        raise _broken(hook, f"raised {type(error).__name__}: {error}") from error


def _broken(hook: str, what: str) -> ContractBroken:
    return ContractBroken(
        f"{hook} {what}: in a run it would hear no more", f"autoft.hookspecs.Hooks.{hook}", f"docs/plugins/hooks/{hook}.md"
    )
