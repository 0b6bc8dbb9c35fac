"""One trial of MiniLM-L6 on 500 product reviews against the tutorial recipe and against Trainer with its best flags, with the same threads;
and as many trials side by side as there are threads, one each; all in one run.

    BENCH_DATA=... python benchmarks/trial_speed.py [--seeds 3] [--threads 2]

Prints real tokens a second (padding is not counted), the ratios, and the test scores. Three epochs each; nothing is evaluated on the way.
The best flags: padding to the longest row of a batch, rows of like length together, bfloat16, the fused AdamW, and the learning rate,
batch, warm-up and decay of autoft's trial.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from common import over_seeds, real_tokens, scored, source, understood
from tutorial import BATCH, LENGTH, tutorial

from autoft.catalog import Catalog
from autoft.hardware import limits
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.source import Source
from autoft.interfaces.space import Hyperparameters
from autoft.steps.understand import Understood
from autoft.trial import run_trial

Figures = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """The data as a run sees it, and what every system has in common. Processes of their own make one of their own."""

    catalog: Catalog
    data: Understood
    source: Source
    threads: int
    epochs: int

    @classmethod
    def of(cls, threads: int, epochs: int) -> Bench:
        catalog = Catalog.build()
        with tempfile.TemporaryDirectory() as scratch:
            return cls(catalog, understood("product_reviews", Path(scratch), 0, catalog), source("all-MiniLM-L6-v2"), threads, epochs)

    def candidate(self) -> Candidate:
        """`full` on the source."""
        model = self.catalog.model("full")
        return model.candidates(self.data.problem, [self.source], limits(None), self.data.rows.take(self.data.learnable))[0]

    def chosen(self) -> Hyperparameters:
        """The defaults."""
        space = self.catalog.model("full").space(self.candidate(), self.data.problem, len(self.data.learnable))
        return {**space.default, "epochs": self.epochs}


def trial(bench: Bench, seed: int, rows: int | None = None) -> Figures:
    """One of autoft's."""
    data, model = bench.data, bench.catalog.model("full")
    with tempfile.TemporaryDirectory() as scratch:
        none = np.empty(0, dtype=np.int64)
        learned = FitData(data.problem, data.rows, data.targets, data.learnable[:rows], none, Path(scratch))
        spec = TrialSpec(1, bench.candidate(), bench.chosen(), seed, bench.threads)
        outcome = run_trial(spec, learned, model, data.task, Path(scratch) / "trial")
        if outcome.fitted is None:
            sys.exit(f"the trial failed: {outcome.reason}")
        return {"seconds": outcome.seconds, **scored(data, outcome.fitted.outputs(data.rows.take(data.splits.test)))}


def recipe(bench: Bench, seed: int) -> Figures:
    """The tutorials'."""
    import torch

    torch.set_num_threads(bench.threads)
    data = bench.data
    rows, asked = (data.rows.take(part) for part in (data.learnable, data.splits.test))
    made = tutorial(bench.source.folder, data.problem, rows, data.targets[data.learnable], asked, seed, epochs=bench.epochs)
    return {"seconds": made.training, **scored(data, made.outputs)}


def best_flags(bench: Bench, seed: int) -> Figures:
    """transformers' Trainer as fast as its arguments make it."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    torch.set_num_threads(bench.threads)
    data, chosen = bench.data, bench.chosen()
    tokenizer = AutoTokenizer.from_pretrained(bench.source.folder)

    def encoded(part: np.ndarray) -> Dataset:
        tokens = tokenizer(list(data.rows.take(part)["text"]), truncation=True, max_length=LENGTH, padding=False)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        return Dataset.from_dict({**tokens, "labels": data.targets[part].tolist(), "length": lengths})

    set_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        bench.source.folder, num_labels=data.problem.head.outputs, dtype=torch.float32
    )
    with tempfile.TemporaryDirectory() as scratch:
        arguments = partial(
            TrainingArguments, scratch, seed=seed, use_cpu=True, bf16=True, save_strategy="no", logging_strategy="no", report_to="none",
            disable_tqdm=True,
        )  # fmt: skip
        learning = arguments(
            train_sampling_strategy="group_by_length", length_column_name="length", per_device_train_batch_size=chosen["batch_size"],
            num_train_epochs=bench.epochs, learning_rate=chosen["learning_rate"], warmup_steps=chosen["warmup"],
            weight_decay=chosen["weight_decay"], optim="adamw_torch_fused",
        )  # fmt: skip
        trainer = Trainer(model, learning, train_dataset=encoded(data.learnable), data_collator=DataCollatorWithPadding(tokenizer))
        seconds = trainer.train().metrics["train_runtime"]
        # Its own predict would answer in the order of lengths.
        asking = Trainer(model, arguments(per_device_eval_batch_size=BATCH), data_collator=DataCollatorWithPadding(tokenizer))
        logits = asking.predict(encoded(data.splits.test)).predictions
    return {"seconds": seconds, **scored(data, {"logits": logits})}


def side_by_side(bench: Bench, seed: int) -> Figures:
    """One trial a thread, each in a process of its own: the seconds in which as many tokens are learned as one trial has."""
    with ProcessPoolExecutor(bench.threads, multiprocessing.get_context("spawn")) as pool:
        made = list(pool.map(_alone, [bench.epochs] * bench.threads, [seed * bench.threads + one for one in range(bench.threads)]))
    return {name: float(np.mean([one[name] for one in made])) / (bench.threads if name == "seconds" else 1) for name in made[0]}


def _alone(epochs: int, seed: int) -> Figures:
    bench = Bench.of(1, epochs)
    trial(bench, seed, 64)
    return trial(bench, seed)


SYSTEMS: dict[str, Callable[[Bench, int], Figures]] = {
    "autoft": trial,
    "autoft side by side": side_by_side,
    "trainer, best flags": best_flags,
    "tutorial": recipe,
}
RATIOS = (("autoft", "tutorial"), ("autoft side by side", "tutorial"), ("autoft", "trainer, best flags"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    bench = Bench.of(options.threads, options.epochs)
    tokens = real_tokens(bench.source.folder, list(bench.data.rows.take(bench.data.learnable)["text"])) * options.epochs
    trial(bench, 0, 64)
    found: dict[str, list[Figures]] = {name: [] for name in SYSTEMS}
    for seed in range(options.seeds):
        for name, system in SYSTEMS.items():
            row = system(bench, seed)
            found[name].append(row)
            sys.stdout.write(json.dumps({"seed": seed, "system": name, "tokens_per_second": tokens / row["seconds"], **row}) + "\n")
            sys.stdout.flush()
    for ours, theirs in RATIOS:
        ratios = [their["seconds"] / our["seconds"] for our, their in zip(found[ours], found[theirs], strict=True)]
        sys.stdout.write(f"real tokens a second, {ours} / {theirs}: {over_seeds(ratios)}\n")


if __name__ == "__main__":
    main()
