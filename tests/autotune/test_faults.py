"""Trials that hang, die or run out of memory: each is a row with its reason, is not tried again so, and the search goes on."""

from __future__ import annotations

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest

from autoft.interfaces.problem import Metric
from autoft.interfaces.space import Choice, Integer, LogUniform, Space, Uniform
from autoft_autotune.book import Book, Entry
from autoft_autotune.faults import OUT_OF_MEMORY, Deaths, is_out_of_memory
from autoft_autotune.proposals import Proposer, below
from autoft_autotune.watchdog import LEAST_SILENCE, UNKNOWN_SILENCE, Watchdog, allowed_silence


def ended(events):
    return [e for e in events if e.event == "trial_finished"]


@pytest.mark.ray
def test_a_trial_that_hangs_is_ended_and_leaves_its_place(toys, ray_instance):
    events = toys.search("hangs", trials=3, concurrency=1, hang_after=4.0)
    first, *others = ended(events)
    assert (first.status, first.value) == ("failed", 0.2)
    silent = re.fullmatch(r"nothing was heard of it for (\d+) s: it counts as hanging, and was ended", first.reason)
    assert silent, first.reason
    assert int(silent[1]) >= 4
    assert len(others) == 2
    assert {e.status for e in others} <= {"done", "stopped"}
    assert all(e.hyperparameters != first.hyperparameters for e in others)


@pytest.mark.ray
def test_a_trial_that_does_not_return_when_it_is_stopped_costs_the_next_nothing(toys, ray_instance):
    events = toys.search("lingers", trials=6, concurrency=1, first_number=1)
    assert [(e.trial, e.status) for e in ended(events)] == [(1, "done"), (2, "done"), *((number, "stopped") for number in range(3, 7))]
    workers = {e.measures["pid"] for e in events if e.event == "trial_reported"}
    assert len(workers) > 1, "a fresh worker comes"


@pytest.mark.ray
def test_after_one_that_ran_out_of_memory_come_smaller_batches(toys, ray_instance):
    rows = ended(toys.search("greedy", trials=8, concurrency=1))
    assert [(e.hyperparameters["batch_size"], e.status) for e in rows[:2]] == [(32, "failed"), (16, "failed")]
    assert "MemoryError" in rows[0].reason
    assert len(rows) == 8
    assert all(e.hyperparameters["batch_size"] <= 8 and e.status != "failed" for e in rows[2:])


class TestMemory:
    space = Space({"rate": LogUniform(1e-3, 1.0), "batch_size": Choice((4, 8, 16, 32))}, {"rate": 0.1, "batch_size": 16})

    def test_less_is_proposed_after_it_ran_out_and_no_more_where_there_is_no_less(self):
        proposer = Proposer(self.space)
        asked = [proposer.ask(0, 0)["batch_size"]]
        for number in range(1, 12):
            proposer.tell(number - 1, "failed", None, 0, out_of_memory=True)
            asked.append(proposer.ask(number, number)["batch_size"])
        assert asked[0] == 16
        assert all(later < earlier or later == 4 for earlier, later in pairwise(asked))
        assert asked[-1] == 4

    def test_another_failure_changes_nothing(self):
        proposer = Proposer(self.space)
        asked = []
        for number in range(30):
            asked.append(proposer.ask(number, number)["batch_size"])
            proposer.tell(number, "failed", None, 0)
        assert max(asked) == 32

    def test_a_lowered_point_is_not_proposed_twice(self):
        space = Space({"batch_size": Choice((4, 8, 16))}, {"batch_size": 16}, ({"batch_size": 8},))
        proposer = Proposer(space)
        assert proposer.ask(1, 1) == {"batch_size": 16}
        proposer.tell(1, "failed", None, 0, out_of_memory=True)
        assert [proposer.ask(2, 2), proposer.ask(3, 3), proposer.ask(4, 4)] == [{"batch_size": 8}, {"batch_size": 4}, None]

    @pytest.mark.parametrize(
        ("parameter", "value", "expected"),
        [
            (Choice((4, 8, 16)), 16, 8),
            (Choice((4, 8, 16)), 4, 4),
            (Choice(("small", 8)), 8, 8),
            (Integer(1, 64), 64, 32),
            (Integer(20, 64), 30, 20),
            (Uniform(1.0, 8.0), 8.0, 4.0),
            (LogUniform(3.0, 8.0), 4.0, 3.0),
        ],
    )
    def test_what_is_less(self, parameter, value, expected):
        assert below(parameter, value) == expected

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            ("MemoryError: no room", True),
            ("out of memory with a single row of 512 tokens", True),
            ("OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", True),
            ("RuntimeError: DefaultCPUAllocator: can't allocate memory", True),
            (OUT_OF_MEMORY, True),
            ("the worker process died: it was killed, or crashed", False),
            ("ValueError: no depth 3", False),
        ],
    )
    def test_reasons(self, reason, expected):
        assert is_out_of_memory(reason) == expected


