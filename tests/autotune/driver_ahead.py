"""A search on a Ray of its own, that was told early of its models: `python driver_ahead.py FOLDER` tells what became of its workers."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from autoft_autotune import RayTuner, ahead

if __name__ == "__main__":  # Ray's workers import this file, too
    spec = spec_from_file_location("toys", Path(__file__).with_name("conftest.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    toys, tuner, events = module.Toys(Path(sys.argv[1])), RayTuner(), []
    with tuner.prepare(2, ["full", "no such model"], verbose=False) as ready:
        ready()
        notes = Path(os.environ["AUTOFT_AHEAD_FOLDER"])
        ahead_of_trials = [float(note.with_suffix("").read_text()) for note in sorted(notes.glob("*.ended"))]
        memory = ahead.memory()
        tuner.search(toys.request("slow", concurrency=2, trials=4), events.append)
    from ray.tune.execution.class_cache import DEFAULT_ENV_VARS

    reported = [event.measures for event in events if event.event == "trial_reported"]
    left = [name for name in os.environ if name.startswith(("AUTOFT_AHEAD", "RAY_preload"))]
    told = {"workers": ahead_of_trials, "memory": memory, "reported": reported, "left": left, "tune": DEFAULT_ENV_VARS}
    sys.stdout.write(f"{json.dumps(told)}\n")
