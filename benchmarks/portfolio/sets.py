"""The sets that first points are mined on: parts of `autoft examples`, and none that a benchmark judges by.

Left out are the examples with texts of `search.sets.SETS`: news, topics and digests, movies and ratings, and reviews, which holds 156 of
the 500 training rows of product_reviews (letters and digits compared).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from search.sets import unrepeated

from autoft import examples
from autoft.catalog import Catalog
from autoft.settings import Settings
from autoft.steps.understand import Understood, understand

SETS = {
    "spam": "text-classification",
    "tweets": "text-classification",
    "newsgroups": "text-classification",
    "authors": "text-classification",
    "editorials": "text-regression",
}
"""The task of each."""

LEARNED = 600
"""Rows to learn from, at most, and as many to judge by."""

SEED = 0
BINS = 10
"""Into so many of about equally many rows numbers are parted, so that both files hold of all."""


@dataclass(frozen=True)
class Sample:
    """Two files of a set. `sha256` starts the hash of both, so that rows measured on other files are not mixed in."""

    name: str
    learned: Path
    judged: Path
    sha256: str

    def understood(self, catalog: Catalog) -> Understood:
        """As `autoft run` understands them; the rows to judge by are the test part."""
        settings = Settings(data=self.learned, test=self.judged, task=SETS[self.name], text="text", label="label", seed=SEED)
        return understand(settings, catalog)


def sample(name: str, rows: int, folder: Path) -> Sample:
    """`rows` to learn from at most and as many to judge by, of each class in proportion; written into `folder`. No text is in both."""
    with examples.write(name, folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *raw = csv.reader(file)
    found = unrepeated((text, label) for text, label in raw if text.strip())
    paths = folder / f"{name}.learned.csv", folder / f"{name}.judged.csv"
    for path, numbers in zip(paths, parted(strata(name, [label for _, label in found]), rows), strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *(found[number] for number in numbers)])
    return Sample(name, *paths, hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:12])


def strata(name: str, labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """A code a row, (n,): its class, or where its number lies among the others."""
    if SETS[name] == "text-classification":
        return np.unique(labels, return_inverse=True)[1]
    values = np.array(labels, float)
    return np.searchsorted(np.quantile(values, np.arange(1, BINS) / BINS), values).astype(np.int64)


def parted(codes: npt.NDArray[np.int64], rows: int) -> tuple[list[int], list[int]]:
    """Row numbers to learn from and to judge by, ascending; a third of all to judge by where there are too few."""
    from sklearn.model_selection import train_test_split

    judged = min(rows, len(codes) // 3)
    learned = min(rows, len(codes) - judged)
    drawn = train_test_split(range(len(codes)), train_size=learned, test_size=judged, random_state=SEED, stratify=codes)
    return sorted(drawn[0]), sorted(drawn[1])