def test_every_point_of_a_finite_space_is_proposed_before_it_ends():
    space = Space({"kind": Choice(tuple("abcdefgh")), "depth": Integer(1, 6)}, {"kind": "a", "depth": 1})
    proposer = Proposer(space)
    points = []
    while (point := proposer.ask(len(points), len(points))) is not None:
        proposer.tell(len(points), "done", float(point["depth"]), 100)
        points.append(tuple(point.values()))
    assert len(points) == len(set(points)) == 48


class TestDeaths:
    def reason(self, monkeypatch, tmp_path, text, killed):
        counts = iter(killed)
        monkeypatch.setattr("autoft_autotune.faults.killed_for_memory", lambda: next(counts))
        path = tmp_path / "error.txt"
        path.write_text(text, encoding="utf-8")
        return Deaths().reason(SimpleNamespace(error_file=str(path)))

    def test_the_kernels_count_tells_want_of_memory_from_other_deaths(self, monkeypatch, tmp_path):
        died = "The actor died unexpectedly before finishing this task.\n\tclass_name: TrialWorker"
        assert self.reason(monkeypatch, tmp_path, died, [3, 4]) == OUT_OF_MEMORY
        assert "killed, or crashed" in self.reason(monkeypatch, tmp_path, died, [3, 3])

    def test_ray_ends_workers_for_want_of_memory_too(self, monkeypatch, tmp_path):
        assert self.reason(monkeypatch, tmp_path, "Task was killed due to the node running low on memory.\nMore", [0]) == OUT_OF_MEMORY

    def test_a_worker_that_cannot_be_made_says_why(self, monkeypatch, tmp_path):
        text = "The actor died because of an error raised in its creation task\nValueError: no such plugin"
        assert self.reason(monkeypatch, tmp_path, text, [0]) == "ValueError: no such plugin"


class TestWatchdog:
    @pytest.mark.parametrize(
        ("given", "expected_seconds", "silence"),
        [(7.0, 1000.0, 7.0), (None, 1.0, LEAST_SILENCE), (None, 100.0, 1000.0), (None, None, UNKNOWN_SILENCE)],
    )
    def test_how_long_a_trial_may_say_nothing(self, given, expected_seconds, silence):
        assert allowed_silence(given, expected_seconds) == silence

    def watch(self, monkeypatch, moments):
        """The workers that are ended when the watchdog looks at these moments; a trial starts at 0 and may be silent for 10 s."""
        now, killed = [0.0], []
        monkeypatch.setattr("time.monotonic", lambda: now[0])
        monkeypatch.setattr("ray.kill", killed.append)
        book = Book(Metric(name="accuracy"), lambda event: None)
        book.open("a", Entry(1, "small", {}))
        book.start("a")
        trial = SimpleNamespace(temporary_state=SimpleNamespace(ray_actor="worker"))
        dog = Watchdog(book, {"a": trial}, lambda candidate: 10.0)
        for moment in moments:
            now[0] = moment
            dog.on_step_end(0, [])
        return killed, book["a"]

    def test_silence_ends_a_worker_once(self, monkeypatch):
        killed, entry = self.watch(monkeypatch, [4, 8, 12, 13])
        assert killed == ["worker"]
        assert entry.status == "failed"
        assert "for 12 s" in entry.reason

    def test_what_was_not_listened_to_is_no_silence(self, monkeypatch):
        killed, entry = self.watch(monkeypatch, [1, 31, 35])
        assert (killed, entry.status) == ([], "running")
