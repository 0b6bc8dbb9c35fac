"""What the benchmarks share: the data folder, real sources, and the tutorial recipe they are held against."""

from __future__ import annotations

import csv
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def data_folder() -> Path:
    """The folder of data sets, given by BENCH_DATA."""
    folder = os.environ.get("BENCH_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("BENCH_DATA must name the folder of benchmark data (product_reviews.train.csv, emotion.train.csv, ...)")
    return Path(folder)


def read(name: str) -> tuple[list[str], list[str]]:
    """Texts and labels of one file of the data folder."""
    with (data_folder() / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    text, label = (next(n for n in names if n in rows[0]) for names in (("text", "review"), ("label", "category")))
    return [row[text] for row in rows], [row[label] for row in rows]


def parts(name: str, folder: Path) -> tuple[Path, Path]:
    """Training and test file of a data set of the data folder, or of an example of autoft, split into `folder`."""
    from autoft import examples

    if name not in examples.EXAMPLES:
        train = next(iter(data_folder().glob(f"{name}.train.*")), None)
        if train is None:
            sys.exit(f"there is no {name}.train.csv or .jsonl in {data_folder()}, and no example of that name")
        return train, train.with_name(train.name.replace(".train.", ".test."))
    with examples.write(name, folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    found = folder / f"{name}.train.csv", folder / f"{name}.test.csv"
    for path, chosen in zip(found, ([r for i, r in enumerate(rows) if i % 5], rows[::5]), strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *chosen])
    return found


def drawn(many: int, rows: int) -> list[int]:
    """`rows` row numbers of `many`, the same ones each time, ascending."""
    return sorted(random.Random(0).sample(range(many), rows))


def source(name: str):
    """A pretrained source, fetched if need be."""
    from autoft import sources
    from autoft.catalog import Catalog

    return sources.resolve(name, Catalog.build().sources, offline=False)


def real_tokens(folder: Path, texts: list[str], limit: int = 128) -> int:
    """Tokens without padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))


def tutorial(
    folder: Path, train: tuple[list[str], list[str]], test: tuple[list[str], list[str]], seed: int, epochs: int = 3
) -> dict[str, float]:
    """The recipe of the tutorials: Trainer, fp32, padded to 128, learning rate 3e-5, batch 16. Seconds are those of `train()`."""
    import torch
    from sklearn.metrics import accuracy_score, f1_score
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed, utils

    utils.logging.set_verbosity_error()
    utils.logging.disable_progress_bar()
    set_seed(seed)
    labels = sorted(set(train[1]))
    tokenizer = AutoTokenizer.from_pretrained(folder)

    class Rows(torch.utils.data.Dataset):
        def __init__(self, texts: list[str], names: list[str]) -> None:
            self.encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=128, return_tensors="pt")
            self.labels = torch.tensor([labels.index(name) for name in names])

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
            return {**{k: v[i] for k, v in self.encoded.items()}, "labels": self.labels[i]}

    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            scratch, num_train_epochs=epochs, per_device_train_batch_size=16, learning_rate=3e-5, seed=seed, use_cpu=True,
            save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(model, arguments, train_dataset=Rows(*train))
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        predicted = trainer.predict(Rows(*test)).predictions.argmax(1)
    truth = np.array([labels.index(name) for name in test[1]])
    return {
        "seconds": seconds,
        "accuracy": float(accuracy_score(truth, predicted)),
        "f1_macro": float(f1_score(truth, predicted, average="macro")),
    }
