"""The formats of one fine-tuned model a data set: what rounding costs on validation and on test rows, sizes, and how far probabilities can
be taken at their word before and after calibration; with `--trimmed` the same of a vocabulary cut to the data's tokens, in 8 bits and
tables in 4; with `--speed` how long one text and many texts take, beside PyTorch on the same weights. A JSON line each, appended to a file;
one that is there is not measured again.

    BENCH_DATA=... python benchmarks/formats.py emotion product_reviews banking77 bbc_news reuters_r8 movie_reviews
    BENCH_DATA=... python benchmarks/formats.py product_reviews --trimmed
    BENCH_DATA=... python benchmarks/formats.py product_reviews --speed

The model is that of one trial with the default hyperparameters, refitted, as `autoft run --named-only --trials 1` leaves it within four
minutes. The gate is asked what each format would lose; the test file is asked afterwards, and no choice hangs on it. Times are taken in
turns, a round of all systems after another; those of many texts count the tokenizer.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from common import once
from environments import home
from search.sets import split_of

from autoft.calibration import certainty, error
from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.loading import load_predictor
from autoft.runtime.predictor import Predictor
from autoft_plugins.tasks.metrics import accuracy, f1_macro

FORMATS = ("onnx-int8", "onnx-int8-small", "onnx-int8-static", "openvino")
BUDGET = "4m"
TURNS, WARMING, ROUNDS = 3, 20, 100
MANY, SOME = 2000, 400
BATCHES = (8, 16, 32, 64)
"""Of PyTorch's loop; the best one on some of the texts is measured on all."""


def learned(name: str, source: str) -> Path:
    """The run on a data set, made unless it is there, with every format in its bundle."""
    split, folder = split_of(name, 0), home() / "formats" / f"{name}-{source}"
    if not (folder / "result.json").exists():
        command = ["run", str(split.train), "--test", str(split.test), "--models", f"full:{source}", "--named-only", "--trials", "1"]
        command += ["--budget", BUDGET]
        _autoft(*command, "--concurrency", "1", "--output", str(folder))
    _autoft("export", str(folder), "--to", ",".join(FORMATS), "--max-loss", "100")
    return folder


def _autoft(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "autoft", *arguments], check=True, stdout=subprocess.DEVNULL)


def judged(key: dict[str, Any]) -> dict[str, Any]:
    """What the gate and the test file say of each format, and how far the probabilities of the first one are off."""
    folder = learned(key["data"], key["source"])
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    test, predictor = read_test(key["data"]), load_predictor(folder / "bundle", threads=1, at_once=2, exporter="onnx")
    served, codes = _asked(predictor, test)
    temperature = result["calibration"]["temperature"] or 1.0
    off = {name: error(*certainty(served * scale, codes, "softmax")) for name, scale in (("before", temperature), ("after", 1.0))}
    return {"formats": _told(folder / "bundle", test), "temperature": temperature, "test_calibration_error": off}


def trimmed(key: dict[str, Any]) -> dict[str, Any]:
    """The same of a copy of the run whose vocabulary is cut, in 8 bits and tables in 4."""
    whole = learned(key["data"], key["source"])
    folder = whole.with_name(f"{whole.name}-trimmed")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    command = [sys.executable, "-m", "autoft", "export", str(folder), "--to", "onnx-int8-small", "--trim-vocabulary"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"formats": {}, "refused": done.stderr.strip()}
    record = json.loads((folder / "bundle" / "autoft.json").read_text(encoding="utf-8"))["trimmed"]
    return {"formats": _told(folder / "bundle", read_test(key["data"])), "trimmed": record}


def _told(bundle: Path, test: Table) -> dict[str, Any]:
    """Of each format of a bundle."""
    manifest = json.loads((bundle / "autoft.json").read_text(encoding="utf-8"))
    found = {}
    for name, one in manifest["formats"].items():
        logits, codes = _asked(load_predictor(bundle, threads=1, at_once=2, exporter=name), test)
        given = logits.argmax(axis=1)
        found[name] = {
            "bytes": one["bytes"],
            "loss": one["loss"],
            "agreement": one["proof"]["agreement"],
            "max_difference": one["proof"]["max_difference"],
            "test": {"accuracy": accuracy(codes, given), "f1_macro": f1_macro(codes, given, logits.shape[1])},
        }
    return found


