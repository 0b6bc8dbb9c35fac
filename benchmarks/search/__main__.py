"""autoft beside its peers on the same data, minutes and cores.

    BENCH_DATA=... PYTHONPATH=benchmarks python -m search measure [one-source free-choice hundred-seconds few-shot free-choice-peers]
    PYTHONPATH=benchmarks python -m search tables

`measure` appends a JSON line for each run as it ends; what the file holds already is not measured again, so that it can be stopped and
started at any time. A run that fails leaves no line, and the next go tries it again. `tables` prints what is there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from common import once

from search.measuring import CommandError
from search.plan import FEW_STEPS, LIKE_SETFIT, PARTS, USUAL, Plan, like_setfit
from search.sets import Split, split_of
from search.systems import Job, measure
from search.tables import tables

HERE = Path(__file__).parent
ROWS = HERE / "rows.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(prog="search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure", help="measure what is missing")
    measuring.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; unasked all but the last")
    measuring.add_argument("--data", nargs="+", default=(), metavar="NAME", help="these sets alone")
    measuring.add_argument("--seeds", type=int, help="else as many as the aims ask for")
    measuring.add_argument("--budget", type=float, default=300.0, help="seconds")
    measuring.add_argument("--sample", type=int, help="so many rows of each file alone, to see that all works")
    showing = commands.add_parser("tables", help="print the tables")
    for command in (measuring, showing):
        command.add_argument("--file", type=Path, default=ROWS)
    options = parser.parse_args()
    if options.command == "tables":
        sys.stdout.write(tables(options.file, HERE / "peers.csv"))
        return
    if options.sample and options.file == ROWS:
        parser.error("--sample is for trying things out: give a --file of its own")
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    jobs = list(Plan(options.parts or USUAL, options.data, options.seeds, options.budget).jobs())
    failed = [job.name for job in jobs if not told(job, options.file, options.sample)]
    if failed:
        sys.exit(f"{len(failed)} of {len(jobs)} failed: {'; '.join(failed)}")


def told(job: Job, file: Path, sample: int | None) -> bool:
    """Measure a job unless its row is there, and say what came of it; whether it succeeded."""
    try:
        row = row_of(job, file, sample)
    except CommandError as error:
        sys.stdout.write(f"{job.name}: failed: {error}\n")
        return False
    cost = f"in {row['wall']:.0f} s, {row['core_seconds']:.0f} core-seconds, busy {row['busy']:.2f}"
    sys.stdout.write(f"{job.name}: accuracy {row['accuracy']:.4f} macro-F1 {row['f1_macro']:.4f} {cost}\n")
    sys.stdout.flush()
    return True


def row_of(job: Job, file: Path, sample: int | None) -> dict[str, Any]:
    """The row of a job. Raises CommandError."""
    split = split_of(job.data, job.seed, sample)

    def measured() -> dict[str, Any]:
        asked = job
        if job.setting == LIKE_SETFIT:
            beside = row_of(replace(job, system="setfit", setting=FEW_STEPS), file, sample)
            asked = replace(job, setting=like_setfit(beside["wall"]))
        with tempfile.TemporaryDirectory() as folder:
            return {"asked": asked.setting, **measure(asked, split, Path(folder))}

    return once(file, key_of(job, split), measured)


def key_of(job: Job, split: Split) -> dict[str, Any]:
    """What a row is known by."""
    return {**asdict(job), "sha256": split.sha256}


if __name__ == "__main__":
    main()
