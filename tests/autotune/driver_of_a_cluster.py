"""Searches on a Ray cluster, in a process of their own: `python driver_of_a_cluster.py ADDRESS FOLDER SOURCE [kill]`.

Writes what was told to FOLDER/told.json, by search; with `kill` it only begins a search, says so in FOLDER/begun, and waits for its end.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from autoft.disk import write_text
from autoft.interfaces.model import Candidate
from autoft.interfaces.source import Source
from autoft_autotune import RayTuner

spec = spec_from_file_location("toys", Path(__file__).with_name("conftest.py"))
module = module_from_spec(spec)
spec.loader.exec_module(module)


def searched(folder: Path, *names: str, source: Source | None = None, hear=lambda event: None, **changes) -> list[dict]:
    """The events of a search, and how many seconds it took."""
    folder.mkdir()
    toys = module.Toys(folder)
    toys.problem = toys.problem.model_copy(update={"extra": {"driver": str(folder)}})
    request = toys.request(*names, concurrency=2, ray_address=sys.argv[1], **changes)
    if source is not None:
        candidates = [Candidate(name, source) for name in names]
        request = replace(request, candidates=candidates, spaces={c.name: request.spaces[c.model] for c in candidates})
    events = []

    def on_event(event) -> None:
        events.append(event)
        hear(event)

    RayTuner().search(request, on_event)
    return [event.model_dump(mode="json") for event in events]


def main() -> None:
    folder, source = Path(sys.argv[2]), Source("weights", Path(sys.argv[3]), "0" * 64)

    def begun(event) -> None:
        if event.event == "trial_reported":
            (folder / "begun").touch()

    if sys.argv[4:] == ["kill"]:
        searched(folder / "killed", "deaf", hear=begun)
        return

    def stop(event) -> None:
        if event.event == "trial_reported" and not stopped:
            stopped.append(time.time())
            write_text(folder / "stop" / "stop", "enough")

    stopped: list[float] = []
    told = {
        "source": searched(folder / "source", "reads", source=source, trials=4, keeps=lambda row: row.trial % 2 == 1),
        "stop": searched(folder / "stop", "slow", hear=stop),
    }
    told["seconds"] = time.time() - stopped[0]
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
