"""Runs are killed again and again, at random moments and in every way, and each ends as one that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoft.history import History
from autoft.interfaces.result import Result
from autoft.runtime.bundle import open_bundle
from autoft.store import Store, TrialRecord
from killing import board, kill, started, until, workers
from support import autoft, result_of, reviews

pytestmark = [pytest.mark.soak, pytest.mark.ray, pytest.mark.timeout(3600)]

KILLS = 24
RUN = ("run", "shop.csv", "--models", "linear,full:bert-tiny", "--trials", "6", "--concurrency", "1", "--output")
MOST = 4
"""Times that one run is killed, at most."""


@pytest.fixture(scope="module", autouse=True)
def own_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No run is written into the user's own list."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path_factory.mktemp('list') / 'runs.sqlite'}")
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of reviews, and `whole`, a run of them that nobody disturbed."""
    from autoft import sources
    from autoft.catalog import Catalog

    sources.fetch(Catalog.build().sources["bert-tiny"])
    folder = tmp_path_factory.mktemp("shop")
    lines = [f'"{text}",{label}\n' for text, label in reviews(300)]
    (folder / "shop.csv").write_text("opinion,mood\n" + "".join(lines), encoding="utf-8")
    assert started(*RUN, "whole", cwd=folder).wait(timeout=1800) == 0
    return folder


@pytest.fixture(scope="module")
def longest(shop: Path) -> float:
    """Seconds that a run takes here."""
    return float(result_of(shop / "whole")["seconds"])


def cut_off(process: subprocess.Popen[bytes], draw: random.Random) -> bool:
    """One of the ways in which runs end early; False where this one was not."""
    how = draw.choice(["driver", "group", "ctrl-c twice"])
    if how != "ctrl-c twice":
        return kill(process, group=how == "group")
    for _ in range(2):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(draw.uniform(0.1, 1.5))
    return process.wait(timeout=600) != 0


def test_whatever_is_killed_whenever_the_end_is_the_same(shop: Path, longest: float) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)
    killed = runs = 0
    while killed < KILLS:
        out, runs = shop / f"out-{runs}", runs + 1
        process = started(*RUN, out.name, cwd=shop)
        for _ in range(draw.randint(1, MOST)):
            time.sleep(draw.uniform(0.1, 1.0) * longest)
            if not cut_off(process, draw):
                break
            killed += 1
            resumes = (out / "run.json").exists()  # else nothing was written: there is nothing to go on with
            process = started(*(("resume", out.name) if resumes else (*RUN, out.name)), cwd=shop)
        assert process.wait(timeout=600) == 0 or History.read(out).ended, f"seed {seed}: {out} after {killed} kills"
        assert_as_whole(out, shop / "whole")
    print(f"{killed} kills, {runs} runs")  # noqa: T201


def assert_as_whole(out: Path, whole: Path) -> None:
    result, undisturbed = result_of(out), result_of(whole)
    Result.model_validate(result)
    rows, others = board(out), board(whole)
    if result["status"] == "done":
        assert rows == others
        assert result["best"] == undisturbed["best"]
    else:  # the second Ctrl-C came too late to leave it
        assert all(rows[trial]["value"] == others[trial]["value"] for trial in rows if rows[trial]["status"] == "done")
    assert open_bundle(out / "bundle").manifest.proof["passed"]
    assert len(list(out.glob("trials/*/model"))) <= 3
    assert {trial.number: trial.status for trial in trials(result["run_id"])} == {number: row["status"] for number, row in rows.items()}


def trials(run_id: str) -> list[TrialRecord]:
    store = Store(os.environ["AUTOFT_DATABASE"])
    try:
        return store.trials(run_id)
    finally:
        store.close()


def test_workers_that_are_killed_cost_their_trials_and_no_more(shop: Path, longest: float) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)
    out, killed, wanted = shop / "workers", 0, 16
    process = started("run", "shop.csv", "--models", "linear,full:bert-tiny", "--trials", str(wanted), "--output", out.name, cwd=shop)
    while process.poll() is None and killed < 5:
        time.sleep(draw.uniform(0.0, 0.2) * longest)
        found = workers(process) if process.poll() is None else []
        if found:
            draw.choice(found).kill()
            killed += 1
    assert process.wait(timeout=1800) == 0
    rows = board(out)
    assert sorted(rows) == list(range(1, wanted + 2))
    failed = [row for row in rows.values() if row["status"] == "failed"]
    assert len(failed) <= killed
    assert all("worker process died" in row["reason"] for row in failed)
    assert open_bundle(out / "bundle").manifest.proof["passed"]


def test_a_budget_is_spent_over_all_sessions(shop: Path) -> None:
    budget, out = 60.0, shop / "budget"
    process = started("run", "shop.csv", "--models", "linear,full:bert-tiny", "--budget", str(budget), "--output", out.name, cwd=shop)
    assert until(process, (out / "leaderboard.csv").exists)
    time.sleep(8)
    assert kill(process)
    time.sleep(20)
    autoft("resume", out.name, cwd=shop)
    result = result_of(out)
    assert (result["status"], result["budget"]) == ("done", budget)
    assert result["seconds"] <= 1.05 * budget
    assert {trial.number for trial in trials(result["run_id"])} == set(board(out))
