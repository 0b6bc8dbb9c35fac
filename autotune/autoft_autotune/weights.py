"""At most the best few trials keep their weights on disk."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

KEEP = 3


def prune_weights(trials: Path, keys: Mapping[int, float | None], keep: int = KEEP) -> list[int]:
    """Delete `trials/N/model` of all finished trials but the `keep` best, and what interrupted writes left.

    `keys` maps the number of each finished trial to its best score, greater is better, None where it has none; other trials' folders
    are left alone. Of equal scores the earlier trial stays. Returns the numbers of the trials that keep their weights, best first.
    """
    scored = sorted((-key, number) for number, key in keys.items() if key is not None)
    kept = [number for _, number in scored[:keep]]
    for number in keys:
        folder = trials / str(number)
        shutil.rmtree(folder / "model.new", ignore_errors=True)
        if number not in kept:
            shutil.rmtree(folder / "model", ignore_errors=True)
    return kept
