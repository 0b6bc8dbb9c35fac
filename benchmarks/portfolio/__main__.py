"""First points for `full`, mined from trials on sets that no benchmark judges by.

    PYTHONPATH=benchmarks python -m portfolio measure    # goes on where it was stopped
    PYTHONPATH=benchmarks python -m portfolio mine       # what is there

`measure` tries, on each set of sets.py, the default, points made by hand and some drawn from the source's own search
space, the same ones on all sets: one trial each with one thread, as many side by side as there are processors. A JSON line is appended as
each ends; what the file holds already is not measured again. A trial that fails leaves no line, and the next go tries it again.

`mine` orders the points (mining.py), prints what the order is worth on sets that it was not mined on, and writes it with where it
comes from, what of each point is not the default's alone: these are the first points of the search from then on. Points that look good
are worth measuring with more seeds (`--seed 1 --only default "drawn 6"`): a figure is the mean over those that there are.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from common import code, known, once, rows_of, source

from autoft.catalog import Catalog
from autoft.hardware import cores
from autoft.progress import number
from portfolio.mining import MOST, Measured, left_one_out, made_by_hand, measured, mined_without
from portfolio.sets import LEARNED, SETS, sample
from portfolio.trials import FailedTrialError, Job, begin, jobs_of, tried

HERE = Path(__file__).parent
ROWS = HERE / "portfolio.jsonl"
PORTFOLIO = HERE.parents[1] / "plugins" / "autoft_plugins" / "models" / "transformer" / "portfolio.json"
SOURCE = "all-MiniLM-L6-v2"
DRAWN = 15
COLUMNS = ("mined", "by hand", "random")


def measure(options: argparse.Namespace) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started now
    with tempfile.TemporaryDirectory() as scratch:
        samples = [sample(name, options.rows, Path(scratch)) for name in SETS]
        jobs = list(jobs_of(Catalog.build(), source(options.source), samples, options.points, options.seed))
        jobs = [job for job in jobs if not options.data or job.sample.name in options.data]
        jobs = [job for job in jobs if not options.only or set(options.only) & set(job.points)]
        missing = [job for job in jobs if known(options.file, job.key) is None]
        sys.stdout.write(f"{len(jobs) - len(missing)} of {len(jobs)} trials are measured\n")
        failed = appended(options.file, missing)
    if failed:
        sys.exit(f"{len(failed)} of {len(missing)} failed: {'; '.join(failed)}")


def appended(file: Path, jobs: Sequence[Job]) -> list[str]:
    """Try them side by side and append a row for each as it ends; the names of those that failed."""
    failed, commit = [], code()
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn"), begin) as pool:
        begun = {pool.submit(tried, job): job for job in jobs}
        for ended in as_completed(begun):
            job = begun[ended]
            try:
                found = ended.result()
            except FailedTrialError as error:
                failed.append(job.name)
                told = f"failed: {error}"
            else:
                once(file, job.key, partial(dict, found, code=commit))
                told = f"{found['metric']} {found['best']:.4f}, at the end {found['last']:.4f}, {found['seconds']:.0f} s"
            sys.stdout.write(f"{job.name}: {told}\n")
            sys.stdout.flush()
    return failed


def mine(options: argparse.Namespace) -> None:
    rows = [row for row in rows_of(options.file) if row["source"] == options.source]
    if len({row["set"] for row in rows}) < 2:
        sys.exit(f"{options.file} has no two sets measured with {options.source}: `measure` comes first")
    try:
        found = measured(rows)
    except ValueError as error:
        sys.exit(f"{options.file}: {error}")
    made = portfolio(found, rows)
    options.output.write_text(json.dumps({"source": options.source, **made}, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table(found, made) + f"\nwritten to {options.output}\n")


def portfolio(found: Measured, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The order mined on all sets, what orders are worth on sets left out, and where both come from."""
    order, held = mined_without(found, None), left_one_out(found)
    last = {row["set"]: row for row in rows}
    facts = ("task", "metric", "rows", "sha256")
    return {
        "commit": code(),
        "commits_measured": sorted({row["code"] for row in rows}),
        "rows": len(rows),
        "seeds": sorted({row["seed"] for row in rows}),
        "points": len(found.points),
        "not_on_all_sets": list(found.left_out),
        "sets": {
            name: {fact: last[name][fact] for fact in facts} | dict(zip(("worst", "best"), one.worst_and_best, strict=True))
            for name, one in found.sets.items()
        },
        "portfolio": [{"point": name, "relative": changed(found.points[name], found.points["default"])} for name in order],
        "regret_on_the_sets_mined": over_sets(one.course(order) for one in found.sets.values())[: len(order)],
        "by_hand": made_by_hand(found),
        "left_out": held,
        "regret_left_out": {column: over_sets(one[column] for one in held.values()) for column in COLUMNS},
    }


def changed(terms: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """What of a point is not the default's: the rest is for each space to say."""
    return {name: value for name, value in terms.items() if value != default[name]}


def over_sets(courses: Iterable[Sequence[float]]) -> list[float]:
    """The mean after each trial."""
    return [mean(values) for values in zip(*courses, strict=True)]


def table(found: Measured, made: Mapping[str, Any]) -> str:
    """What `mine` prints."""
    lines = [f"{made['points']} points on {len(found.sets)} sets; regret: 0 is the best point of a set, 1 the worst"]
    if found.left_out:
        lines.append(f"not measured on all sets, left out: {', '.join(found.left_out)}")
    lines += ["", f"{'trials':<8}" + "".join(f"{column:>10}" for column in COLUMNS) + "    mean regret on the set left out"]
    for many, row in enumerate(zip(*(made["regret_left_out"][column] for column in COLUMNS), strict=True), start=1):
        lines.append(f"{many:<8}" + "".join(f"{value:>10.3f}" for value in row))
    lines += ["", f"{'set':<12}" + "".join(f"{column:>10}" for column in COLUMNS) + f"    its regret after {MOST}; mined on the others"]
    for name, one in made["left_out"].items():
        lines.append(f"{name:<12}" + "".join(f"{one[column][-1]:>10.3f}" for column in COLUMNS) + f"    {', '.join(one['order'])}")
    lines += ["", "mined on all sets, with the mean regret after each:"]
    for one, regret in zip(made["portfolio"], made["regret_on_the_sets_mined"], strict=True):
        lines.append(f"  {regret:.3f}  {one['point']}: " + ", ".join(f"{name} {number(value)}" for name, value in one["relative"].items()))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure", help="measure what is missing")
    measuring.add_argument("--data", nargs="+", choices=SETS, metavar="SET", help=f"these sets alone, of {', '.join(SETS)}")
    measuring.add_argument("--only", nargs="+", metavar="POINT", help="these points alone: default, 'hand 1', 'drawn 1', ...")
    measuring.add_argument("--seed", type=int, default=0)
    measuring.add_argument("--points", type=int, default=DRAWN, help="points drawn")
    measuring.add_argument("--rows", type=int, default=LEARNED, help="to learn from, as many to judge by; fewer only to try it out")
    mining = commands.add_parser("mine", help="order the points")
    mining.add_argument("--output", type=Path, default=PORTFOLIO)
    for command in (measuring, mining):
        command.add_argument("--source", default=SOURCE)
        command.add_argument("--file", type=Path, default=ROWS)
    options = parser.parse_args()
    if options.command == "mine":
        mine(options)
        return
    if options.rows != LEARNED and options.file == ROWS:
        parser.error("--rows is for trying things out: give a --file of its own")
    measure(options)


if __name__ == "__main__":
    main()
