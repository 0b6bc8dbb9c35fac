"""What several tests use: labelled texts, and the command as a user runs it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD = ["great", "lovely", "perfect", "excellent", "fine", "superb", "wonderful", "solid"]
BAD = ["awful", "broken", "terrible", "useless", "poor", "horrible", "weak", "faulty"]
THINGS = ["camera", "phone", "battery", "screen", "lens", "case", "charger", "speaker", "router", "manual"]


def reviews(rows: int = 120, seed: int = 5) -> list[tuple[str, str]]:
    """Texts that a linear model can learn, with a little noise."""
    generator = random.Random(seed)
    found = []
    for number in range(rows):
        label = "good" if number % 2 else "bad"
        words = GOOD if (label == "good") != (generator.random() < 0.05) else BAD
        found.append(
            (f"the {generator.choice(THINGS)} is {generator.choice(words)} and the {generator.choice(THINGS)} {number} too", label)
        )
    return found


def autoft(*arguments: str | Path, cwd: Path, env: dict[str, str] | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "autoft", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if check and done.returncode != 0:
        pytest.fail(f"autoft {' '.join(map(str, arguments))} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def moved(run: Path, target: Path) -> Path:
    """A copy of a finished run with the folder that it was started in, which is its parent; the run's folder in `target`."""
    shutil.copytree(run.parent, target)
    facts = json.loads((target / run.name / "run.json").read_text())
    (target / run.name / "run.json").write_text(json.dumps({**facts, "directory": str(target)}))
    return target / run.name


def learned(model: Any, **inputs: Any) -> tuple[Any, dict[str, Any]]:
    """The logits of four rows of three classes, and the gradients of a loss of them by name."""
    import torch

    model.zero_grad()
    logits = model(**inputs).logits
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    return logits.detach(), {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


def counted(model: Any, **lengths: int) -> int:
    """What torch counts of a forward pass over one row of so many tokens in each input."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**{name: torch.full((1, length), 5) for name, length in lengths.items()})
    return counter.get_total_flops()
