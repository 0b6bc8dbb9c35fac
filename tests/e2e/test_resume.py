"""Runs are killed at random moments and go on: finished trials stand, the rest is as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from autoft.interfaces.result import Result
from autoft.runtime.bundle import open_bundle
from autoft.store import Store
from killing import board, kill, lines, started, until, workers
from support import autoft, result_of, reviews

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TRIALS = 4
RUN = ("run", "shop.csv", "--models", "linear", "--trials", str(TRIALS), "--concurrency", "1", "--output")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of reviews, and `whole`, a run of them that nobody disturbed."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.csv").write_text("opinion,mood\n" + "".join(f'"{text}",{label}\n' for text, label in reviews()), encoding="utf-8")
    autoft(*RUN, "whole", cwd=folder)
    return folder


def assert_complete(folder: Path, whole: Path) -> None:
    """A result, a bundle, and one row a trial wherever rows are."""
    Result.model_validate(result_of(folder))
    assert open_bundle(folder / "bundle").manifest.figures["test"] == result_of(folder)["best"]["test"]
    assert board(folder) == board(whole)
    assert result_of(folder)["best"] == result_of(whole)["best"]
    assert len(list(folder.glob("trials/*/model"))) <= 3
    store = Store(os.environ["AUTOFT_DATABASE"])
    run = store.run(result_of(folder)["run_id"])
    assert run.status == "done"
    assert [trial.number for trial in store.trials(run.id)] == sorted(board(whole))
    assert {trial.status for trial in store.trials(run.id)} <= {"done", "stopped"}
    store.close()


def rows(folder: Path) -> dict[int, dict[str, str]]:
    """Without the rank, which changes as others come."""
    found = board(folder, seconds=True) if (folder / "leaderboard.csv").exists() else {}
    return {trial: {name: value for name, value in row.items() if name != "rank"} for trial, row in found.items()}


def test_a_driver_that_is_killed_twice(shop: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)
    out, total = shop / "twice", lines(shop / "whole")
    process, before = started(*RUN, out.name, cwd=shop), {}
    for _ in range(2):
        already = lines(out)
        wanted = draw.randint(already + 2, max(already + 2, total - 1))
        if until(process, lambda wanted=wanted: lines(out) >= wanted):
            time.sleep(draw.uniform(0, 0.2))
            kill(process, group=draw.random() < 0.5)
        if process.returncode == 0:
            break
        before = rows(out)
        process = started("resume", out.name, cwd=shop)
    process.wait(timeout=300)
    assert process.returncode == 0
    after = rows(out)
    assert {trial: after[trial] for trial in before} == before, "rows of finished trials are identical"
    assert_complete(out, shop / "whole")


def test_a_run_that_was_left_by_ctrl_c_twice(shop: Path) -> None:
    out = shop / "left"
    process = started(*RUN, out.name, cwd=shop)
    assert until(process, lambda: (out / "leaderboard.csv").exists() and len(board(out)) >= 2)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    assert process.wait(timeout=60) == 130
    assert result_of(out)["status"] == "aborted"
    os.rename(out, shop / "moved")  # noqa: PTH104
    shown = autoft("resume", "moved", cwd=shop)
    assert "goes on" in shown.stdout
    assert_complete(shop / "moved", shop / "whole")


def test_a_worker_that_is_killed_costs_its_trial_and_no_more(shop: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)
    out = shop / "worker"
    process = started(*RUN, out.name, cwd=shop)
    assert until(process, lambda: (out / "trials" / "2").exists() and bool(workers(process)))
    time.sleep(draw.uniform(0, 1))
    for worker in workers(process):
        worker.kill()
    assert process.wait(timeout=300) == 0
    assert sorted(board(out)) == sorted(board(shop / "whole"))
    failed = [row for row in board(out).values() if row["status"] == "failed"]
    assert len(failed) <= 1
    assert all("worker process died" in row["reason"] for row in failed)
    assert open_bundle(out / "bundle").manifest.proof["passed"]


def test_a_run_with_a_result_is_not_resumed(shop: Path) -> None:
    refused = autoft("resume", "whole", cwd=shop, check=False)
    assert refused.returncode == 2
    assert "has ended: it is done" in refused.stderr
    unknown = autoft("resume", "nothing-like-it", cwd=shop, check=False)
    assert unknown.returncode == 2
    assert "Hint" in unknown.stderr
