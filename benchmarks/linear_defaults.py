"""Where the defaults of `linear` come from: the task's own metric over folds of the training files alone, for each strength of the
penalty and class weighting. A name ending in `+` is a set of classes made multi-label: texts joined by twos, with both their labels.

    BENCH_DATA=... python benchmarks/linear_defaults.py product_reviews emotion banking77 shopping_zh banking77+ emotion+ \\
        sick_entailment sick_relatedness ratings ncbi_disease

`ratings` is the example of that name (autoft examples ratings).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

import numpy as np
from common import data_folder, read
from sklearn.model_selection import KFold, StratifiedKFold

from autoft import examples
from autoft.data.table import Table
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.task import Match
from autoft.trial import decisions
from autoft_plugins.models.linear import Linear
from autoft_plugins.tasks import TASKS

STRENGTHS = {
    "single_label_classification": ("C", (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)),
    "multi_label_classification": ("C", (1.0, 3.0, 10.0, 30.0)),
    "regression": ("alpha", (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)),
    "token_classification": ("C", (0.3, 1.0, 3.0, 10.0)),
}
PAIRS = {"sick_entailment": "pair-classification", "sick_relatedness": "pair-score"}


def rows_of(name: str) -> tuple[str, Table, dict[str, tuple[str, ...]]]:
    """The task, the training rows, and the columns by role."""
    if name in PAIRS:
        with (data_folder() / f"{name}.train.csv").open(encoding="utf-8", newline="") as file:
            table = Table.from_records(list(csv.DictReader(file)))
        return PAIRS[name], table, {"text": ("sentence_a",), "text_pair": ("sentence_b",), "label": (table.names[2],)}
    if name == "ncbi_disease":
        lines = (data_folder() / f"{name}.train.jsonl").read_text(encoding="utf-8").splitlines()
        sentences = Table.from_records([json.loads(line) for line in lines])
        return "token-classification", sentences, {"text": ("tokens",), "label": ("ner_tags",)}
    columns = {"text": ("text",), "label": ("label",)}
    if name == "ratings":
        with tempfile.TemporaryDirectory() as folder:
            path = examples.write(name, Path(folder) / "ratings.csv")
            with path.open(encoding="utf-8", newline="") as file:
                return "text-regression", Table.from_records([{**r, "label": float(r["label"])} for r in csv.DictReader(file)]), columns
    texts, labels = read(f"{name.removesuffix('+')}.train.csv")
    if not name.endswith("+"):
        return "text-classification", Table({"text": texts, "label": labels}), columns
    order = np.random.default_rng(1).permutation(len(texts))
    twos = list(zip(order[::2].tolist(), order[1::2].tolist(), strict=False))
    joined = {"text": [f"{texts[a]} {texts[b]}" for a, b in twos], "label": [sorted({labels[a], labels[b]}) for a, b in twos]}
    return "multi-label", Table(joined), columns


class Folds:
    """One training file, cut in `folds` parts; `most` rows of it at most. Tagged sentences stay in order, since neighbours are alike."""

    def __init__(self, name: str, most: int, folds: int) -> None:
        task, table, columns = rows_of(name)
        self.task = next(item for item in TASKS if item.name == task)
        whole = np.random.default_rng(0).permutation(len(table))[:most]
        tagged = task == "token-classification"
        table = table if tagged else table.take(whole)
        self.problem = self.task.problem(table, Match(1.0, columns, ""), metric=None, seed=0)
        self.rows, self.targets = self.task.inputs(self.problem, table), self.task.targets(self.problem, table)
        classes = self.problem.head.kind == "single_label_classification"
        cut = StratifiedKFold if classes else KFold
        shuffled = {} if tagged else {"shuffle": True, "random_state": 0}
        self.parts = list(cut(folds, **shuffled).split(np.zeros(len(table)), self.targets if classes else None))

    def score(self, chosen: dict[str, object]) -> float:
        """The mean of the metric over the folds."""
        found = []
        for train, held in self.parts:
            with tempfile.TemporaryDirectory() as cache:
                data = FitData(self.problem, self.rows, self.targets, train, held[:1], Path(cache))
                fitted = Linear().fit(TrialSpec(0, Candidate("linear"), chosen, 0), data, lambda *_, **__: "go")
            outputs, targets = fitted.outputs(self.rows.take(held)), self.targets[held]
            said = decisions(self.task, self.problem, outputs, targets, fitted.extra())
            found.append(self.task.score(self.problem, targets, said)[self.problem.metric.name])
        return mean(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--rows", type=int, default=3000, help="at most so many (not of tagged sentences)")
    parser.add_argument("--folds", type=int, default=3)
    options = parser.parse_args()
    for name in options.data:
        folds = Folds(name, options.rows, options.folds)
        head = folds.problem.head
        strength, values = STRENGTHS[head.kind]
        default = Linear().space(Candidate("linear"), folds.problem, len(folds.targets)).default
        weightings = ("none", "sqrt", "balanced") if "label_classification" in head.kind else (None,)
        sizes = f"{len(folds.targets)} rows, {head.outputs} outputs, {folds.problem.metric.name}"
        sys.stdout.write(f"{name}: {sizes}; {strength} " + " ".join(map(str, values)) + "\n")
        for weighting in weightings:
            started = time.perf_counter()
            own = {} if weighting is None else {"class_weight": weighting}
            scores = [folds.score({**default, **own, strength: value}) for value in values]
            seconds = (time.perf_counter() - started) / (len(values) * options.folds)
            sys.stdout.write(f"  {weighting or '':9}" + " ".join(f"{score:.4f}" for score in scores) + f"  {seconds:.1f} s a fit\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
