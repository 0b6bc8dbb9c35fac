"""The benchmark against peers: what is measured, what counts, and what the tables make of it; nothing is measured here."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.metrics import accuracy_score, f1_score

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def row(system, f1, seed, *, data="emotion", source="all-MiniLM-L6-v2", setting="300 s", sha256="a", **more):
    known = {"data": data, "system": system, "source": source, "setting": setting, "seed": seed, "sha256": sha256}
    return {**known, "accuracy": f1, "f1_macro": f1, "wall": 300.0, "core_seconds": 500.0, "busy": 0.8, "code": "0d7e02b", **more}


def test_published_rows_are_those_with_a_score() -> None:
    from search.standings import published

    found = published(BENCHMARKS / "search" / "peers.csv")
    assert len(found) == 11, "the search that crashed has no score"
    best = max((entry for entry in found if entry.data == "emotion"), key=lambda entry: entry.f1)
    assert (best.system, best.f1) == ("AutoGluon MultiModal 1.6.3", 0.7263)
    assert [entry.system for entry in found if entry.data == "emotion-8"] == ["SetFit 1.2.0"]


def test_what_was_spared_is_paid() -> None:
    from search.measuring import Cost
    from search.systems import paid

    from autoft.hardware import cores

    cost = Cost(wall=100.0, core_seconds=100.0 * cores(), busy=1.0, began=0.0)
    assert paid({}, cost) == {"wall": 100.0, "core_seconds": 100.0 * cores(), "busy": 1.0}
    assert paid({"spared": 200.0}, cost) == {"wall": 300.0, "core_seconds": 300.0 * cores(), "busy": 1.0}


def test_the_lead_is_over_the_best_peer_of_the_same_set() -> None:
    from search.standings import entries, leads

    rows = [row("autoft", 0.80, 0), row("tutorial", 0.70, 0), row("setfit", 0.75, 0), row("setfit", 0.90, 0, data="banking77")]
    found = entries(rows)
    (lead,) = leads([entry for entry in found if entry.system == "autoft"], [entry for entry in found if entry.system != "autoft"])
    assert (lead.peer.system, round(lead.difference, 6)) == ("setfit", 0.05)


def test_noise_is_by_seed_where_both_have_the_same_seeds() -> None:
    from search.standings import entries, noise

    by_seed = {"autoft": (0.5, 0.7), "setfit": (0.4, 0.6)}
    ours, peer = entries(row(system, f1, seed) for system, both in by_seed.items() for seed, f1 in enumerate(both))
    assert noise(ours, peer) == pytest.approx(0.0), "both move alike with the rows that were drawn"
    (other,) = entries([row("tutorial", 0.6, 0)])
    assert noise(ours, other) == pytest.approx(2 * math.sqrt(0.02 / 2 + 0.02 / 1)), "the spread of one measurement is taken to be ours"
    assert noise(other, peer) is None


def test_rows_of_files_that_have_changed_do_not_count() -> None:
    from search.standings import entries

    (entry,) = entries([row("autoft", 0.1, 0, sha256="old"), row("autoft", 0.8, 0, sha256="new")])
    assert entry.f1 == 0.8


def test_tables_say_whether_an_aim_is_reached(tmp_path: Path) -> None:
    from search.tables import tables

    file = tmp_path / "rows.jsonl"
    peers = BENCHMARKS / "search" / "peers.csv"
    assert tables(file, peers) == "nothing has been measured yet\n"
    for f1, said in ((0.80, "reached"), (0.73, "**falls short**")):
        file.write_text("".join(json.dumps(row("autoft", f1, seed)) + "\n" for seed in range(3)), encoding="utf-8")
        assert f"below on none by more than the noise: {said}." in tables(file, peers)
    file.write_text("".join(json.dumps(row("autoft", 0.5 + seed / 1000, seed)) + "\n" for seed in range(3)), encoding="utf-8")
    assert "below by more than the noise on emotion: **falls short**" in tables(file, peers)


def test_peers_come_before_what_depends_on_them() -> None:
    from search.plan import LIKE_SETFIT, PARTS, Plan
    from search.sets import SETS

    jobs = list(Plan(["one-source"], [], None, 300.0).jobs())
    assert len(jobs) == 3 * 3 * len(SETS)
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs)
    few = list(Plan(["few-shot"], ["emotion-8"], 1, 300.0).jobs())
    assert [(job.system, job.setting == LIKE_SETFIT) for job in few] == [("setfit", False), ("autoft", True)]
    assert len({tuple(vars(job).values()) for job in Plan(PARTS, [], None, 300.0).jobs()}) == len(list(Plan(PARTS, [], None, 300.0).jobs()))


def test_a_few_rows_of_each_class_are_drawn_by_the_seed() -> None:
    from search.sets import few_of_each, unrepeated

    rows = [(f"text {number}", "ab"[number % 2]) for number in range(40)]
    drawn = few_of_each(rows, 8, 0)
    assert sorted(label for _, label in drawn) == ["a"] * 8 + ["b"] * 8
    assert drawn == few_of_each(rows, 8, 0) != few_of_each(rows, 8, 1)
    assert unrepeated([("A  b", "x"), ("a b", "y"), ("c", "x")]) == [("A  b", "x"), ("c", "x")]


def test_a_measured_row_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import search.__main__ as program
    from search.plan import FEW_STEPS, LIKE_SETFIT
    from search.sets import Split
    from search.systems import Job

    measured = []

    def measure(job, split, folder):
        measured.append((job.system, job.setting))
        return {"accuracy": 0.5, "f1_macro": 0.5, "wall": 92.3}

    monkeypatch.setattr(program, "measure", measure)
    monkeypatch.setattr(program, "split_of", lambda *_: Split(tmp_path, tmp_path, 1, 1, "abc"))
    job, file = Job("emotion-8", "autoft", "all-MiniLM-L6-v2", LIKE_SETFIT, 0), tmp_path / "rows.jsonl"
    first = program.row_of(job, file, None)
    assert measured == [("setfit", FEW_STEPS), ("autoft", "93 s")], "as long as SetFit took"
    assert program.row_of(job, file, None) == first
    assert len(measured) == 2
    assert [json.loads(line)["asked"] for line in file.read_text(encoding="utf-8").splitlines()] == [FEW_STEPS, "93 s"]


def test_answers_are_scored_as_by_scikit_learn() -> None:
    from search.systems import scores

    truth, answers = list("aabbccc"), list("abbbcca")
    made = scores(truth, answers)
    assert made["accuracy"] == pytest.approx(accuracy_score(truth, answers))
    assert made["f1_macro"] == pytest.approx(f1_score(truth, answers, average="macro"))


def test_the_best_so_far_keeps_what_rose() -> None:
    from search.systems import best_so_far

    assert best_so_far([(3.0, 0.6), (1.0, 0.5), (2.0, 0.4)]) == [(1.0, 0.5), (3.0, 0.6)]


BURN = "import time\nwhile time.process_time() < 1.5: pass"
ORPHAN = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {BURN!r}], start_new_session=True)
"""
UNHEARD = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", {BURN!r}])
while child.poll() is None:
    time.sleep(0.1)
time.sleep(1)
"""
MEASURE = """
import os, sys
from pathlib import Path
from search.measuring import CommandError, measured
for code in sys.argv[2:]:
    try:
        print(measured([sys.executable, "-c", code], Path(sys.argv[1]), os.environ, 2).core_seconds)
    except CommandError as error:
        print(*str(error).splitlines())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="core-seconds are counted on Linux")
def test_core_seconds_of_all_that_a_command_started(tmp_path: Path) -> None:
    # In a process of its own, since whatever children there are is waited for.
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    command = [sys.executable, "-c", MEASURE, str(tmp_path), ORPHAN, UNHEARD, "raise SystemExit('no luck')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    orphan, unheard, failed = done.stdout.splitlines()
    assert float(orphan) >= 1.5, "it outlived its parent"
    assert float(unheard) >= 0.9, "its parent was not told of its end, and up to half a second is lost"
    assert failed == "exit code 1 no luck"
