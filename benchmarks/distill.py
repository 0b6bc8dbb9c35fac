"""How much of the gap between a large and a small source distillation closes: one JSON line a data set and seed, appended to a file. A row
that the file holds already is not measured again.

    BENCH_DATA=... python benchmarks/distill.py product_reviews movie_reviews --seeds 3

On four fifths of the training rows learn: the teacher (`full`, its default hyperparameters), the small source by the labels, and the small
source by labels and teacher, as `--distill` has it. Of the latter two each has two trials, of which the better one on the fifth of the
rows that is left counts: by the labels with the default number of epochs and with the most that are searched, which pupils have, too;
by the teacher with both of `--distill`'s points. The test file is looked at once, by these three.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from common import once, over_seeds, source
from search.sets import split_of

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.data.splits import split
from autoft.data.table import Table
from autoft.hardware import limits
from autoft.interfaces.model import Candidate, Distils, FitData, Fitted, TrialSpec
from autoft.interfaces.space import Hyperparameters
from autoft.interfaces.task import Decoder
from autoft.trial import run_trial


@dataclass(frozen=True)
class Bench:
    """One data set, parted by one seed."""

    catalog: Catalog
    data: FitData
    test: Table
    seed: int
    threads: int
    folder: Path

    def best(self, candidate: Candidate, points: list[Hyperparameters], data: FitData) -> tuple[Fitted, float]:
        """The better one of its trials on the validation rows, and its figure there."""
        model, task, found = self.catalog.model(candidate.model), self.catalog.task("text-classification"), []
        for number, point in enumerate(points):
            home = self.folder / candidate.name.replace("/", "-") / str(number)
            outcome = run_trial(TrialSpec(1, candidate, point, self.seed, self.threads), data, model, task, home)
            if outcome.fitted is None:
                sys.exit(f"the trial failed: {outcome.reason}")
            found.append((outcome.metrics["f1_macro"], home))
        value, home = max(found)
        return model.load(home / "model"), value

    def tested(self, fitted: Fitted) -> dict[str, float]:
        """Figures of the test file."""
        task, problem = self.catalog.task("text-classification"), self.data.problem
        decided = task.decide(problem, Decoder(), fitted.outputs(task.inputs(problem, self.test)))
        return task.score(problem, task.targets(problem, self.test), decided)


def measure(catalog: Catalog, threads: int, key: dict[str, Any]) -> dict[str, Any]:
    """The row of a data set and seed."""
    full, pupils, task = catalog.model("full"), catalog.model("distilled"), catalog.task("text-classification")
    assert isinstance(pupils, Distils)
    files = split_of(key["data"], key["seed"])
    train, tested = (read_table(file, list(catalog.readers.values())) for file in (files.train, files.test))
    problem = task.problem(train, task.match(train, {}), metric=None, seed=key["seed"])
    inputs, targets = task.inputs(problem, train), task.targets(problem, train)
    parted = split(task.strata(problem, targets), None, len(train), key["seed"], test=0.0, validation=0.2)
    sample = inputs.take(np.arange(min(len(inputs), 500)))
    (teacher,) = full.candidates(problem, [source(key["teacher"])], limits(None), sample)
    (direct,) = full.candidates(problem, [source(key["student"])], limits(None), sample)
    (pupil,) = pupils.students(problem, [source(key["student"])], limits(None), sample)
    with tempfile.TemporaryDirectory() as scratch:
        data = FitData(problem, inputs, targets, parted.train, parted.validation, Path(scratch))
        bench = Bench(catalog, data, tested, key["seed"], threads, Path(scratch))
        known, value = bench.best(teacher, [full.space(teacher, problem, len(parted.train)).default], data)
        lesson = known.outputs(inputs)["logits"].astype(np.float32)
        space = pupils.space(pupil, problem, len(parted.train))
        plain = full.space(direct, problem, len(parted.train)).default
        alone, alone_value = bench.best(direct, [plain, plain | {"epochs": space.default["epochs"]}], data)
        taught, taught_value = bench.best(pupil, [space.default, *space.first], replace(data, teacher=lesson))
        made = {"teacher": (known, value), "direct": (alone, alone_value), "distilled": (taught, taught_value)}
        return {name: {"validation": figure, "test": bench.tested(fitted)} for name, (fitted, figure) in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--teacher", default="all-mpnet-base-v2")
    parser.add_argument("--student", default="all-MiniLM-L6-v2")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "distill.jsonl")
    options = parser.parse_args()
    catalog = Catalog.build()
    for name in options.data:
        rows = []
        for seed in range(options.seeds):
            key = {"data": name, "teacher": options.teacher, "student": options.student, "seed": seed}
            rows.append(once(options.file, key, partial(measure, catalog, options.threads, key)))
            told = ", ".join(f"{who} {rows[-1][who]['test']['f1_macro']:.4f}" for who in ("teacher", "direct", "distilled"))
            sys.stdout.write(f"{name} seed {seed}: test macro-F1 {told}\n")
            sys.stdout.flush()
        found = {who: [row[who]["test"]["f1_macro"] for row in rows] for who in ("teacher", "direct", "distilled")}
        for who, values in found.items():
            sys.stdout.write(f"{name} {who}: {over_seeds(values)}\n")
        gap, closed = (mean(found[who]) - mean(found["direct"]) for who in ("teacher", "distilled"))
        sys.stdout.write(f"{name}: {closed / gap:.2f} of a gap of {100 * gap:.1f} points closed\n")


if __name__ == "__main__":
    main()
