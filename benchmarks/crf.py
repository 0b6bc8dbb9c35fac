"""Entities with and without a CRF: one trial each at the same hyperparameters, several seeds, one JSON line each, appended to a file. A row
that the file holds already is not measured again.

    BENCH_DATA=... python benchmarks/crf.py ncbi_disease --rows 1800 --seeds 3
    BENCH_DATA=... python benchmarks/crf.py ncbi_disease --epochs 2

The weights are those of the best of the trial's own evaluations on a fifth of the training rows; the test file is looked at once, by them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from common import once, over_seeds, parts, source

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.data.splits import split
from autoft.hardware import limits
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.source import Source
from autoft.trial import run_trial


def measure(catalog: Catalog, found: Source, threads: int, key: dict) -> dict:
    task, model, seed = catalog.task("token-classification"), catalog.model("full"), key["seed"]
    with tempfile.TemporaryDirectory() as scratch:
        train, tested = (read_table(file, list(catalog.readers.values())) for file in parts(key["data"], Path(scratch), key["only"]))
        problem = task.problem(train, task.match(train, {}), metric=None, seed=seed)
        inputs, targets = task.inputs(problem, train), task.targets(problem, train)
        parted = split(task.strata(problem, targets), None, len(train), seed, test=0.0, validation=0.2)
        data = FitData(problem, inputs, targets, parted.train, parted.validation, Path(scratch))
        (candidate,) = model.candidates(problem, [found], limits(None), inputs.take(np.arange(min(len(inputs), 500))))
        settings = {**model.space(candidate, problem, len(parted.train)).default, **key["settings"], "crf": key["crf"]}
        started = time.perf_counter()
        outcome = run_trial(TrialSpec(1, candidate, settings, seed, threads), data, model, task, Path(scratch) / "trial")
        seconds = time.perf_counter() - started
        if outcome.fitted is None:
            sys.exit(f"the trial failed: {outcome.reason}")
        fitted = model.load(Path(scratch) / "trial" / "model")
        decoder = task.fit_decoder(problem, {}, targets).joined(fitted.extra())
        decided = task.decide(problem, decoder, fitted.outputs(task.inputs(problem, tested)))
        test = task.score(problem, task.targets(problem, tested), decided)
    return {"seconds": seconds, "validation": outcome.metrics, "test": test}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="ncbi_disease")
    parser.add_argument("--source", default="all-MiniLM-L6-v2")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "crf.jsonl")
    options = parser.parse_args()
    catalog, weights = Catalog.build(), source(options.source)
    chosen = {"learning_rate": 3e-4, "epochs": options.epochs}
    rows: dict[bool, list[dict]] = {False: [], True: []}
    for seed in range(options.seeds):
        for crf, found in rows.items():
            key = {"data": options.data, "only": options.rows, "crf": crf, "seed": seed, "settings": chosen}
            row = once(options.file, key, partial(measure, catalog, weights, options.threads, key))
            found.append(row)
            sys.stdout.write(f"crf {crf} seed {seed}: validation {row['validation']} test {row['test']} {row['seconds']:.0f} s\n")
    for crf, found in rows.items():
        for part in ("validation", "test"):
            sys.stdout.write(f"crf {crf} {part} f1: {over_seeds([row[part]['f1'] for row in found])}\n")


if __name__ == "__main__":
    main()
