"""The recipe of the tutorials (`benchmarks/tutorial.py`) on two CSV files, in a process of its own so that its imports count.

    python tutorial_child.py TRAIN TEST SOURCE SEED SECONDS

SECONDS bound the learning. Leaves answer.json in the current folder: the figures of the test rows, the epochs that fitted, and the seconds
that were spared by leaving the padding out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from common import scored, source
from tutorial import tutorial

from autoft.catalog import Catalog
from autoft.settings import Settings
from autoft.steps.understand import understand


def main() -> None:
    train, test, name, seed, seconds = sys.argv[1:]
    data = understand(Settings(data=Path(train), test=Path(test), seed=int(seed)), Catalog.build())
    rows, asked = (data.rows.take(part) for part in (data.learnable, data.splits.test))
    targets = data.targets[data.learnable]
    made = tutorial(source(name).folder, data.problem, rows, targets, asked, int(seed), budget=float(seconds), trim=True)
    answer = {**scored(data, made.outputs), "epochs": made.epochs, "training_seconds": made.training, "spared": made.spared}
    Path("answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
