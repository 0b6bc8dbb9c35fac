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
from common import read, real_tokens, source, tutorial


def trial(found, train, test, seed: int, threads: int, epochs: int) -> dict[str, float]:
    from autoft.catalog import Catalog
    from autoft.data.table import Table
    from autoft.hardware import limits
    from autoft.interfaces.model import FitData, TrialSpec
    from autoft.interfaces.task import Decoder
    from autoft.trial import run_trial

    catalog = Catalog.build()
    task, model = catalog.task("text-classification"), catalog.model("full")
    tables = [Table({"text": texts, "label": labels}) for texts, labels in (train, test)]
    match = task.match(tables[0], {"text": ("text",), "label": ("label",)})
    problem = task.problem(tables[0], match, metric=None, seed=seed)
    rows, held = (task.inputs(problem, table) for table in tables)
    targets, truth = (task.targets(problem, table) for table in tables)
    candidate = model.candidates(problem, [found], limits(None), rows)[0]
    hyperparameters = {**model.space(candidate, problem, len(rows)).default, "epochs": epochs}
    with tempfile.TemporaryDirectory() as scratch:
        data = FitData(problem, rows, targets, np.arange(len(rows)), np.empty(0, dtype=np.int64), Path(scratch))
        spec = TrialSpec(1, candidate, hyperparameters, seed, threads)
        outcome = run_trial(spec, data, model, task, Path(scratch) / "trial")
        if outcome.fitted is None:
            sys.exit(f"the trial failed: {outcome.reason}")
        return {"seconds": outcome.seconds, **task.score(problem, truth, task.decide(problem, Decoder(), outcome.fitted.outputs(held)))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    import torch

    train, test = read("product_reviews.train.csv"), read("product_reviews.test.csv")
    found = source("all-MiniLM-L6-v2")
    tokens = real_tokens(found.folder, train[0]) * options.epochs
    ratios, rows = [], []
    trial(found, (train[0][:64], train[1][:64]), (test[0][:8], test[1][:8]), 0, options.threads, 1)
    for seed in range(options.seeds):
        ours = trial(found, train, test, seed, options.threads, options.epochs)
        torch.set_num_threads(options.threads)
        theirs = tutorial(found.folder, train, test, seed, options.epochs)
        ratios.append(theirs["seconds"] / ours["seconds"])
        for name, row in (("autoft", ours), ("tutorial", theirs)):
            rows.append({"seed": seed, "system": name, "tokens_per_second": tokens / row["seconds"], **row})
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
    spread = stdev(ratios) if len(ratios) > 1 else 0.0
    sys.stdout.write(f"real tokens a second, autoft / tutorial: {mean(ratios):.2f} +- {spread:.2f} over {len(ratios)} seeds\n")


if __name__ == "__main__":
    main()
