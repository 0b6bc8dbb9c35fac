"""Where the defaults of `linear` come from: macro-F1 over folds of the training files alone, for each C and class weighting.

    BENCH_DATA=... python benchmarks/linear_defaults.py product_reviews emotion banking77 shopping_zh

The folds are the same for every setting.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import mean

import numpy as np
from common import read
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from autoft.data.table import Table
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft_plugins.models.linear import Linear

STRENGTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
WEIGHTS = ("none", "sqrt", "balanced")


class Folds:
    """One training file, cut in `folds` parts; `most` rows of it at most, drawn by class."""

    def __init__(self, name: str, most: int, folds: int) -> None:
        texts, labels = read(f"{name}.train.csv")
        classes, targets = np.unique(labels, return_inverse=True)
        kept = np.random.default_rng(0).permutation(len(texts))[:most]
        self.texts, self.targets = Table({"text": [texts[i] for i in kept]}), targets[kept]
        self.problem = Problem(
            task="text-classification",
            fields={"text": ("text",), "label": ("label",)},
            inputs=("text",),
            labels=tuple(classes),
            head=Head(kind="single_label_classification", outputs=len(classes)),
            metric=Metric(name="f1_macro"),
        )
        self.parts = list(StratifiedKFold(folds, shuffle=True, random_state=0).split(np.zeros(len(kept)), self.targets))

    def score(self, chosen: dict[str, object]) -> float:
        """Mean macro-F1 over the folds."""
        found = []
        for train, held in self.parts:
            with tempfile.TemporaryDirectory() as cache:
                data = FitData(self.problem, self.texts, self.targets, train, held[:1], Path(cache))
                fitted = Linear().fit(TrialSpec(0, Candidate("linear"), chosen, 0), data, lambda *_, **__: "go")
            said = fitted.outputs(self.texts.take(held))["logits"].argmax(axis=1)
            found.append(f1_score(self.targets[held], said, average="macro", zero_division=0))
        return mean(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--folds", type=int, default=3)
    options = parser.parse_args()
    for name in options.data:
        folds = Folds(name, options.rows, options.folds)
        sizes = f"{len(folds.targets)} rows, {folds.problem.head.outputs} classes"
        sys.stdout.write(f"{name}: {sizes}; C " + " ".join(map(str, STRENGTHS)) + "\n")
        for weights in WEIGHTS:
            scores = [folds.score({"C": c, "words": 2, "characters": 5, "class_weight": weights}) for c in STRENGTHS]
            sys.stdout.write(f"  {weights:9}" + " ".join(f"{score:.4f}" for score in scores) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
