"""What whole runs are held against, on the same rows: `frozen` with its defaults, and the recipe of the tutorials; a JSON line each,
appended to a file.

    BENCH_DATA=... python benchmarks/beside.py sick_entailment sick_relatedness digests ratings --seeds 3
    BENCH_DATA=... python benchmarks/beside.py ncbi_disease --rows 1800 --system tutorial

DATA and `--rows` are those of scores.py; the files are read and the answers scored by autoft's own task. Both learn from all training
rows; what the task tunes beside the weights of `frozen` (thresholds) is found on a fifth of them, by weights that learned from the others.
The recipe has `--budget` for all but the answers: where its epochs do not fit, it makes as many steps as do; these are counted padded and
made without the padding, which is no part of the answers. A row that the file holds already is not measured again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import drawn, figures, once, over_seeds, scored, source, understood
from tutorial import KINDS, tutorial

from autoft.catalog import Catalog
from autoft.data.splits import duplicate_groups, split
from autoft.hardware import limits
from autoft.interfaces.model import FitData, Fitted, TrialSpec
from autoft.interfaces.source import Source
from autoft.settings import parse_duration
from autoft.steps.bundle import decoder_for
from autoft.steps.understand import Understood
from autoft.trial import run_trial


class NotPossibleError(Exception):
    """The system does not learn such a task."""


@dataclass(frozen=True)
class Bench:
    """A data set as a run sees it, the weights to begin with, and `folder` for what is made on the way."""

    catalog: Catalog
    data: Understood
    source: Source
    seed: int
    budget: float
    threads: int
    folder: Path


def frozen(bench: Bench) -> dict[str, Any]:
    data, model = bench.data, bench.catalog.model("frozen")
    candidates = model.candidates(data.problem, [bench.source], limits(None), data.rows.take(data.learnable[:500]))
    if not candidates:
        raise NotPossibleError
    started = time.perf_counter()
    chosen = model.space(candidates[0], data.problem, len(data.learnable)).default
    spec = TrialSpec(1, candidates[0], chosen, bench.seed, bench.threads)
    every = FitData(data.problem, data.rows, data.targets, data.learnable, np.empty(0, dtype=np.int64), bench.folder)
    decoder = decoder_for(_fitted(bench, spec, _held_out(bench, every), "judged"), data, bench.folder / "judged" / "validation.npz")
    fitted = _fitted(bench, spec, every, "every")
    learned = time.perf_counter()
    outputs = fitted.outputs(data.rows.take(data.splits.test))
    return {"seconds": learned - started, "test_seconds": time.perf_counter() - learned, "test": scored(data, outputs, decoder)}


def _held_out(bench: Bench, every: FitData) -> FitData:
    """A fifth to validate on."""
    rows, strata = every.train, bench.data.task.strata(every.problem, every.targets[every.train])
    made = split(strata, duplicate_groups(every.rows.take(rows)), len(rows), bench.seed, test=0.0, validation=0.2)
    return replace(every, train=rows[made.train], validation=rows[made.validation])


def _fitted(bench: Bench, spec: TrialSpec, data: FitData, name: str) -> Fitted:
    outcome = run_trial(spec, data, bench.catalog.model("frozen"), bench.data.task, bench.folder / name)
    if outcome.fitted is None:
        sys.exit(f"the trial failed: {outcome.reason}")
    return outcome.fitted


def tutored(bench: Bench) -> dict[str, Any]:
    import torch

    data = bench.data
    if data.problem.head.kind not in KINDS:
        raise NotPossibleError
    torch.set_num_threads(bench.threads)
    rows, asked = (data.rows.take(part) for part in (data.learnable, data.splits.test))
    made = tutorial(
        bench.source.folder, data.problem, rows, data.targets[data.learnable], asked, bench.seed, budget=bench.budget, trim=True
    )
    return {"epochs": made.epochs, "seconds": made.seconds, "test_seconds": made.asking, "test": scored(data, made.outputs)}


SYSTEMS: dict[str, Callable[[Bench], dict[str, Any]]] = {"frozen": frozen, "tutorial": tutored}


def measure(catalog: Catalog, found: Source, threads: int, key: dict[str, Any]) -> dict[str, Any]:
    """Raises NotPossibleError."""
    with tempfile.TemporaryDirectory() as scratch:
        data = understood(key["data"], Path(scratch), key["seed"], catalog, key["only"])
        test = data.splits.test
        if key["only_test"] is not None:
            data = replace(data, splits=replace(data.splits, test=test[drawn(len(test), key["only_test"])]))
        made = SYSTEMS[key["system"]](Bench(catalog, data, found, key["seed"], parse_duration(key["budget"]), threads, Path(scratch)))
    rows = {"train": len(data.learnable), "test": len(data.splits.test)}
    return {"task": data.problem.task, "metric": data.problem.metric.name, "rows": rows, "threads": threads, **made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--system", choices=SYSTEMS, help="one of the two; else both")
    parser.add_argument("--source", default="all-MiniLM-L6-v2")
    parser.add_argument("--budget", default="5m", help="of the recipe")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--test-rows", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "beside.jsonl")
    options = parser.parse_args()
    catalog, found = Catalog.build(), source(options.source)
    for name in options.data:
        for system in [options.system] if options.system else SYSTEMS:
            key = {"data": name, "only": options.rows, "only_test": options.test_rows, "system": system, "source": options.source}
            keys = [key | {"budget": options.budget, "seed": seed} for seed in range(options.seeds)]
            try:
                rows = [_told(once(options.file, one, partial(measure, catalog, found, options.threads, one))) for one in keys]
            except NotPossibleError:
                sys.stdout.write(f"{name} {system}: not possible, it does not learn such a task\n")
                continue
            for metric in rows[0]["test"]:
                sys.stdout.write(f"{name} {system} {metric}: {over_seeds([row['test'][metric] for row in rows])}\n")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    epochs = f", {row['epochs']:.2f} epochs" if "epochs" in row else ""
    said = f"{row['seconds']:.0f} s{epochs}, {row['test_seconds']:.0f} s for {row['rows']['test']} answers"
    sys.stdout.write(f"{row['data']} {row['system']} seed {row['seed']}: {figures(row['test'])}; {said}\n")
    return row


if __name__ == "__main__":
    main()
