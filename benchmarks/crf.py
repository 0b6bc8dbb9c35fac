"""Entities with and without a CRF: one trial each at the same hyperparameters, several seeds, one JSON line each, appended to a file.

    BENCH_DATA=... python benchmarks/crf.py ncbi_disease --rows 1800 --seeds 3

The weights are those of the best of the trial's own evaluations on a fifth of the training rows; the test file is looked at once, by them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from common import drawn, parts, source

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.data.splits import split
from autoft.hardware import limits
from autoft.interfaces.model import FitData, TrialSpec
from autoft.trial import run_trial


def measure(catalog: Catalog, found, name: str, rows: int | None, crf: bool, seed: int, threads: int, chosen: dict) -> dict:
    task, model = catalog.task("token-classification"), catalog.model("full")
    with tempfile.TemporaryDirectory() as scratch:
        files = parts(name, Path(scratch))
        tables = [read_table(file, list(catalog.readers.values())) for file in files]
        train = tables[0] if rows is None else tables[0].take(drawn(len(tables[0]), rows))
        problem = task.problem(train, task.match(train, {}), metric=None, seed=seed)
        inputs, targets = task.inputs(problem, train), task.targets(problem, train)
        parted = split(task.strata(problem, targets), None, len(train), seed, test=0.0, validation=0.2)
        data = FitData(problem, inputs, targets, parted.train, parted.validation, Path(scratch))
        (candidate,) = model.candidates(problem, [found], limits(None), inputs.take(np.arange(min(len(inputs), 500))))
        settings = {**model.space(candidate, problem, len(parted.train)).default, **chosen, "crf": crf}
        started = time.perf_counter()
        outcome = run_trial(TrialSpec(1, candidate, settings, seed, threads), data, model, task, Path(scratch) / "trial")
        seconds = time.perf_counter() - started
        if outcome.fitted is None:
            sys.exit(f"the trial failed: {outcome.reason}")
        fitted = model.load(Path(scratch) / "trial" / "model")
        decoder = task.fit_decoder(problem, {}, targets).joined(fitted.extra())
        decided = task.decide(problem, decoder, fitted.outputs(task.inputs(problem, tables[1])))
        test = task.score(problem, task.targets(problem, tables[1]), decided)
    return {
        "data": name,
        "only": rows,
        "crf": crf,
        "seed": seed,
        "settings": chosen,
        "seconds": seconds,
        "validation": outcome.metrics,
        "test": test,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="ncbi_disease")
    parser.add_argument("--source", default="all-MiniLM-L6-v2")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "crf.jsonl")
    options = parser.parse_args()
    catalog, found = Catalog.build(), source(options.source)
    chosen = {"learning_rate": 3e-4, "epochs": 5}
    for crf in (False, True):
        rows = []
        for seed in range(options.seeds):
            rows.append(measure(catalog, found, options.data, options.rows, crf, seed, options.threads, chosen))
            with options.file.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.write(
                f"crf {crf} seed {seed}: validation {rows[-1]['validation']} test {rows[-1]['test']} {rows[-1]['seconds']:.0f} s\n"
            )
        for part in ("validation", "test"):
            values = [row[part]["f1"] for row in rows]
            spread = stdev(values) if len(values) > 1 else 0.0
            sys.stdout.write(f"crf {crf} {part} f1: {mean(values):.4f} +- {spread:.4f} over {len(values)} seeds\n")


if __name__ == "__main__":
    main()
