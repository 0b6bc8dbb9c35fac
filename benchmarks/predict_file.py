"""`autoft predict --input` on a file of many rows, against bare onnxruntime over the same rows in length order.

    python benchmarks/predict_file.py BUNDLE FILE [--rows 100000] [--runs 3]

FILE is a CSV file with the model's columns; its rows are repeated until there are enough. Bare means: the rows are in memory, sorted by
length, in batches of the bundle's own size, encoded by its own encoder and run by one session of onnxruntime: a batch after the other
with all processors, or one thread each and as many batches side by side as processors, whichever is faster. Nothing is decoded or written
there, and nothing started. Both are measured in turn; medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import onnxruntime

from autoft.data.table import Table
from autoft.loading import load_predictor
from autoft.runtime.predictor import Predictor
from autoft.runtime.session import available_cores


def repeated(source: Path, rows: int, target: Path) -> list[dict[str, str]]:
    """The first `rows` rows of the file said over and over, as a list and in `target`."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        known = list(csv.DictReader(file))
    if not known:
        sys.exit(f"{source} holds no rows")
    wanted = list(itertools.islice(itertools.cycle(known), rows))
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(known[0]))
        writer.writeheader()
        writer.writerows(wanted)
    return wanted


def bare(predictor: Predictor, table: Table, threads: int, at_once: int) -> float:
    """Seconds of encoder and graph alone, batches of like length."""
    manifest = predictor.bundle.manifest
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    served = manifest.formats[manifest.exporter].files if manifest.formats else manifest.files
    graph = next(name for name in served if name.endswith(".onnx"))
    session = onnxruntime.InferenceSession(str(predictor.bundle.folder / graph), options, providers=["CPUExecutionProvider"])
    known = {one.name for one in session.get_inputs()}

    def answered(numbers: Sequence[int]) -> None:
        encoded = predictor.encoding.encode(table.take(numbers))
        session.run(None, {name: value for name, value in encoded.arrays.items() if name in known})

    sizes = table.sizes()
    order = sorted(range(len(table)), key=sizes.__getitem__)
    batches = [order[begin : begin + predictor.batch] for begin in range(0, len(order), predictor.batch)]
    answered(batches[-1])
    started = time.perf_counter()
    if at_once == 1:
        for numbers in batches:
            answered(numbers)
    else:
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(answered, batches))
    return time.perf_counter() - started


def predict(bundle: Path, source: Path, target: Path) -> float:
    """Seconds of the command, start and all."""
    command = [sys.executable, "-m", "autoft", "predict", str(bundle), "--input", str(source), "--output", str(target)]
    started = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    predictor, cores = load_predictor(options.bundle, threads=1), available_cores()
    figures: dict[str, list[float]] = {"autoft predict --input": [], "bare, one batch at a time": [], "bare, a batch a processor": []}
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "rows.csv"
        rows: list[dict[str, Any]] = list(repeated(options.file, options.rows, source))
        table = predictor.read(rows)
        for turn in range(options.runs):
            measured = [
                predict(options.bundle, source, Path(scratch) / f"answers-{turn}.csv"),
                bare(predictor, table, cores, 1),
                bare(predictor, table, 1, cores),
            ]
            for name, seconds in zip(figures, measured, strict=True):
                figures[name].append(options.rows / seconds)
    for name, values in figures.items():
        sys.stdout.write(f"{name}: {median(values):,.0f} rows a second, {min(values):,.0f} to {max(values):,.0f}\n")
    own, *others = (median(values) for values in figures.values())
    sys.stdout.write(f"autoft / the faster of bare: {own / max(others):.2f}\n")


if __name__ == "__main__":
    main()