def _asked(predictor: Predictor, test: Table) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Logits (rows, classes), and the classes that are right."""
    places = {name: place for place, name in enumerate(predictor.problem.labels)}
    logits = predictor.outputs(Table({"text": test["text"]}))["logits"]
    return np.asarray(logits, np.float64), np.array([places[str(label)] for label in test["label"]])


def read_test(name: str) -> Table:
    from autoft.catalog import Catalog

    return read_table(split_of(name, 0).test, list(Catalog.build(kinds=("readers",)).readers.values()))


def timed(key: dict[str, Any]) -> dict[str, Any]:
    """Medians of one text of 16 tokens (all threads), and the seconds of many texts (a batch a processor at a time; PyTorch with the batch
    that suits it best)."""
    folder, threads = learned(key["data"], key["source"]), key["threads"]
    test = read_test(key["data"])
    texts = [str(text) for text in test["text"]][:MANY]
    torch_model = _Torch(folder / "model", threads)
    short = _of_tokens(torch_model.tokenizer, texts, 16)
    names = list(json.loads((folder / "bundle" / "autoft.json").read_text(encoding="utf-8"))["formats"])
    single: dict[str, list[float]] = {}
    for _ in range(TURNS):
        for name in names:  # one is open at a time: its threads look for work while the others are measured
            predictor = load_predictor(folder / "bundle", threads=threads, exporter=name)
            single.setdefault(name, []).extend(_repeated(partial(predictor.outputs, Table({"text": [short]}))))
            del predictor
        single.setdefault("torch", []).extend(_repeated(partial(torch_model.answer, [short], 1, "float32")))
    many = {name: load_predictor(folder / "bundle", threads=1, at_once=threads, exporter=name) for name in names}
    sweeps: dict[str, Callable[[], Any]] = {name: partial(predictor.outputs, Table({"text": texts})) for name, predictor in many.items()}
    for kind in ("autocast", "bfloat16"):
        tried = {batch: partial(torch_model.answer, texts[:SOME], batch, kind) for batch in BATCHES}
        seconds = {batch: min(taken) for batch, taken in _in_turns(tried, 2).items()}
        best = min(seconds, key=seconds.__getitem__)
        sweeps[f"torch {kind} {best}"] = partial(torch_model.answer, texts, best, kind)
    whole = _in_turns(sweeps, 3)
    return {
        "one_ms": {name: 1000 * median(taken) for name, taken in single.items()},
        "one_p95_ms": {name: 1000 * float(np.percentile(taken, 95)) for name, taken in single.items()},
        "many_seconds": {name: min(taken) for name, taken in whole.items()},
        "texts": len(texts),
    }


def _repeated(ask: Callable[[], Any]) -> list[float]:
    """Seconds of each of `ROUNDS`, after some that do not count."""
    taken = []
    for _ in range(WARMING + ROUNDS):
        begun = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - begun)
    return taken[WARMING:]


def _in_turns(asked: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    for ask in asked.values():
        ask()
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, ask in asked.items():
            begun = time.perf_counter()
            ask()
            taken[name].append(time.perf_counter() - begun)
    return taken


def _of_tokens(tokenizer: Any, texts: list[str], many: int) -> str:
    """A text of the data cut to so many tokens, specials counted."""
    for text in sorted(texts, key=len):
        words = text.split()
        for end in range(1, len(words) + 1):
            if len(tokenizer(" ".join(words[:end])).input_ids) == many:
                return " ".join(words[:end])
    raise SystemExit(f"no text has {many} tokens")


class _Torch:
    """The strongest loop we know: in the order of length, batches padded to their longest, no gradients."""

    def __init__(self, folder: Path, threads: int) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, utils

        utils.logging.set_verbosity_error()
        utils.logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self.tokenizer = AutoTokenizer.from_pretrained(folder.parent / "bundle")
        kinds = {"float32": torch.float32, "autocast": torch.float32, "bfloat16": torch.bfloat16}
        load = AutoModelForSequenceClassification.from_pretrained
        self.models = {kind: load(folder, dtype=dtype).eval() for kind, dtype in kinds.items()}

    def answer(self, texts: list[str], batch: int, kind: str) -> Any:
        """Logits (texts, classes), in order."""
        import torch

        order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
        found: list[Any] = [None] * len(texts)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                inputs = self.tokenizer([texts[row] for row in rows], padding=True, truncation=True, return_tensors="pt")
                for row, logits in zip(rows, self.models[kind](**inputs).logits.float(), strict=True):
                    found[row] = logits
        return torch.stack(found)


MEASURES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"judged": judged, "trimmed": trimmed, "speed": timed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--source", default="all-MiniLM-L6-v2")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--speed", dest="what", action="store_const", const="speed", default="judged")
    what.add_argument("--trimmed", dest="what", action="store_const", const="trimmed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "formats.jsonl")
    options = parser.parse_args()
    for name in options.data:
        key = {"data": name, "source": options.source, "what": options.what}
        if options.what == "speed":
            key["threads"] = options.threads
        row = once(options.file, key, partial(MEASURES[options.what], key))
        (_tell_times if options.what == "speed" else _tell_figures)(row)
        sys.stdout.flush()


def _tell_figures(row: dict[str, Any]) -> None:
    for name, one in row["formats"].items():
        loss = one["loss"]
        gate = "" if loss is None else f"; gate {loss['points']:.2f} points on {loss['rows']} rows ({loss['weights']})"
        test = " ".join(f"{metric} {value:.4f}" for metric, value in one["test"].items())
        sys.stdout.write(f"{row['data']} {name}: {one['bytes'] / 1e6:.1f} MB, test {test}, agreement {one['agreement']:.4f}{gate}\n")
    if "refused" in row:
        sys.stdout.write(f"{row['data']}: {row['refused']}\n")
    if "test_calibration_error" in row:
        before, after = (100 * row["test_calibration_error"][name] for name in ("before", "after"))
        sys.stdout.write(f"{row['data']}: calibration error on the test rows {before:.2f} -> {after:.2f} points\n")


def _tell_times(row: dict[str, Any]) -> None:
    for name, taken in row["one_ms"].items():
        ratio = row["one_ms"]["torch"] / taken
        sys.stdout.write(f"{row['data']} one text, {name}: {taken:.2f} ms (p95 {row['one_p95_ms'][name]:.2f}), {ratio:.2f} times torch\n")
    best = min(value for name, value in row["many_seconds"].items() if name.startswith("torch"))
    for name, taken in row["many_seconds"].items():
        sys.stdout.write(f"{row['data']} {row['texts']} texts, {name}: {taken:.2f} s, {best / taken:.2f} times the best of torch\n")


if __name__ == "__main__":
    main()
