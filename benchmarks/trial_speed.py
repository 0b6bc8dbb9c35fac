"""One trial of MiniLM-L6 on 500 product reviews against the tutorial recipe, both with the same threads, in one run.

    BENCH_DATA=... python benchmarks/trial_speed.py [--seeds 3] [--threads 2]

Prints real tokens a second (padding is not counted), the ratio, and both test scores. Three epochs each; the trial evaluates on no rows, as
the recipe does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from common import real_tokens, scored, source, understood
from tutorial import tutorial

from autoft.catalog import Catalog
from autoft.data.table import Rows
from autoft.hardware import limits
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.source import Source
from autoft.steps.understand import Understood
from autoft.trial import run_trial


def trial(catalog: Catalog, found: Source, data: Understood, train: Rows, seed: int, threads: int, epochs: int) -> dict[str, float]:
    model = catalog.model("full")
    candidate = model.candidates(data.problem, [found], limits(None), data.rows.take(train))[0]
    hyperparameters = {**model.space(candidate, data.problem, len(train)).default, "epochs": epochs}
    with tempfile.TemporaryDirectory() as scratch:
        learned = FitData(data.problem, data.rows, data.targets, train, np.empty(0, dtype=np.int64), Path(scratch))
        spec = TrialSpec(1, candidate, hyperparameters, seed, threads)
        outcome = run_trial(spec, learned, model, data.task, Path(scratch) / "trial")
        if outcome.fitted is None:
            sys.exit(f"the trial failed: {outcome.reason}")
        return {"seconds": outcome.seconds, **scored(data, outcome.fitted.outputs(data.rows.take(data.splits.test)))}


def recipe(found: Source, data: Understood, seed: int, threads: int, epochs: int) -> dict[str, float]:
    import torch

    torch.set_num_threads(threads)
    rows, asked = (data.rows.take(part) for part in (data.learnable, data.splits.test))
    made = tutorial(found.folder, data.problem, rows, data.targets[data.learnable], asked, seed, epochs=epochs)
    return {"seconds": made.training, **scored(data, made.outputs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    catalog, found = Catalog.build(), source("all-MiniLM-L6-v2")
    with tempfile.TemporaryDirectory() as scratch:
        data = understood("product_reviews", Path(scratch), 0, catalog)
    tokens = real_tokens(found.folder, list(data.rows.take(data.learnable)["text"])) * options.epochs
    ratios, rows = [], []
    trial(catalog, found, data, data.learnable[:64], 0, options.threads, 1)
    for seed in range(options.seeds):
        ours = trial(catalog, found, data, data.learnable, seed, options.threads, options.epochs)
        theirs = recipe(found, data, seed, options.threads, options.epochs)
        ratios.append(theirs["seconds"] / ours["seconds"])
        for name, row in (("autoft", ours), ("tutorial", theirs)):
            rows.append({"seed": seed, "system": name, "tokens_per_second": tokens / row["seconds"], **row})
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
    spread = stdev(ratios) if len(ratios) > 1 else 0.0
    sys.stdout.write(f"real tokens a second, autoft / tutorial: {mean(ratios):.2f} +- {spread:.2f} over {len(ratios)} seeds\n")


if __name__ == "__main__":
    main()
