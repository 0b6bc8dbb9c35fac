"""What it costs and saves to leave the lower layers of a source as they are: one trial a share of them, by the default hyperparameters,
each on the same rows of a training file; the figures are of other rows of that file. One JSON line each, appended to a file.

    BENCH_DATA=... python benchmarks/freezing.py product_reviews movie_reviews --rows 300 --held 200 --shares 0 0.5 0.75 --seeds 1

Where layers are left, the others learn at twice the default rate of all; `--rate` gives another factor, to all shares. The seconds are
those of the trial, with what is read once for all trials; it answers no rows on the way.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import once, source
from search.sets import split_of

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.hardware import limits
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.task import Decoder
from autoft.trial import run_trial
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.spaces import full_space


def measure(catalog: Catalog, threads: int, key: dict[str, Any]) -> dict[str, Any]:
    """The row of a data set, share and seed."""
    model, task = catalog.model("full"), catalog.task("text-classification")
    table = read_table(split_of(key["data"], 0).train, list(catalog.readers.values()))
    problem = task.problem(table, task.match(table, {}), metric=None, seed=key["seed"])
    inputs, targets = task.inputs(problem, table), task.targets(problem, table)
    order = np.random.default_rng(key["seed"]).permutation(len(table))
    learned, held = np.sort(order[: key["rows"]]), np.sort(order[key["rows"] : key["rows"] + key["held"]])
    (candidate,) = model.candidates(problem, [source(key["source"])], limits(None), inputs.take(np.arange(min(len(inputs), 500))))
    default = full_space(anatomy(source(key["source"])).body, problem, len(learned)).default
    point = {**default, "frozen_share": key["share"], "learning_rate": key["rate"] * float(default["learning_rate"])}
    point["epochs"] = key["epochs"] or default["epochs"]
    with tempfile.TemporaryDirectory() as scratch:
        data = FitData(problem, inputs, targets, learned, np.empty(0, dtype=np.int64), Path(scratch))
        outcome = run_trial(TrialSpec(1, candidate, point, key["seed"], threads), data, model, task, Path(scratch) / "trial")
        if outcome.fitted is None:
            sys.exit(f"the trial failed: {outcome.reason}")
        decided = task.decide(problem, Decoder(), outcome.fitted.outputs(inputs.take(held)))
    return {"seconds": outcome.seconds, **task.score(problem, targets[held], decided)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--source", default="all-mpnet-base-v2")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--held", type=int, default=1000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.5, 0.75])
    parser.add_argument("--rate", type=float)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "freezing.jsonl")
    options = parser.parse_args()
    catalog = Catalog.build()
    for name in options.data:
        for seed in range(options.seeds):
            for share in options.shares:
                key = {"data": name, "source": options.source, "rows": options.rows, "held": options.held, "share": share, "seed": seed}
                key |= {"rate": options.rate or (2.0 if share else 1.0), "epochs": options.epochs}
                row = once(options.file, key, partial(measure, catalog, options.threads, key))
                sys.stdout.write(json.dumps(row) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
