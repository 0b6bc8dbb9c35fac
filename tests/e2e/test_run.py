"""From a file to a served bundle, through the command line."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from autoft.history import read_events
from autoft.interfaces.events import EVENTS, Event, Remark, StageStarted, TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.result import Result
from autoft.leaderboard import COLUMNS
from autoft.runtime.bundle import open_bundle
from offline_wandb import check_wandb
from support import autoft, result_of, reviews
from tracked_run import check_json_lines, check_mlflow, check_tensorboard

pytestmark = [pytest.mark.ray, pytest.mark.slow]
TRACKERS = ("jsonl", "tensorboard", "mlflow", "wandb")


def write_csv(path: Path, header: tuple[str, str], rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, bert_tiny: str) -> Path:
    """One run that most tests look at: other column names, a real source, two candidates, every tracker."""
    folder = tmp_path_factory.mktemp("run")
    write_csv(folder / "shop.csv", ("opinion", "mood"), reviews())
    done = autoft(
        "run", "shop.csv", "--models", f"full:{bert_tiny},frozen:{bert_tiny}", "--trials", "4", "--concurrency", "1", "--seed", "7",
        "--output", "out", "--json", *(flag for name in TRACKERS for flag in ("--tracker", name)), cwd=folder, env=trackers_of(folder),
    )  # fmt: skip
    (folder / "said.json").write_text(done.stdout)
    return folder / "out"


def trackers_of(folder: Path) -> dict[str, str]:
    """What tells the trackers to write into this folder and nowhere else."""
    wandb = {name: str(folder / "home" / name.lower()) for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR")}
    mlflow = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_EXPERIMENT_NAME": "shop",
        "AUTOFT_MLFLOW_MODEL": "reviews",
    }
    return {**wandb, **mlflow, "WANDB_MODE": "offline", "WANDB_DIR": str(folder), "AUTOFT_TRACKER_SECONDS": "120"}


@pytest.fixture(scope="module")
def told(finished: Path) -> list[Event]:
    """The run's events: trials with and without steps, none that failed, and no word of a tracker that did not keep up."""
    stream = read_events(finished / "events.jsonl")
    reported = Counter(event.trial for event in stream if isinstance(event, TrialReported))
    ended = {event.trial: event for event in stream if isinstance(event, TrialFinished)}
    assert {one.candidate for one in ended.values()} >= {"linear", "full:bert-tiny", "frozen:bert-tiny"}
    assert any(reported[trial] > 1 and one.candidate == "full:bert-tiny" for trial, one in ended.items())
    assert not [event.text for event in stream if isinstance(event, Remark) and "tracker" in event.text]
    return stream


def test_json_lines_hold_every_trial_step_and_parameter(finished: Path, told: list[Event]) -> None:
    check_json_lines(finished, told)


def test_tensorboard_holds_every_trial_step_and_parameter(finished: Path, told: list[Event]) -> None:
    check_tensorboard(finished, told)


