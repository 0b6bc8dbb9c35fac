"""How much of a GPU a trial uses: a BERT-base-sized one alone, and small ones side by side. Random weights, made-up texts, no Ray.

    python benchmarks/gpu_trial.py                  # where a GPU is at hand
    python benchmarks/gpu_trial.py --tiny --cpu     # seconds, on processors: shows that it works, its figures mean nothing

Alone: floating-point operations of real tokens (padding is not counted) over the peak of products of square matrices, measured in the same
go; both as a run's own `utilisation` counts them. In the loop: from the trial's first report to its last, so without imports, tokenising
and loading; the whole: `run_trial` from end to end.

Side by side: small trials in processes of their own that begin together; the share of time in which the GPU computed, as its driver tells
(`nvidia-smi`), or on processors the core-seconds over all there are.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from random_bert import BASE, LONGEST, SMALL, TINY, Shape, lengths_of, make_source, table_of

from autoft.hardware import cores
from autoft.interfaces.source import Source
from autoft_autotune.resources import TRIALS_PER_GPU

SAMPLE_SECONDS = 0.25
LONGEST_WAIT = 900.0
"""Seconds until a process that does not answer counts as failed."""


@dataclass(frozen=True)
class Timed:
    """Real tokens, operations and seconds of a trial; those with `loop` lie between its first and its last report."""

    tokens: float
    operations: float
    seconds: float
    loop_tokens: float
    loop_operations: float
    loop_seconds: float


def fit(source: Source, shape: Shape, seed: int, gpus: float, threads: int, folder: Path) -> Timed:
    """One trial by `run_trial`. Exits where it fails."""
    from autoft.interfaces.events import TrialReported
    from autoft.interfaces.model import Candidate, Decision, FitData, TrialSpec
    from autoft.trial import run_trial
    from autoft_plugins.models.full import Full
    from autoft_plugins.models.transformer.anatomy import anatomy
    from autoft_plugins.tasks import TASKS

    lengths, table = lengths_of(shape), table_of(shape)
    task, model = next(task for task in TASKS if task.name == "text-classification"), Full()
    match = task.match(table, {"text": ("text",), "label": ("label",)})
    problem = task.problem(table, match, metric=None, seed=seed).model_copy(update={"max_length": LONGEST})
    candidate = Candidate(model.name, source)
    chosen = {**model.space(candidate, problem, len(table)).default, "batch_size": shape.batch, "epochs": shape.epochs, "frozen_share": 0.0}
    nobody = np.empty(0, dtype=np.int64)
    data = FitData(problem, task.inputs(problem, table), task.targets(problem, table), np.arange(len(table)), nobody, folder)
    reports: list[tuple[float, int]] = []

    def listen(event: TrialReported) -> Decision:
        # The loss was read just now, so all that was asked of a GPU until here is done.
        reports.append((time.perf_counter(), event.progress))
        return "go"

    outcome = run_trial(TrialSpec(1, candidate, chosen, seed, threads, gpus), data, model, task, folder / "trial", listen=listen)
    if outcome.status != "done" or len(reports) < 2:
        sys.exit(f"the trial failed: {outcome.reason or f'{len(reports)} reports'}")
    tokens = float(lengths.sum()) * shape.epochs
    operations = 3 * float(anatomy(source).forward_flops(lengths, first_only=True).sum()) * shape.epochs
    share = (reports[-1][1] - reports[0][1]) / 100
    return Timed(tokens, operations, outcome.seconds, tokens * share, operations * share, reports[-1][0] - reports[0][0])


def alone(shape: Shape, gpu: bool) -> dict[str, Any]:
    """One trial with the whole machine, held against the peak. A short one comes first, for what is paid once a process."""
    from autoft_plugins.models.transformer.precision import peak_flops

    most = peak_flops(cores(), float(gpu))
    with tempfile.TemporaryDirectory() as scratch:
        source = make_source(Path(scratch) / "source", shape)
        fit(source, replace(shape, rows=2 * shape.batch, epochs=2), 0, float(gpu), cores(), Path(scratch) / "first")
        timed = fit(source, shape, 0, float(gpu), cores(), Path(scratch) / "timed")
    return {
        "what": "alone",
        "shape": asdict(shape),
        "peak": most,
        "tokens_per_second": timed.loop_tokens / timed.loop_seconds,
        "share_of_peak": timed.loop_operations / timed.loop_seconds / most,
        "whole_tokens_per_second": timed.tokens / timed.seconds,
        "whole_share_of_peak": timed.operations / timed.seconds / most,
    }


def _side(source: Source, shape: Shape, number: int, gpus: float, threads: int, folder: Path, gate: Any, results: Any) -> None:
    """A process of its own: imports and warms up, waits for the others, runs its trial."""
    import torch

    torch.set_num_threads(threads)
    fit(source, replace(shape, rows=2 * shape.batch, epochs=2), number, gpus, threads, folder / "first")
    gate.wait(LONGEST_WAIT)
    began, busy = time.time(), time.process_time()
    timed = fit(source, shape, number, gpus, threads, folder / "timed")
    results.put((began, time.time(), time.process_time() - busy, timed.tokens))


def side_by_side(shape: Shape, gpu: bool, many: int) -> dict[str, Any]:
    """`many` trials at once; busy from the last beginning to the first end, tokens a second over all the time."""
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(many + 1), context.Queue()
    threads = max(1, cores() // many)
    with tempfile.TemporaryDirectory() as scratch:
        source = make_source(Path(scratch) / "source", shape)
        share = 1 / many if gpu else 0.0
        sides = [
            context.Process(target=_side, args=(source, shape, number, share, threads, Path(scratch) / str(number), gate, results))
            for number in range(many)
        ]
        for side in sides:
            side.start()
        gate.wait(LONGEST_WAIT)
        samples: list[tuple[float, float]] = []
        while all(side.is_alive() for side in sides) and results.empty():
            time.sleep(SAMPLE_SECONDS)
            if gpu:
                samples.append((time.time(), computing()))
        found = [results.get(timeout=LONGEST_WAIT) for _ in sides]
        for side in sides:
            side.join()
    begins, ends, busy, tokens = zip(*found, strict=True)
    wall = max(ends) - min(begins)
    together = [share for moment, share in samples if max(begins) + 1 <= moment <= min(ends)]
    return {
        "what": "side by side",
        "shape": asdict(shape),
        "trials": many,
        "tokens_per_second": sum(tokens) / wall,
        "busy": mean(together) if gpu else sum(busy) / wall / cores(),
    }


def computing() -> float:
    """The share of the driver's last sample period in which the GPU ran a kernel."""
    import torch

    device = f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}"
    command = ["nvidia-smi", device, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="toy sizes")
    parser.add_argument("--cpu", action="store_true", help="on processors")
    parser.add_argument("--side-by-side", type=int, default=TRIALS_PER_GPU, metavar="N")
    parser.add_argument("--batch", type=int, help="rows a batch of the trial alone")
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "gpu_trial.jsonl")
    options = parser.parse_args()
    import torch

    gpu = not options.cpu
    if gpu and not torch.cuda.is_available():
        sys.exit("torch finds no GPU; --cpu runs on processors")
    large, small = (TINY, TINY) if options.tiny else (BASE, SMALL)
    large = replace(large, batch=options.batch or large.batch)
    device = torch.cuda.get_device_name() if gpu else f"{cores()} cores"
    first = alone(large, gpu)
    told(options.file, {"device": device, **first})
    sys.stdout.write(
        f"{large.name} alone: {first['tokens_per_second']:,.0f} real tokens a second in the loop, {first['share_of_peak']:.1%} of the "
        f"{first['peak'] / 1e12:.3g} TFLOP/s measured; {first['whole_share_of_peak']:.1%} over the whole trial\n"
    )
    second = side_by_side(small, gpu, options.side_by_side)
    told(options.file, {"device": device, **second})
    sys.stdout.write(
        f"{small.name}, {options.side_by_side} side by side: {second['tokens_per_second']:,.0f} real tokens a second in all, "
        f"busy {second['busy']:.0%} of the time\n"
    )


def told(file: Path, row: dict[str, Any]) -> None:
    """Append a row."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
