"""What an earlier run on like data is worth to the next one (`--like`): one JSON line a data set and seed, appended to a file. A row that
the file holds already is not measured again.

    BENCH_DATA=... python benchmarks/earlier.py emotion product_reviews movie_reviews --seeds 2

The training rows are dealt into two halves, by the seed and stratified: the earlier run learns from one, and the later one from the other,
with the points of the earlier one and without, in turns of who is first. All have the same budget, and one source; the test file is looked
at once by each of the later two.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from common import once, over_seeds
from search.sets import split_of
from sklearn.model_selection import train_test_split

METRIC = "f1_macro"


def halves(train: Path, seed: int, folder: Path) -> list[Path]:
    """Two files of the rows of one."""
    with train.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    label = header.index("label")
    parted = train_test_split(rows, train_size=len(rows) // 2, random_state=seed, stratify=[row[label] for row in rows])
    found = [folder / "earlier.csv", folder / "later.csv"]
    for path, part in zip(found, parted, strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *part])
    return found


def run(train: Path, test: Path, out: Path, key: dict[str, Any], *further: str) -> dict[str, Any]:
    """result.json of one run."""
    command = [sys.executable, "-m", "autoft", "run", str(train), "--test", str(test), "--output", str(out), "--offline"]
    command += ["--budget", key["budget"], "--seed", str(key["seed"]), "--models", key["models"], *further]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    result: dict[str, Any] = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return result


def measure(key: dict[str, Any]) -> dict[str, Any]:
    """The row of a data set and seed: of each of the later runs the test figure, the validation figure, who won, and the trials."""
    test = split_of(key["data"], 0).test
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        before, now = halves(split_of(key["data"], 0).train, key["seed"], folder)
        run(before, test, folder / "before", key)
        ways = {"plain": (), "like": ("--like", str(folder / "before"))}
        order = list(ways) if key["seed"] % 2 == 0 else list(reversed(ways))
        results = {way: run(now, test, folder / way, key, *ways[way]) for way in order}
    return {
        way: {
            "test": result["best"]["test"][METRIC],
            "validation": result["best"]["validation"][METRIC],
            "candidate": result["best"]["candidate"],
            "trials": result["trials"],
            "seconds": result["seconds"],
        }
        for way, result in results.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--models", default="all-MiniLM-L6-v2")
    parser.add_argument("--budget", default="100s")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "earlier.jsonl")
    options = parser.parse_args()
    gains = []
    for name in options.data:
        for seed in range(options.seeds):
            key = {"data": name, "models": options.models, "budget": options.budget, "seed": seed}
            row = once(options.file, key, partial(measure, key))
            gains.append(100 * (row["like"]["test"] - row["plain"]["test"]))
            said = "; ".join(
                f"{way} {row[way]['test']:.4f}, {row[way]['candidate']}, {row[way]['trials']} trials" for way in ("plain", "like")
            )
            sys.stdout.write(f"{name} seed {seed}: {said}\n")
            sys.stdout.flush()
    sys.stdout.write(f"points gained: {over_seeds(gains)}\n")


if __name__ == "__main__":
    main()
