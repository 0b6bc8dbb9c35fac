"""From rows to comparisons: each system on each set over its seeds, and how far autoft is ahead of the best peer."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from search.plan import SOURCE
from search.sets import FEW

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A system on a data set: its rows, one a seed. `published` rows were measured before, once, without a seed."""

    data: str
    system: str
    source: str
    setting: str
    rows: tuple[Row, ...]
    published: bool = False

    def values(self, name: str) -> list[float]:
        return [float(row[name]) for row in self.rows if row.get(name) is not None]

    @property
    def f1(self) -> float:
        return mean(self.values("f1_macro"))


@dataclass(frozen=True)
class Lead:
    """autoft's mean macro-F1 less that of the best peer; `noise` is two standard errors of it, None where that cannot be told."""

    ours: Entry
    peer: Entry
    difference: float
    noise: float | None

    @property
    def below(self) -> bool:
        """Worse by more than the noise."""
        return self.difference < -(self.noise or 0.0)


def read_rows(path: Path) -> list[Row]:
    """The lines of a file of rows; none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def entries(rows: Iterable[Row]) -> list[Entry]:
    """Rows by set, system, source and setting. Where a set's files have changed, the last ones count."""
    latest: dict[tuple[str, int], str] = {}
    grouped: dict[tuple[str, str, str, str], dict[int, Row]] = {}
    for row in rows:
        latest[row["data"], row["seed"]] = row["sha256"]
        grouped.setdefault((row["data"], row["system"], row["source"], row["setting"]), {})[row["seed"]] = row
    found = []
    for key, by_seed in grouped.items():
        valid = tuple(row for seed, row in sorted(by_seed.items()) if row["sha256"] == latest[row["data"], seed])
        found += [Entry(*key, valid)] if valid else []
    return found


def published(path: Path) -> list[Entry]:
    """What peers.csv holds: rows that came to a score."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(line for line in file if not line.startswith("#"))
        found = []
        for line in lines:
            if line["f1_macro"]:
                row = {"accuracy": line["accuracy"], "f1_macro": line["f1_macro"], "wall": line["seconds"]}
                name = line["data"].replace(f" {FEW} rows a class", f"-{FEW}")
                found.append(Entry(name, line["system"], SOURCE, line["setting"], (row,), published=True))
    return found


def leads(ours: Iterable[Entry], peers: Sequence[Entry]) -> list[Lead]:
    """Of each of our entries over the best peer on the same set; sets without a peer are left out."""
    found = []
    for entry in ours:
        rivals = [peer for peer in peers if peer.data == entry.data]
        if rivals:
            best = max(rivals, key=lambda peer: peer.f1)
            found.append(Lead(entry, best, entry.f1 - best.f1, noise(entry, best)))
    return found


def noise(ours: Entry, peer: Entry) -> float | None:
    """Two standard errors of the difference of means.

    Seed by seed where both have the same two or more, since they share rows drawn by the seed; else from both spreads. The spread of what
    was measured once is not known, and is taken to be ours.
    """
    own, theirs = ({row.get("seed"): float(row["f1_macro"]) for row in entry.rows} for entry in (ours, peer))
    shared = [own[seed] - theirs[seed] for seed in own if seed in theirs]
    if len(shared) >= 2 and len(shared) == len(own) == len(theirs):
        return 2 * stdev(shared) / math.sqrt(len(shared))
    if len(own) < 2:
        return None
    ours_variance = stdev(own.values()) ** 2
    peer_variance = stdev(theirs.values()) ** 2 if len(theirs) > 1 else ours_variance
    return 2 * math.sqrt(ours_variance / len(own) + peer_variance / len(theirs))
