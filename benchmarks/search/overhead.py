"""What the search itself costs: a run of trials that learn nothing (`idle_plugin.py`), time and memory at each of `SHARES` of the trials.

    PYTHONPATH=benchmarks python -m search.overhead --trials 1000

Times are wall seconds since the command; memory is resident, of the run's own process and of all that it started (pages that they share
count in each). What a trial costs is the difference between two counts of trials over the trials between: in wall time, with as many side
by side as there are cores, in processor time of the run's own process, which other load disturbs less, and in its memory. Where one of
them grows from line to line, the search does not scale. `--trials` may name several counts: a run for each.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from search.measuring import clean_environment

PLUGIN = Path(__file__).parent / "idle_plugin.py"
ROWS = 200
POLL_SECONDS = 0.2
SHARES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Mark:
    """The state when so many trials of the search had ended: seconds since the command, the run's own processor seconds, bytes."""

    trials: int
    seconds: float
    own_cpu_seconds: float
    own_bytes: int
    all_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1000])
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "overhead.jsonl")
    options = parser.parse_args()
    if min(options.trials) < 10:
        parser.error("--trials: at least 10")
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as folder:
            marks, whole, lines = run(trials, [round(share * trials) for share in SHARES], Path(folder))
        with options.file.open("a", encoding="utf-8") as file:
            row = {"trials": trials, "marks": [asdict(mark) for mark in marks], "seconds": whole, "lines": lines}
            file.write(json.dumps(row) + "\n")
        sys.stdout.write(table(marks))
        sys.stdout.write(f"\nthe whole run of {trials}: {whole:.1f} s, {lines} lines on a screen that is no terminal\n\n")


def run(trials: int, counts: Sequence[int], folder: Path) -> tuple[list[Mark], float, int]:
    """The marks at `counts`, the seconds of the whole run, and the lines it said."""
    write_rows(folder / "data.csv")
    command = [sys.executable, "-m", "autoft", "run", "data.csv", "--plugin", str(PLUGIN), "--models", "idle"]
    command += ["--trials", str(trials), "--output", "out", "--offline"]
    started = time.perf_counter()
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder, env=clean_environment(folder))
        marks = list(watch(psutil.Process(process.pid), folder / "out" / "events.jsonl", counts, started))
        code = process.wait()
    words = (folder / "said").read_text(encoding="utf-8", errors="replace")
    ended = marks[-1].trials if marks else 0
    if code or ended < trials:
        sys.exit(f"the run failed (exit code {code}, {ended} of {trials} trials seen):\n{words[-2000:]}")
    return marks, time.perf_counter() - started, len(words.splitlines())


def watch(process: psutil.Process, events: Path, counts: Sequence[int], started: float) -> Iterator[Mark]:
    """A mark whenever a count is reached, until the last one is or the process has ended."""
    waiting, ended, place = list(counts), 0, 0
    while waiting and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(POLL_SECONDS)
        if events.exists():
            more, place = ended_trials(events, place)
            ended += more
        if waiting and ended >= waiting[0]:
            cpu = process.cpu_times()
            yield Mark(ended, time.perf_counter() - started, cpu.user + cpu.system, *memory(process))
            waiting = [count for count in waiting if count > ended]


def ended_trials(events: Path, place: int) -> tuple[int, int]:
    """How many trials of the search ended in the whole lines behind `place`, and where the next begins."""
    with events.open("rb") as file:
        file.seek(place)
        lines = [line for line in file if line.endswith(b"\n")]
    found = [json.loads(line) for line in lines]
    ended = sum(event["event"] == "trial_finished" and event["stage"] == "search" for event in found)
    return ended, place + sum(map(len, lines))


def memory(process: psutil.Process) -> tuple[int, int]:
    """Resident bytes of a process, and with those of its descendants."""
    own = resident(process)
    return own, own + sum(map(resident, process.children(recursive=True)))


def resident(process: psutil.Process) -> int:
    """0 for one that has ended meanwhile."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def write_rows(path: Path) -> None:
    """Two classes that the baseline can tell apart."""
    rows = [(f"{'good' if number % 2 else 'bad'} thing number {number}", "yes" if number % 2 else "no") for number in range(ROWS)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def table(marks: Sequence[Mark]) -> str:
    """As markdown; what a trial costs is of those since the line above, and of the first ones cannot be told from the start of the run."""
    lines = [
        "| trials | wall seconds | own memory, MB | all processes, MB | a trial: seconds | own processor, ms | own memory, kB |",
        "|---|---|---|---|---|---|---|",
    ]
    for before, mark in zip([None, *marks], marks, strict=False):
        lines.append(
            f"| {mark.trials} | {mark.seconds:.1f} | {mark.own_bytes / 1e6:.0f} | {mark.all_bytes / 1e6:.0f} | {a_trial(before, mark)} |"
        )
    return "\n".join(lines) + "\n"


def a_trial(before: Mark | None, mark: Mark) -> str:
    """Three cells."""
    if before is None:
        return "- | - | -"
    many = mark.trials - before.trials
    wall, cpu = (mark.seconds - before.seconds) / many, (mark.own_cpu_seconds - before.own_cpu_seconds) / many
    return f"{wall:.3f} | {1e3 * cpu:.0f} | {(mark.own_bytes - before.own_bytes) / 1e3 / many:.0f}"


if __name__ == "__main__":
    main()
