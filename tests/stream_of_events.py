"""A run as its events tell it, for the tests of all that listen."""

from __future__ import annotations

import json
from pathlib import Path

from autoft.interfaces.events import Event, Remark, RunFinished, RunStarted, StageStarted, TrialFinished, TrialReported, TrialStarted

T0 = 1_800_000_000.0
POINT = {"learning_rate": 1.2e-4, "batch_size": 16, "epochs": 3, "warmup_ratio": 0.1, "weight_decay": 0.01}
RESULT = {
    "schema": 1,
    "run_id": "reviews-1",
    "status": "done",
    "task": "text-classification",
    "columns": {"text": "review", "label": "stars"},
    "classes": ["negative", "positive"],
    "metric": "f1_macro",
    "seed": 7,
    "budget": 240.0,
    "seconds": 231.5,
    "baseline": {"candidate": "linear", "validation": {"f1_macro": 0.80}, "test": {"f1_macro": 0.79, "accuracy": 0.8}},
    "best": {
        "candidate": "full:all-mpnet-base-v2",
        "trial": 3,
        "hyperparameters": POINT,
        "validation": {"f1_macro": 0.91, "accuracy": 0.92},
        "test": {"f1_macro": 0.90, "accuracy": 0.91},
    },
    "interval": {
        "winner": {"value": 0.90, "low": 0.85, "high": 0.94},
        "baseline": {"value": 0.79, "low": 0.72, "high": 0.85},
        "lead": {"value": 0.11, "low": 0.05, "high": 0.17},
    },
    "trials": 4,
    "confirmed": {"folds": 3},
    "refit": True,
    "rows": {"train": 400, "validation": 100, "test": 100},
    "bundle": "bundle",
    "verified": {"passed": True, "max_difference": 6e-7, "tolerance": 1e-4, "combinations": 15, "rows": 100, "changed_labels": 0},
    "verdict": "full:all-mpnet-base-v2 beats the baseline linear by 0.110 (0.050 to 0.170): more than chance explains.",
}


def finished(trial: int, candidate: str, value: float | None, *, status: str = "done", at: float = 0.0, **more: object) -> TrialFinished:
    fields = {"progress": 100, "seconds": 12.3, "hyperparameters": POINT, "metrics": {} if value is None else {"f1_macro": value}, **more}
    return TrialFinished.model_validate(
        {"trial": trial, "candidate": candidate, "status": status, "value": value, "time": T0 + at, **fields}
    )


def events(folder: Path, *, time: float = T0) -> list[Event]:
    """Four trials: one linear, one best, one stopped, one failed. Writes the run.json that comes before the first event."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {"schema": 1, "settings": {"seed": 7}, "problem": {"metric": {"name": "f1_macro", "greater_is_better": True}}}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    mpnet, mini = "full:all-mpnet-base-v2", "full:all-MiniLM-L6-v2"
    found: list[Event] = [
        RunStarted(
            run_id="reviews-1",
            folder=str(folder),
            data="reviews.csv",
            task="text-classification",
            candidates=(mpnet, mini),
            budget=240.0,
            metric="f1_macro",
        ),
        Remark(text="text is read from review, the label from stars"),
        StageStarted(stage="baselines"),
        TrialStarted(trial=1, candidate="linear", hyperparameters={"C": 1.0}, stage="baselines"),
        finished(1, "linear", 0.80, at=4, stage="baselines", hyperparameters={"C": 1.0}),
        StageStarted(stage="search"),
        TrialStarted(trial=2, candidate=mini, hyperparameters=POINT),
        TrialStarted(trial=3, candidate=mpnet, hyperparameters=POINT),
        TrialReported(trial=2, progress=33, metrics={"f1_macro": 0.70}, measures={"train_loss": 0.6}),
        TrialReported(trial=3, progress=50, metrics={"f1_macro": 0.88}, measures={"train_loss": 0.4}),
        finished(2, mini, 0.70, status="stopped", at=20, progress=33, reason="stopped by the scheduler"),
        finished(3, mpnet, 0.91, at=80),
        Remark(level="warning", text="trial 4 is the last one"),
        TrialStarted(trial=4, candidate=mini, hyperparameters=POINT),
        finished(4, mini, None, status="failed", at=90, progress=0, reason="TrialError: out of memory"),
        StageStarted(stage="export and proof", note=mpnet),
        RunFinished(run_id="reviews-1", status="done", result=RESULT),
    ]
    return [event.model_copy(update={"time": time + 5 * i}) for i, event in enumerate(found)]
