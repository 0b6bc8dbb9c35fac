"""The formats of one fine-tuned model a data set: what rounding costs on validation and on test rows, sizes, and with `--speed` how long
one text and many texts take, beside PyTorch on the same weights. A JSON line each, appended to a file; one that is there is not measured
again.

    BENCH_DATA=... python benchmarks/formats.py emotion product_reviews banking77 bbc_news reuters_r8 movie_reviews
    BENCH_DATA=... python benchmarks/formats.py product_reviews --speed

The model is that of one trial with the default hyperparameters, refitted, as `autoft run --trials 1` leaves it. The gate is asked what each
format would lose; the test file is asked afterwards, and no choice hangs on it. Times are taken in turns, a round of all systems after
another; those of many texts count the tokenizer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import once
from environments import home
from search.sets import split_of

from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.loading import load_predictor

FORMATS = ("onnx-int8", "onnx-int8-static", "openvino")
ROUNDS, MANY = 200, 2000
BATCHES = (8, 16, 32, 64)


def learned(name: str, source: str) -> Path:
    """The run on a data set, made unless it is there, with every format in its bundle."""
    split, folder = split_of(name, 0), home() / "formats" / f"{name}-{source}"
    if not (folder / "result.json").exists():
        command = ["run", str(split.train), "--test", str(split.test), "--models", f"full:{source}", "--trials", "1"]
        _autoft(*command, "--concurrency", "1", "--output", str(folder))
    _autoft("export", str(folder), "--to", ",".join(FORMATS), "--max-loss", "100")
    return folder


def _autoft(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "autoft", *arguments], check=True, stdout=subprocess.DEVNULL)


def judged(key: dict[str, Any]) -> dict[str, Any]:
    """What the gate and the test file say of each format."""
    folder = learned(key["data"], key["source"])
    manifest = json.loads((folder / "bundle" / "autoft.json").read_text(encoding="utf-8"))
    test, found = read_test(key["data"]), {}
    for name, one in manifest["formats"].items():
        predictor = load_predictor(folder / "bundle", threads=1, at_once=2, exporter=name)
        answers = predictor.predict([{"text": text} for text in test["text"]])
        labels = [answer["label"] for answer in answers]
        found[name] = {
            "bytes": one["bytes"],
            "loss": one["loss"],
            "agreement": one["proof"]["agreement"],
            "max_difference": one["proof"]["max_difference"],
            "test": {"accuracy": float(np.mean(np.array(labels) == np.array(test["label"]))), "f1_macro": _f1(test["label"], labels)},
        }
    return {"formats": found}


def read_test(name: str) -> Table:
    from autoft.catalog import Catalog

    return read_table(split_of(name, 0).test, list(Catalog.build(kinds=("readers",)).readers.values()))


def _f1(truth: Any, given: list[str]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(list(truth), given, average="macro"))


def timed(key: dict[str, Any]) -> dict[str, Any]:
    """Medians of one text of 16 tokens (all threads), and the seconds of many texts (the best settings of each)."""
    folder, threads = learned(key["data"], key["source"]), key["threads"]
    test = read_test(key["data"])
    texts = [str(text) for text in test["text"]][:MANY]
    torch_model = _Torch(folder / "model", threads)
    short = _of_tokens(torch_model.tokenizer, texts, 16)
    names = list(json.loads((folder / "bundle" / "autoft.json").read_text(encoding="utf-8"))["formats"])
    one = {name: load_predictor(folder / "bundle", threads=threads, exporter=name) for name in names}
    many = {name: load_predictor(folder / "bundle", threads=1, at_once=threads, exporter=name) for name in names}
    asked: dict[str, Callable[[], Any]] = {name: partial(predictor.outputs, Table({"text": [short]})) for name, predictor in one.items()}
    asked["torch"] = partial(torch_model.answer, [short], 1, "float32")
    single = _in_turns(asked, ROUNDS)
    sweeps: dict[str, Callable[[], Any]] = {name: partial(predictor.outputs, Table({"text": texts})) for name, predictor in many.items()}
    for batch in BATCHES:
        for kind in ("autocast", "bfloat16"):
            sweeps[f"torch {kind} {batch}"] = partial(torch_model.answer, texts, batch, kind)
    whole = _in_turns(sweeps, 3)
    return {
        "one_ms": {name: 1000 * median(taken) for name, taken in single.items()},
        "one_p95_ms": {name: 1000 * float(np.percentile(taken, 95)) for name, taken in single.items()},
        "many_seconds": {name: min(taken) for name, taken in whole.items()},
        "texts": len(texts),
    }


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--source", default="all-MiniLM-L6-v2")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "formats.jsonl")
    options = parser.parse_args()
    for name in options.data:
        key = {"data": name, "source": options.source, "what": "speed" if options.speed else "judged"}
        if options.speed:
            key["threads"] = options.threads
        row = once(options.file, key, partial(timed if options.speed else judged, key))
        (_tell_times if options.speed else _tell_figures)(row)


def _tell_figures(row: dict[str, Any]) -> None:
    for name, one in row["formats"].items():
        loss = one["loss"]
        gate = "" if loss is None else f"; gate {loss['points']:.2f} points on {loss['rows']} rows ({loss['weights']})"
        test = " ".join(f"{metric} {value:.4f}" for metric, value in one["test"].items())
        sys.stdout.write(f"{row['data']} {name}: {one['bytes'] / 1e6:.1f} MB, test {test}, agreement {one['agreement']:.4f}{gate}\n")


def _tell_times(row: dict[str, Any]) -> None:
    for name, taken in row["one_ms"].items():
        ratio = row["one_ms"]["torch"] / taken
        sys.stdout.write(f"{row['data']} one text, {name}: {taken:.2f} ms (p95 {row['one_p95_ms'][name]:.2f}), {ratio:.2f} times torch\n")
    best = min(value for name, value in row["many_seconds"].items() if name.startswith("torch"))
    for name, taken in row["many_seconds"].items():
        sys.stdout.write(f"{row['data']} {row['texts']} texts, {name}: {taken:.2f} s, {best / taken:.2f} times the best of torch\n")


if __name__ == "__main__":
    main()
