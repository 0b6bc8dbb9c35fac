"""The recipe of the tutorials, for any task of one or two texts: transformers' Trainer in fp32, every row padded to 128 tokens, learning
rate 3e-5 falling to 0, batches of 16, 3 epochs.

Pairs go through the tokenizer together; words are learned and answered at their first tokens, and what is cut off is answered with O.
Outputs have the form that the tasks of autoft take, so that both are decided and scored alike.
"""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Problem
from autoft_plugins.tasks.entities import TAGS

LENGTH, BATCH, RATE, EPOCHS = 128, 16, 3e-5, 3
KINDS = ("single_label_classification", "multi_label_classification", "regression", TAGS)
"""The kinds of heads it learns."""
TIMED = 8
"""Steps by which the pace is told, the first of them left out."""
IGNORED = -100


@dataclass(frozen=True)
class Tutored:
    """`outputs` of the rows asked about. `seconds` count from the start to the end of learning, `training` those of `train()` within,
    `asking` the answers, which come after. Of a trimmed recipe the first two are what the padded steps take, by their pace, and `spared`
    is what they would have taken more."""

    outputs: Arrays
    epochs: float
    seconds: float
    training: float
    asking: float
    spared: float = 0.0


def tutorial(
    folder: Path,
    problem: Problem,
    rows: Table,
    targets: npt.NDArray[Any],
    asked: Table,
    seed: int,
    *,
    epochs: int = EPOCHS,
    budget: float | None = None,
    trim: bool = False,
) -> Tutored:
    """Learn from `rows` and `targets` as the problem's task gives them, starting at the weights in `folder`, and answer `asked`.

    Within `budget` seconds: where the epochs do not fit, a few steps are timed, and as many are made as do, at a learning rate that still
    ends at 0. With `trim` their number and time are those of padded steps, but they are made, and the rows answered, without what is
    padding for all rows of a batch: most of the time goes into it, and it changes no answer, as a test holds.
    """
    started = time.perf_counter()
    from transformers import AutoTokenizer, utils

    utils.logging.set_verbosity_error()
    utils.logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    data = _labelled(tokenizer, problem, rows, targets)
    each = math.ceil(len(rows) / BATCH)
    steps = epochs * each
    with tempfile.TemporaryDirectory() as scratch:
        before, pace = time.perf_counter() - started, 0.0
        if budget is not None or trim:
            pace = _pace(folder, problem, data, scratch)
        if budget is not None:
            spent = before if trim else time.perf_counter() - started
            steps = max(1, min(steps, int((budget - spent) / pace)))
        trainer = _trainer(folder, problem, data, seed, steps, scratch, trim=trim)
        begun = time.perf_counter()
        trainer.train()
        ended = time.perf_counter()
        encoding = _encoded(tokenizer, problem, asked)
        logits = trainer.predict(_Rows(encoding)).predictions
    asking = time.perf_counter() - ended
    outputs = _of_words(logits, encoding, asked) if problem.head.kind == TAGS else {"logits": logits}
    if trim:
        return Tutored(outputs, steps / each, before + steps * pace, steps * pace, asking, steps * pace - (ended - begun))
    return Tutored(outputs, steps / each, ended - started, ended - begun, asking)


class _Rows:
    """What a torch data loader takes: the tensors of each row."""

    def __init__(self, encoding: Any, **further: Any) -> None:
        self._tensors = {**encoding, **further}

    def __len__(self) -> int:
        return len(self._tensors["input_ids"])

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: tensor[row] for name, tensor in self._tensors.items()}


def _encoded(tokenizer: Any, problem: Problem, rows: Table) -> Any:
    """A transformers BatchEncoding of tensors (rows, LENGTH)."""
    words = problem.head.kind == TAGS
    sides = [_words(rows)] if words else [list(rows[role]) for role in problem.inputs]
    return tokenizer(*sides, is_split_into_words=words, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")


def _words(rows: Table) -> list[list[str]]:
    return [[text[start:end] for start, end in places] for text, places in zip(rows["text"], rows["words"], strict=True)]


def _labelled(tokenizer: Any, problem: Problem, rows: Table, targets: npt.NDArray[Any]) -> _Rows:
    import torch

    encoding = _encoded(tokenizer, problem, rows)
    if problem.head.kind == TAGS:
        words = _begun(encoding)
        codes = np.take_along_axis(targets, np.maximum(words, 0), axis=1)
        return _Rows(encoding, labels=torch.from_numpy(np.where(words < 0, IGNORED, codes).astype(np.int64)))
    kind = np.int64 if problem.head.kind == "single_label_classification" else np.float32
    return _Rows(encoding, labels=torch.from_numpy(targets.astype(kind)))


def _begun(encoding: Any) -> npt.NDArray[np.int64]:
    """The word that begins at each token, -1 where none does: (rows, LENGTH)."""
    rows = range(len(encoding["input_ids"]))
    words = np.array([[-1 if word is None else word for word in encoding.word_ids(row)] for row in rows], np.int64)
    before = np.pad(words[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    return np.where(words != before, words, -1)


def _of_words(logits: npt.NDArray[Any], encoding: Any, rows: Table) -> Arrays:
    """`logits` (rows, most words, tags) at the first tokens of the words, zeros behind the last word of a row."""
    counts = np.array([len(places) for places in rows["words"]])
    made = np.zeros((len(rows), int(counts.max(initial=0)), logits.shape[2]), np.float32)
    made[np.arange(made.shape[1]) < counts[:, None], 0] = 1.0  # O, where no token says otherwise
    words = _begun(encoding)
    row, token = np.nonzero(words >= 0)
    made[row, words[row, token]] = logits[row, token]
    return {"logits": made}


def _trainer(folder: Path, problem: Problem, data: _Rows, seed: int, steps: int, scratch: str, *, trim: bool = False) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, Trainer, TrainingArguments, set_seed
    from transformers.trainer_callback import PrinterCallback

    set_seed(seed)
    kind, outputs = problem.head.kind, problem.head.outputs
    if kind == TAGS:
        model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=outputs, dtype=torch.float32)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=outputs, problem_type=kind, dtype=torch.float32)
    arguments = TrainingArguments(
        scratch, max_steps=steps, per_device_train_batch_size=BATCH, learning_rate=RATE, seed=seed, use_cpu=True,
        save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=data, data_collator=trimmed if trim else None)
    trainer.remove_callback(PrinterCallback)
    return trainer


def trimmed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch without the places behind its longest row. What has a value a place is (rows, places) and of whole numbers."""
    import torch

    batch = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    longest = int(batch["attention_mask"].sum(1).max())
    whole = {name for name, values in batch.items() if values.ndim < 2 or values.is_floating_point()}
    return {name: values if name in whole else values[:, :longest].contiguous() for name, values in batch.items()}


def _pace(folder: Path, problem: Problem, data: _Rows, scratch: str) -> float:
    """Seconds a step, by a model that is then thrown away."""
    from transformers import TrainerCallback

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    trainer = _trainer(folder, problem, data, 0, TIMED, scratch)
    trainer.add_callback(Clock())
    trainer.train()
    return float(np.median(np.diff(ends)))
