"""SetFit (Tunstall et al., 2022) on two CSV files, run by the interpreter of its own environment: imports nothing of autoft.

    python setfit_child.py TRAIN TEST SOURCE SEED STEPS

STEPS as `max_steps`, or `default:N`: what the library does unasked (one epoch over all pairs), but N steps at most. Leaves answer.json in
the current folder: the answers to the test rows and the steps made.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections import Counter

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
from transformers import set_seed

BATCH = 16
"""The library's default."""


def rows(path: str) -> tuple[list[str], list[str]]:
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123
        pairs = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return [text for text, _ in pairs], [label for _, label in pairs]


def default_steps(labels: list[str]) -> int:
    """Of one epoch: as many equal pairs as unequal ones, all of the larger kind; a row makes an equal pair with itself, too."""
    counts, many = Counter(labels).values(), len(labels)
    equal = sum(count * (count + 1) // 2 for count in counts)
    return math.ceil(2 * max(equal, many * (many + 1) // 2 - equal) / BATCH)


def main() -> None:
    train, test, source, seed, asked = sys.argv[1:]
    texts, labels = rows(train)
    names = sorted(set(labels))
    steps = min(default_steps(labels), int(asked.removeprefix("default:"))) if asked.startswith("default:") else int(asked)
    set_seed(int(seed))
    model = SetFitModel.from_pretrained(source, local_files_only=True)
    quiet = {"report_to": "none", "save_strategy": "no", "show_progress_bar": False}
    arguments = TrainingArguments(output_dir="checkpoints", batch_size=BATCH, max_steps=steps, seed=int(seed), **quiet)
    data = Dataset.from_dict({"text": texts, "label": [names.index(label) for label in labels]})
    trainer = Trainer(model=model, args=arguments, train_dataset=data)
    trainer.train()
    answers = [names[int(code)] for code in model.predict(rows(test)[0], show_progress_bar=False)]
    with open("answer.json", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump({"answers": answers, "steps": steps}, file)


if __name__ == "__main__":
    main()
