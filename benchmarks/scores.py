"""Test scores of whole runs: `autoft run TRAIN --test TEST --budget B`, several seeds, one JSON line each, appended to a file.

    BENCH_DATA=... python benchmarks/scores.py product_reviews --models all-MiniLM-L6-v2 --budget 5m --seeds 3

A row that the file holds already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev

from common import data_folder


def measure(name: str, models: str, budget: str, seed: int) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "autoft", "run", str(data_folder() / f"{name}.train.csv")]
        command += ["--test", str(data_folder() / f"{name}.test.csv"), "--budget", budget, "--seed", str(seed), "--json"]
        command += ["--output", f"{scratch}/out"]
        if models:
            command += ["--models", models]
        started = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - started
    result = json.loads(done.stdout)
    kept = ("baseline", "best", "confirmed", "refit", "trials", "seconds", "utilisation", "verdict")
    return {"data": name, "models": models, "budget": budget, "seed": seed, "wall": seconds, **{key: result[key] for key in kept}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--models", default="", help="empty: free choice among the sources at hand")
    parser.add_argument("--budget", default="5m")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "scores.jsonl")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.file.read_text().splitlines()] if options.file.exists() else []
    for name in options.data:
        found = []
        for seed in range(options.seeds):
            key = {"data": name, "models": options.models, "budget": options.budget, "seed": seed}
            row = next((r for r in rows if key.items() <= r.items()), None)
            if row is None:
                row = measure(name, options.models, options.budget, seed)
                with options.file.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            found.append(row)
            test = row["best"]["test"]
            sys.stdout.write(
                f"{name} seed {seed}: {row['best']['candidate']} accuracy {test['accuracy']:.4f} f1_macro {test['f1_macro']:.4f} "
                f"in {row['wall']:.0f} s, busy {row['utilisation']['share']:.2f}\n"
            )
        for metric in ("accuracy", "f1_macro"):
            values = [row["best"]["test"][metric] for row in found]
            spread = stdev(values) if len(values) > 1 else 0.0
            sys.stdout.write(f"{name} {metric}: {mean(values):.4f} +- {spread:.4f} over {len(values)} seeds\n")


if __name__ == "__main__":
    main()
