"""The systems that are held against one another. Each is a command of its own, so that its imports count."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from common import source
from environments import setfit_python

from autoft.hardware import cores
from autoft_plugins.tasks.metrics import accuracy, f1_macro
from search.measuring import Cost, clean_environment, measured
from search.sets import Split

FREE = "free choice"
"""In place of a source: autoft chooses among those at hand."""

CHILDREN = Path(__file__).parent / "children"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One measurement. `setting` is in the system's own terms, seconds or steps."""

    data: str
    system: str
    source: str
    setting: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data} {self.system} ({self.source}, {self.setting}) seed {self.seed}"

    @property
    def seconds(self) -> float:
        """Of a setting such as "300 s"."""
        return float(self.setting.removesuffix(" s"))


class System(Protocol):
    def command(self, job: Job, split: Split) -> list[str]:
        """What to run, in a folder of its own. Weights and environments are fetched by now, and so not within the minutes."""
        ...

    def figures(self, folder: Path, split: Split, cost: Cost) -> Figures:
        """`accuracy` and `f1_macro` of the test file, and whatever else there is to say."""
        ...


def measure(job: Job, split: Split, folder: Path) -> Figures:
    """The figures of a row: of the test file, and what they cost. Raises CommandError."""
    system = SYSTEMS[job.system]
    cost = measured(system.command(job, split), folder, clean_environment(folder), cores())
    sizes = {"train_rows": split.train_rows, "test_rows": split.test_rows, "cores": cores()}
    made = system.figures(folder, split, cost)
    return {**made, **paid(made, cost), **sizes}


class Autoft:
    """`autoft run`."""

    def command(self, job: Job, split: Split) -> list[str]:
        command = [sys.executable, "-m", "autoft", "run", str(split.train), "--test", str(split.test), "--output", "out"]
        command += ["--budget", f"{job.seconds:g}", "--seed", str(job.seed), "--offline"]
        return command if job.source == FREE else [*command, "--models", source(job.source).name]

    def figures(self, folder: Path, split: Split, cost: Cost) -> Figures:  # noqa: ARG002
        result = json.loads((folder / "out" / "result.json").read_text(encoding="utf-8"))
        events = [json.loads(line) for line in (folder / "out" / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        scored = [event for event in events if event["event"] == "trial_finished" and event["value"] is not None]
        ended = [(event["time"] - cost.began, event["trial"], event["value"]) for event in scored]
        best = result["best"]
        return {
            "accuracy": best["test"]["accuracy"],
            "f1_macro": best["test"]["f1_macro"],
            "baseline": result["baseline"]["test"]["f1_macro"],
            "candidate": best["candidate"],
            "winner_seconds": next((round(seconds, 2) for seconds, trial, _ in ended if trial == best["trial"]), None),
            "curve": best_so_far([(seconds, value) for seconds, _, value in ended]),
            "trials": result["trials"],
            "confirmed": result["confirmed"],
            "refit": result["refit"],
            "training_share": result["utilisation"]["share"],
            "proved": result["verified"]["passed"],
        }


def best_so_far(ended: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The validation figure whenever it rose: (seconds since the command, value). Test figures on the way are not known."""
    curve: list[tuple[float, float]] = []
    for seconds, value in sorted(ended):
        if not curve or value > curve[-1][1]:
            curve.append((round(seconds, 2), value))
    return curve


class Tutorial:
    """The recipe of the tutorials, `benchmarks/tutorial.py`. Its padded steps are counted and timed, and made without the padding; what
    that spares, all cores busy, counts as if it had been spent."""

    def command(self, job: Job, split: Split) -> list[str]:
        files = [str(split.train), str(split.test)]
        return [sys.executable, str(CHILDREN / "tutorial_child.py"), *files, source(job.source).name, str(job.seed), f"{job.seconds:g}"]

    def figures(self, folder: Path, split: Split, cost: Cost) -> Figures:  # noqa: ARG002
        return _answer(folder)


def paid(made: Figures, cost: Cost) -> Figures:
    """Wall seconds, core-seconds and their share, with what was spared."""
    spared = made.get("spared", 0.0)
    wall, core_seconds = cost.wall + spared, cost.core_seconds + spared * cores()
    return {"wall": wall, "core_seconds": core_seconds, "busy": core_seconds / wall / cores()}


class SetFit:
    """SetFit, in its own environment."""

    def command(self, job: Job, split: Split) -> list[str]:
        steps = job.setting.removesuffix(" steps").replace("default, at most ", "default:")
        files = [str(split.train), str(split.test), str(source(job.source).folder)]
        return [str(setfit_python()), str(CHILDREN / "setfit_child.py"), *files, str(job.seed), steps]

    def figures(self, folder: Path, split: Split, cost: Cost) -> Figures:  # noqa: ARG002
        made = _answer(folder)
        with split.test.open(encoding="utf-8", newline="") as file:
            truth = [row["label"] for row in csv.DictReader(file)]
        return {**scores(truth, made["answers"]), "steps": made["steps"]}


def _answer(folder: Path) -> Figures:
    """What a child left."""
    answer: Figures = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return answer


def scores(truth: list[str], answers: list[str]) -> Figures:
    """Accuracy and macro-F1 by the formulas of autoft's own task."""
    names = {name: code for code, name in enumerate(sorted({*truth, *answers}))}
    targets, given = (np.array([names[name] for name in labels]) for labels in (truth, answers))
    return {"accuracy": accuracy(targets, given), "f1_macro": f1_macro(targets, given, len(names))}


SYSTEMS: dict[str, System] = {"autoft": Autoft(), "tutorial": Tutorial(), "setfit": SetFit()}
