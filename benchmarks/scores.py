"""Test scores of whole runs: `autoft run TRAIN --test TEST --budget B`, several seeds, one JSON line each, appended to a file.

    BENCH_DATA=... python benchmarks/scores.py product_reviews --models all-MiniLM-L6-v2 --budget 5m --seeds 3
    BENCH_DATA=... python benchmarks/scores.py banking77 --rows 3000 --models all-MiniLM-L6-v2

DATA is a data set of the folder (DATA.train.csv or .jsonl, DATA.test...), or an example of autoft (`ratings`, `digests`): of those, a fixed
fifth is the test file. `--rows` draws so many rows of the training file, always the same. A row that the file holds already is not
measured again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from common import figures, once, over_seeds, parts


def measure(key: dict) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        train, test = parts(key["data"], Path(scratch), key["only"])
        command = [sys.executable, "-m", "autoft", "run", str(train), "--test", str(test), "--json", "--output", f"{scratch}/out"]
        command += ["--budget", key["budget"], "--seed", str(key["seed"])]
        if key["models"]:
            command += ["--models", key["models"]]
        started = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - started
    result = json.loads(done.stdout)
    kept = ("task", "metric", "baseline", "best", "confirmed", "refit", "trials", "rows", "utilisation", "verified", "verdict")
    return {"wall": seconds, **{name: result[name] for name in kept}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--models", default="", help="empty: free choice among the sources at hand")
    parser.add_argument("--budget", default="5m")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "scores.jsonl")
    options = parser.parse_args()
    for name in options.data:
        found = []
        for seed in range(options.seeds):
            key = {"data": name, "only": options.rows, "models": options.models, "budget": options.budget, "seed": seed}
            row = once(options.file, key, partial(measure, key))
            found.append(row)
            sys.stdout.write(
                f"{name} seed {seed}: {row['best']['candidate']} {figures(row['best']['test'])}; {row['baseline']['candidate']} "
                f"{figures(row['baseline']['test'])}; in {row['wall']:.0f} s, busy {row['utilisation']['share']:.2f}\n"
            )
        for who, metric in itertools.product(("best", "baseline"), found[0]["best"]["test"]):
            sys.stdout.write(f"{name} {who} {metric}: {over_seeds([row[who]['test'][metric] for row in found])}\n")


if __name__ == "__main__":
    main()
