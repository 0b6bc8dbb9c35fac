"""How often threads should look before they sleep while they wait, alone and where two processes share the processors; in turns.

    python benchmarks/waiting.py [--rounds 3]

A trial of a MiniLM-sized BERT of random weights with all cores, alone and beside another such: OpenMP's own way of waiting against what a
run sets on a busy and on an idle machine (`autoft.hardware.wait_briefly`). Real tokens a second between a trial's first and last report,
the mean of those side by side.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean

from common import over_seeds
from gpu_trial import fit
from random_bert import SMALL, make_source

from autoft.hardware import cores

SHAPE = replace(SMALL, rows=192, epochs=6, batch=16)
"""Batches as small as the default of `full`: the shorter the products, the more of the time is waiting."""
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
OWN = "as OpenMP has it"
WAYS: dict[str, dict[str, str]] = {OWN: {}, "1,000 looks": {"GOMP_SPINCOUNT": "1000"}, "5,000 looks": {"GOMP_SPINCOUNT": "5000"}}


def child() -> None:
    """One trial, in this process."""
    with tempfile.TemporaryDirectory() as name:
        timed = fit(make_source(Path(name) / "source", SHAPE), SHAPE, 0, 0, cores(), Path(name))
    sys.stdout.write(f"\n{timed.loop_tokens / timed.loop_seconds}\n")


def measured(variables: dict[str, str], beside: int) -> float:
    """Tokens a second of each of `beside` trials that begin together."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, __file__, "--child"]
    trials = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**kept, **variables}) for _ in range(beside)]
    said = [trial.communicate()[0] for trial in trials]
    if any(trial.returncode for trial in trials):
        sys.exit("a trial failed")
    return mean(float(one.split()[-1]) for one in said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return
    for beside in (1, 2):
        ratios: dict[str, list[float]] = {way: [] for way in WAYS if way != OWN}
        for _ in range(options.rounds):
            found = {way: measured(variables, beside) for way, variables in WAYS.items()}
            told = ", ".join(f"{way} {speed:,.0f}" for way, speed in found.items())
            sys.stdout.write(f"{beside} at a time: tokens a second each, {told}\n")
            sys.stdout.flush()
            for way, seen in ratios.items():
                seen.append(found[way] / found[OWN])
        for way, seen in ratios.items():
            sys.stdout.write(f"{beside} at a time, {way} / {OWN}: {over_seeds(seen)}\n")


if __name__ == "__main__":
    main()
