"""How long a run takes to end once it is told to: Ctrl-C at a random moment, then export, proof, test and report.

    BENCH_DATA=... python benchmarks/stopping.py product_reviews --models full:all-MiniLM-L6-v2 --times 5
    BENCH_DATA=... python benchmarks/stopping.py product_reviews --models full:all-mpnet-base-v2 --times 3

The moments are drawn between `--from` and `--to` seconds after the start, by a seed that is printed; one JSON line each.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from common import parts

LONGEST = 300.0


def stopped(train: Path, models: str, moment: float) -> dict[str, Any]:
    """One run of the data's own split."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "out")
        command = [sys.executable, "-m", "autoft", "run", str(train), "--models", models, "--budget", "10m", "--output", str(out)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        if process.poll() is not None:
            sys.exit(f"the run ended before it was stopped: exit code {process.returncode}")
        process.send_signal(signal.SIGINT)
        begun = time.perf_counter()
        code = process.wait(LONGEST)
        seconds = time.perf_counter() - begun
        result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    best, verified = result.get("best", {}).get("candidate"), result.get("verified", {}).get("passed")
    return {"moment": moment, "seconds": seconds, "code": code, "status": result["status"], "best": best, "verified": verified}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--models", required=True)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--from", dest="first", type=float, default=20.0)
    parser.add_argument("--to", type=float, default=150.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    draw, found = random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as scratch:
        train, _ = parts(options.data, Path(scratch))
        for _ in range(options.times):
            row = stopped(train, options.models, draw.uniform(options.first, options.to))
            found.append(row["seconds"])
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"{options.models}: median {median(found):.1f} s, longest {max(found):.1f} s, {len(found)} times\n")


if __name__ == "__main__":
    main()