def test_mlflow_holds_every_trial_step_and_parameter(finished: Path, told: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in trackers_of(finished.parent).items():
        monkeypatch.setenv(name, value)
    check_mlflow(finished, told)


def test_wandb_holds_every_trial_step_and_parameter(finished: Path, told: list[Event]) -> None:
    check_wandb(finished.parent / "wandb", finished, told)


def test_trackers_print_nothing(finished: Path) -> None:
    assert json.loads((finished.parent / "said.json").read_text()) == result_of(finished)


def test_leaves_what_the_contract_says(finished: Path) -> None:
    result = Result.model_validate(result_of(finished))
    assert result.status == "done"
    assert result.columns == {"text": "opinion", "label": "mood"}
    assert result.classes == ["bad", "good"]
    assert result.verified.passed
    assert result.verified.max_difference <= 1e-4
    assert result.verified.changed_labels == 0
    assert result.verified.combinations >= 12
    assert result.best.test["accuracy"] > 0.7
    assert set(result.best.validation) >= {"accuracy", "f1_macro"}
    for name in ("run.json", "report.html", "leaderboard.csv", "events.jsonl", "data/splits.npz", "bundle/autoft.json", "bundle/README.md"):
        assert (finished / name).stat().st_size > 0, name
    assert (finished / "bundle" / "onnx" / "model.onnx").exists()
    assert open_bundle(finished / "bundle").manifest.figures["test"] == result.best.test
    config = json.loads((finished / "bundle" / "config.json").read_text())
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert config["architectures"][0] in ("BertForSequenceClassification", "PooledClassifier", "AutoftLinear")
    assert "_name_or_path" not in config


def test_leaderboard_and_events_agree(finished: Path) -> None:
    with (finished / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    assert {"linear", "full:bert-tiny", "frozen:bert-tiny"} <= {row["candidate"] for row in rows}
    events = [EVENTS.validate_json(line) for line in (finished / "events.jsonl").read_text().splitlines()]
    ended = {e.trial: e for e in events if isinstance(e, TrialFinished)}
    assert {e.trial for e in events if isinstance(e, TrialStarted)} == set(ended) == {int(row["trial"]) for row in rows}
    for row in rows:
        assert float(row["value"]) == ended[int(row["trial"])].value
        assert (finished / "trials" / row["trial"] / "curve.jsonl").exists()
    assert len(list((finished / "trials").glob("*/model"))) <= 3


def test_what_learned_from_all_rows_in_its_trial_is_not_said_to_learn_again(finished: Path, told: list[Event]) -> None:
    (note,) = [event.note for event in told if isinstance(event, StageStarted) and event.stage == "refit"]
    assert note == f"{result_of(finished)['best']['candidate']} did so in its trial"


def test_parts_do_not_overlap(finished: Path) -> None:
    with np.load(finished / "data" / "splits.npz") as parts:
        numbers = [set(parts[name].tolist()) for name in ("train", "validation", "test")]
    assert sum(map(len, numbers)) == len(set.union(*numbers)) == 120


def test_same_seed_same_run(finished: Path, bert_tiny: str) -> None:
    folder = finished.parent
    autoft(
        "run", "shop.csv", "--models", f"full:{bert_tiny},frozen:{bert_tiny}", "--trials", "4", "--concurrency", "1", "--seed", "7",
        "--output", "again", cwd=folder,
    )  # fmt: skip

    def rows(path: Path) -> list[dict[str, str]]:
        with (path / "leaderboard.csv").open() as file:
            return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]

    assert rows(finished) == rows(folder / "again")
    texts = [text for text, _ in reviews(20, seed=9)]
    answers = [autoft("predict", run, *texts, "--json", cwd=folder).stdout for run in ("out", "again")]
    assert answers[0] == answers[1]
    assert len(answers[0].splitlines()) == len(texts)


def test_predict_and_runs(finished: Path) -> None:
    answer = json.loads(autoft("predict", finished, "a superb lens", "--json", cwd=finished.parent).stdout)
    assert answer["label"] in ("good", "bad")
    assert answer["score"] == max(answer["scores"].values())
    assert sum(answer["scores"].values()) == pytest.approx(1)
    listed = json.loads(autoft("runs", "--json", cwd=finished.parent).stdout)
    assert any(run["status"] == "done" for run in listed)


def test_python_and_command_are_the_same(finished: Path) -> None:
    import autoft as package

    texts = ["a superb lens", "a broken case"]
    answers = package.load(finished / "bundle").predict(texts)
    shown = autoft("predict", finished, *texts, "--json", cwd=finished.parent).stdout.splitlines()
    assert [json.loads(line) for line in shown] == answers


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_no_flag_but_the_file(tmp_path: Path, suffix: str) -> None:
    rows = [{"kind": label, "question": text} for text, label in reviews(60)]
    path = tmp_path / f"asked.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        import datasets

        datasets.Dataset.from_list(rows).to_parquet(str(path))
    done = autoft("run", path, "--json", cwd=tmp_path, env={"AUTOFT_TRIALS": "1", "AUTOFT_MODELS": '["linear"]'})
    result = json.loads(done.stdout)
    assert result["columns"] == {"text": "question", "label": "kind"}
    assert result["best"]["candidate"] == "linear"
    assert result["verified"]["passed"]
    assert "\x1b" not in done.stderr


def test_one_file_plugin_without_text(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris

    iris = load_iris()
    names = ["sepal length", "sepal width", "petal length", "petal width", "kind"]
    lines = [",".join(names)]
    lines += [",".join([*map(str, row), iris.target_names[kind]]) for row, kind in zip(iris.data, iris.target, strict=True)]
    (tmp_path / "flowers.csv").write_text("\n".join(lines) + "\n")
    plugin = Path(__file__).parents[2] / "examples" / "numeric_plugin.py"
    autoft("run", "flowers.csv", "--plugin", plugin, "--trials", "3", "--concurrency", "1", "--output", "out", cwd=tmp_path)
    result = result_of(tmp_path / "out")
    assert result["task"] == "numeric-classification"
    assert result["baseline"]["candidate"] == "majority"
    assert result["best"]["test"]["accuracy"] > 0.8
    assert result["verified"]["passed"]
    autoft("predict", "out", "--plugin", plugin, "--input", "flowers.csv", "--output", "answers.csv", cwd=tmp_path)
    with (tmp_path / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(row["label"] == row["kind"] for row in rows) > 120
    refused = autoft("predict", "out", "--input", "flowers.csv", "--output", "no.csv", cwd=tmp_path, check=False)
    assert refused.returncode == 2
    assert "numeric_plugin" in refused.stderr


@pytest.mark.parametrize(("presses", "status", "code"), [(1, "stopped", 0), (2, "aborted", 130)])
def test_ctrl_c(tmp_path: Path, bert_tiny: str, presses: int, status: str, code: int) -> None:
    write_csv(tmp_path / "data.csv", ("text", "label"), reviews())
    process = subprocess.Popen(
        [sys.executable, "-m", "autoft", "run", "data.csv", "--models", f"full:{bert_tiny}", "--trials", "500", "--output", "out"],
        cwd=tmp_path, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        board = tmp_path / "out" / "leaderboard.csv"
        until = time.time() + 120
        while not (board.exists() and board.read_text().count("\n") > 2):
            assert process.poll() is None, process.communicate()[0]
            assert time.time() < until
            time.sleep(0.2)
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, out
    assert result_of(tmp_path / "out")["status"] == status
    assert "Traceback" not in out
    if presses == 1:
        assert open_bundle(tmp_path / "out" / "bundle").manifest.proof["passed"]


@pytest.mark.parametrize("comes", ["raise KeyboardInterrupt", "exec('raise KeyboardInterrupt')"])
def test_the_status_of_ctrl_c_is_130_wherever_it_comes(tmp_path: Path, comes: str) -> None:
    """Where it passes through text that is executed, as a dataclass is made of, Python would end by the signal: -2, not 130."""
    module = f"from autoft.cli import main\ndef interrupted(**_):\n    {comes}\nmain.group.main = interrupted\nmain.main()\n"
    (tmp_path / "interrupted.py").write_text(module)
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "Aborted.\n")
