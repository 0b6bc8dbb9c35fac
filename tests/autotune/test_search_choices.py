"""What the search decides, without Ray: candidates, hyperparameters, resources, limits, weights."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autoft.interfaces.events import TrialReported
from autoft.interfaces.model import Candidate
from autoft.interfaces.problem import Metric
from autoft.interfaces.source import Source
from autoft.interfaces.space import Choice, Integer, LogUniform, Space, Uniform
from autoft.trial import TrialOutcome, trial_seed
from autoft_autotune.allocator import FAR_PATIENCE, GIVE_UP_AFTER, LEADERS_PATIENCE, PATIENCE, Allocator
from autoft_autotune.book import Book, Entry
from autoft_autotune.limits import Limits
from autoft_autotune.resources import Machine, Plan, cluster_plan, fitting, make_plan, processors

SMALL, LARGE = Candidate("small", flops=1e12), Candidate("large", flops=1e13)
GB = 2**30


def test_registration_is_light():
    code = f"import sys; sys.path[:0] = {sys.path!r}; import autoft_autotune; autoft_autotune.autoft_register_tuners(); "
    code += "print([m for m in ('ray', 'optuna', 'torch') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.strip() == "[]", ended.stderr


class TestAllocator:
    def drawn(self, allocator, count, scores):
        names = []
        for number in range(count):
            candidate = allocator.choose(None)
            names.append(candidate.name)
            allocator.started(candidate.name)
            allocator.observed(candidate.name, number, scores[candidate.name], 1.0, 100)
        return names

    def test_first_trials_go_in_the_given_order_without_a_clock(self):
        assert self.drawn(Allocator([SMALL, LARGE], frozenset(), clock=False), 2, {"small": 0.5, "large": 0.5}) == ["small", "large"]

    def test_first_trials_go_longest_first_with_a_clock_and_named_before_all(self):
        third = Candidate("third", flops=1e14)
        allocator = Allocator([SMALL, LARGE, third], frozenset({"small"}), clock=True, slots=2)
        names = []
        for _ in range(3):
            names.append(allocator.choose(1000.0).name)
            allocator.started(names[-1])
        assert names == ["small", "third", "large"]

    def test_the_better_candidate_gets_most_trials_and_a_close_one_its_share(self):
        far = self.drawn(Allocator([SMALL, LARGE], frozenset(), clock=False), 30, {"small": 0.5, "large": 0.9})
        near = self.drawn(Allocator([SMALL, LARGE], frozenset(), clock=False), 30, {"small": 0.899, "large": 0.9})
        assert far.count("large") > 24
        assert near.count("small") >= 10

    @pytest.mark.parametrize(
        ("clock", "best", "expected"),
        [(True, 0.52, PATIENCE + 1), (True, 0.54, FAR_PATIENCE + 1), (True, 0.4, LEADERS_PATIENCE + 1), (False, 0.9, 60)],
    )
    def test_a_candidate_that_gets_no_better_leaves_its_time_to_others_within_a_budget(self, clock, best, expected):
        allocator = Allocator([SMALL, LARGE], frozenset(), clock=clock)
        allocator.observed("large", 0, best, 1.0, 100)
        allocator.exhaust("large")
        drawn = 0
        while drawn < 60 and allocator.choose(1e6) is not None:
            drawn += 1
            allocator.started("small")
            allocator.observed("small", drawn, 0.5, 1.0, 100)
            allocator.ended("small", 0.5)
        assert drawn == expected

    def test_durations_matter_with_a_clock_only(self):
        for clock, expected in ((True, "small"), (False, "large")):
            allocator = Allocator([SMALL, LARGE], frozenset(), clock=clock)
            for number, (name, key, seconds) in enumerate((("small", 0.88, 2.0), ("large", 0.9, 60.0))):
                allocator.started(name)
                allocator.observed(name, number, key, seconds, 100)
            assert allocator.choose(20.0).name == expected

    def test_an_untried_candidate_is_judged_by_its_flops(self):
        allocator = Allocator([SMALL, LARGE], frozenset(), clock=True)
        allocator.started("small")
        allocator.observed("small", 1, 0.5, 5.0, 50)
        assert allocator.expected_seconds("large") == pytest.approx(100.0)
        assert allocator.choose(60.0).name == "large"
        assert allocator.choose(40.0).name == "small"
        assert allocator.choose(3.0) is None

    def test_an_untried_candidate_is_no_slower_than_promised(self):
        allocator = Allocator([SMALL, LARGE], frozenset(), clock=True, speed=LARGE.flops / 20)
        assert allocator.expected_seconds("large") == pytest.approx(20.0)
        assert allocator.choose(3.0).name == "small", "nothing was measured, and a promise alone keeps nothing from being tried"
        allocator.started("small")
        allocator.observed("small", 1, 0.5, 9.0, 100)  # mostly overhead
        assert allocator.expected_seconds("small") == 9.0
        assert allocator.expected_seconds("large") == pytest.approx(20.0)
        assert allocator.choose(11.0).name == "large"

    def test_what_one_trial_does_for_all_others_is_no_part_of_theirs(self):
        """The features of long texts take most of the search, and a head on them a second."""
        allocator = Allocator([SMALL, LARGE], frozenset(), clock=True)
        allocator.started("small")
        allocator.observed("small", 1, 0.5, 91.0, 100, 90.0)
        assert allocator.expected_seconds("small") == pytest.approx(1.0)
        assert allocator.expected_seconds("large") == pytest.approx(910.0), "the work that is counted in its flops took all of it"
        assert allocator.choose(20.0).name == "small"
        allocator.observed("small", 2, 0.5, 2.0, 100)
        allocator.observed("small", 3, 0.5, 2.0, 100)
        assert allocator.expected_seconds("small") == pytest.approx(2.0)
        assert allocator.expected_seconds("large") == pytest.approx(920.0)

    def test_where_time_is_short_a_source_waits_for_those_ranked_better(self):
        best, second = Source("a", Path(), ""), Source("b", Path(), "")
        dear, cheap = replace(LARGE, source=best, place=0), replace(SMALL, source=second, place=1, flops=LARGE.flops / 2)
        plain = Candidate("plain", flops=1.0)

        def order(seconds, candidates=(plain, cheap, dear), **options):
            """Of the first trials, the dear one's taking 20 s, and the seconds passing."""
            allocator, drawn = Allocator(candidates, frozenset(), clock=True, speed=LARGE.flops / 20, **options), []
            while (one := allocator.choose(seconds)) and one.name not in drawn:
                drawn.append(one.name)
                allocator.started(one.name)
                taken = 20 * one.flops / LARGE.flops
                allocator.observed(one.name, len(drawn), 0.5, taken, 100)
                allocator.ended(one.name, 0.5)
                seconds -= taken
            return drawn

        names = [one.name for one in (plain, cheap, dear)]
        assert order(40) == names, "there is time for both"
        assert order(25) == [names[0], names[2]]
        assert order(9) == names[:2], "there is none for the dear one, in either order"
        middle = replace(dear, model="middle", flops=dear.flops / 2)
        assert order(35, (plain, cheap, middle, dear)) == ["plain", middle.name, dear.name], "nor for both that are better"
        unranked = [replace(one, place=None) for one in (plain, cheap, dear)]
        assert order(25, unranked) == names
        assert order(25, slots=2) == [names[2], names[1]], "the longest first"
        suited = replace(unranked[2], preferred=True)
        assert order(40, (plain, unranked[1], suited)) == [suited.name, "plain", unranked[1].name], "known to do better, it waits for none"

    def test_no_second_trial_does_what_the_first_is_doing_for_all(self):
        features = Candidate("features", flops=1e12, shared=1e12)
        allocator = Allocator([features, LARGE], frozenset(), clock=True, slots=4)
        for expected in ("large", "features", "large", "large"):
            assert allocator.choose(1e6).name == expected
            allocator.started(expected)
        allocator.exhaust("large")
        assert allocator.choose(1e6).name == "features", "nothing else is left for the processor"
        allocator = Allocator([features, LARGE], frozenset(), clock=True, slots=4)
        for name in ("large", "features"):
            allocator.started(name)
        allocator.observed("features", 2, 0.9, 91.0, 100, 90.0)
        assert allocator.choose(1e6).name == "features"

    def test_what_only_fails_or_has_nothing_left_is_given_up(self):
        allocator = Allocator([SMALL, LARGE], frozenset(), clock=False)
        for name in ("small", "large"):
            allocator.started(name)
        for _ in range(GIVE_UP_AFTER):
            allocator.failed("small")
        assert allocator.choose(None).name == "large"
        allocator.exhaust("large")
        assert allocator.choose(None) is None


class TestProposals:
    space = Space(
        {"rate": LogUniform(1e-5, 1e-3), "epochs": Integer(1, 4), "kind": Choice(("a", "b")), "drop": Uniform(0.0, 0.5)},
        {"rate": 1e-4, "epochs": 3, "kind": "a", "drop": 0.1},
        ({"rate": 5e-3, "epochs": 2, "kind": "b", "drop": 0.0},),
    )

    def run(self, seed, count=15):
        from autoft_autotune.proposals import Proposer

        proposer, points = Proposer(self.space), []
        for number in range(count):
            point = proposer.ask(number, trial_seed(seed, number))
            points.append(point)
            proposer.tell(number, "stopped" if number % 3 == 2 else "done", -abs(point["rate"] - 3e-4), 50 if number % 3 == 2 else 100)
        return points

    def test_the_default_then_first_points_even_outside_the_space_then_the_sampler(self):
        points = self.run(1)
        assert points[0] == self.space.default
        assert points[1] == self.space.first[0]
        for point in points[2:]:
            assert 1e-5 <= point["rate"] <= 1e-3
            assert point["epochs"] in (1, 2, 3, 4)
            assert type(point["epochs"]) is int

    def test_the_seed_decides_and_nothing_else(self):
        assert self.run(1) == self.run(1)
        assert self.run(1) != self.run(2)

    def test_what_is_drawn_is_what_optunas_own_sampler_draws(self, monkeypatch):
        from optuna.samplers import TPESampler

        from autoft_autotune import proposals

        def points():
            space = Space({**self.space.parameters, "fixed": Choice((1,))}, {**self.space.default, "fixed": 1})
            proposer, found = proposals.Proposer(space), []
            for number in range(16):
                found.append(proposer.ask(number, trial_seed(3, number)))
                if number:  # so that one always runs
                    proposer.tell(number - 1, "done", -abs(found[-2]["rate"] - 3e-4), 100)
            return found

        ours = points()
        settings = {"multivariate": True, "n_startup_trials": proposals.RANDOM_TRIALS, "constant_liar": True}
        monkeypatch.setattr(proposals, "Sampler", lambda _, seed: TPESampler(**settings, seed=seed))
        assert points() == ours

    def test_nothing_is_proposed_twice_and_a_finite_space_ends(self):
        from autoft_autotune.proposals import Proposer

        proposer = Proposer(Space({"kind": Choice(("a", "b", "c"))}, {"kind": "a"}))
        points = []
        while (point := proposer.ask(len(points), len(points))) is not None:
            proposer.tell(len(points), "failed", None, 0)
            points.append(point["kind"])
        assert sorted(points) == ["a", "b", "c"]

    def test_an_empty_space_has_one_point(self):
        from autoft_autotune.proposals import Proposer

        proposer = Proposer(Space({}, {}))
        assert proposer.ask(1, 1) == {}
        assert proposer.ask(2, 2) is None

    def test_scores_that_are_no_numbers_do_not_end_the_study(self):
        from autoft_autotune.proposals import Proposer

        proposer = Proposer(self.space)
        for number, key in enumerate((float("-inf"), None, float("nan"), 0.5)):
            assert proposer.ask(number, number) is not None
            proposer.tell(number, "done", key, 100)
        assert proposer.ask(9, 9) is not None


class TestHalving:
    class Trial:
        def __init__(self, trial_id):
            self.trial_id = trial_id

    def scheduler(self, *candidates):
        from autoft_autotune.stopping import CandidateHalving

        names = dict(candidates)
        scheduler = CandidateHalving(names.__getitem__)
        trials = [self.Trial(trial_id) for trial_id in names]
        for trial in trials:
            scheduler.on_trial_add(None, trial)
        return scheduler, trials

    def say(self, scheduler, trial, percent, score):
        return scheduler.on_trial_result(None, trial, {"percent": percent, "score": score})

    def test_a_rung_decides_once_it_holds_three_and_keeps_the_best_third(self):
        scheduler, trials = self.scheduler(*((f"t{i}", "a") for i in range(6)))
        said = [self.say(scheduler, trial, 20, score) for trial, score in zip(trials, (0.5, 0.4, 0.45, 0.6, 0.3, 0.55), strict=True)]
        assert said == ["CONTINUE", "CONTINUE", "STOP", "CONTINUE", "STOP", "CONTINUE"]

    def test_a_candidates_first_trial_runs_through_and_rungs_are_its_own(self):
        scheduler, trials = self.scheduler(("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a"), ("a4", "a"))
        for trial in trials[2:]:
            self.say(scheduler, trial, 25, 0.9)
        assert self.say(scheduler, trials[0], 25, 0.1) == "CONTINUE"
        assert self.say(scheduler, trials[1], 25, 0.1) == "CONTINUE"

    def test_a_result_counts_on_the_highest_rung_only_and_once(self):
        from autoft_autotune.stopping import Rungs

        rungs, trial = Rungs(), self.Trial("t")
        assert rungs.milestones == [15, 45]
        for percent, score in ((10, 0.1), (50, 0.5), (60, 0.6)):
            rungs.on_result(trial, percent, score)
        assert rungs._rungs == [(45, {"t": 0.5}), (15, {})]

    def test_the_last_report_is_never_stopped(self):
        scheduler, trials = self.scheduler(*((f"t{i}", "a") for i in range(5)))
        assert {self.say(scheduler, trial, 100, -index) for index, trial in enumerate(trials)} == {"CONTINUE"}

    def test_a_score_that_is_no_number_stops_and_an_absent_one_does_not(self):
        scheduler, trials = self.scheduler(*((f"t{i}", "a") for i in range(5)))
        for trial in trials[:3]:
            self.say(scheduler, trial, 20, 0.5)
        assert self.say(scheduler, trials[3], 20, float("-inf")) == "STOP"
        assert scheduler.on_trial_result(None, trials[4], {"percent": 20}) == "CONTINUE"

    def test_the_private_parts_of_ray_that_this_rests_on(self):
        from ray.tune.schedulers import AsyncHyperBandScheduler
        from ray.tune.schedulers.async_hyperband import _Bracket

        bracket = _Bracket(min_t=15, max_t=100, reduction_factor=3, s=0)
        assert bracket._rungs == [(45, {}), (15, {})]
        assert AsyncHyperBandScheduler(metric="m", mode="max")._trial_info == {}


class TestResources:
    @pytest.mark.parametrize(
        ("machine", "memory", "concurrency", "trials", "expected"),
        [
            (Machine(2, 0, 16 * GB), 1 * GB, None, None, Plan(2, 1)),
            (Machine(8, 0, 16 * GB), 1 * GB, None, None, Plan(8, 1)),
            (Machine(8, 0, 16 * GB), 1 * GB, 2, None, Plan(2, 4)),
            (Machine(8, 0, 16 * GB), 1 * GB, None, 3, Plan(3, 2)),
            (Machine(8, 0, 16 * GB), 6 * GB, None, None, Plan(2, 4)),
            (Machine(2, 0, 1 * GB), 6 * GB, None, None, Plan(1, 2)),
            (Machine(2, 0, 16 * GB), 0, 4, None, Plan(4, 1)),
            (Machine(16, 2, 64 * GB, 24 * GB), 5 * GB, None, None, Plan(8, 2, 0.25)),
            (Machine(16, 2, 64 * GB, 24 * GB), 20 * GB, None, None, Plan(2, 8, 1.0)),
            (Machine(16, 2, 64 * GB), 1 * GB, 4, None, Plan(4, 4, 0.5)),
            (Machine(16, 1, 64 * GB), 1 * GB, 3, None, Plan(3, 5, 0.3333)),
        ],
    )
    def test_plans(self, machine, memory, concurrency, trials, expected):
        assert make_plan(machine, [SMALL, Candidate("m", memory=memory)], concurrency, trials) == expected

    @pytest.mark.parametrize(
        ("nodes", "memory", "concurrency", "trials", "expected"),
        [
            ([Machine(8, 0, 16 * GB)], 6 * GB, None, None, Plan(2, 4)),
            ([Machine(4, 0, 16 * GB), Machine(8, 0, 16 * GB)], 1 * GB, None, None, Plan(12, 1)),
            ([Machine(4, 0, 16 * GB), Machine(8, 0, 16 * GB)], 1 * GB, 3, None, Plan(3, 4)),
            ([Machine(4, 0, 16 * GB), Machine(8, 0, 16 * GB)], 1 * GB, 4, None, Plan(4, 2)),
            ([Machine(4, 0, 16 * GB), Machine(8, 0, 16 * GB)], 1 * GB, None, 1, Plan(1, 8)),
            ([Machine(4, 0, 2 * GB), Machine(8, 0, 16 * GB)], 6 * GB, None, None, Plan(2, 4)),
            ([Machine(4, 0, 2 * GB), Machine(8, 0, 4 * GB)], 6 * GB, None, None, Plan(1, 8)),
            ([Machine(8, 0, 64 * GB), Machine(16, 2, 64 * GB, 24 * GB)], 5 * GB, None, None, Plan(8, 2, 0.25)),
            ([Machine(16, 2, 64 * GB, 24 * GB), Machine(8, 1, 64 * GB, 40 * GB)], 10 * GB, None, None, Plan(6, 4, 0.5)),
            ([Machine(16, 2, 64 * GB, 24 * GB), Machine(8, 2, 64 * GB, 24 * GB)], 5 * GB, 4, None, Plan(4, 5, 1.0)),
        ],
    )
    def test_plans_of_a_cluster(self, nodes, memory, concurrency, trials, expected):
        candidates = [SMALL, Candidate("m", memory=memory)]
        fit = fitting({str(number): node for number, node in enumerate(nodes)}, candidates)
        assert cluster_plan(list(fit.values()), candidates, concurrency, trials) == expected

    def test_a_cluster_with_fewer_processors_still_holds_all_trials(self):
        assert processors(Plan(4, 2), 8) == 2
        assert processors(Plan(4, 1), 2) == 0.5


class TestBook:
    def book(self, folder, gpus=0.0):
        events = []
        book = Book(Metric(name="loss", greater_is_better=False), events.append, gpus)
        return book, events

    def entry(self, book, number):
        book.open(str(number), Entry(number, "small", {}))

    def test_each_trial_has_one_start_and_one_end(self, tmp_path):
        book, events = self.book(tmp_path)
        self.entry(book, 1)
        book.start("1")
        for percent, loss in ((30, 0.5), (60, 0.7)):
            book.report("1", TrialReported(trial=1, progress=percent, metrics={"loss": loss}), 2.0, 1.5)
        book.end("1", "stopped", "stopped by the scheduler")
        book.finish("1")
        book.finish("1")
        assert [e.event for e in events] == ["trial_started", "trial_reported", "trial_reported", "trial_finished"]
        last = events[-1]
        assert (last.status, last.value, last.progress, last.seconds, last.busy_seconds) == ("stopped", 0.5, 60, 2.0, 1.5)

    def test_a_worker_that_never_came_up_is_a_failed_row(self, tmp_path):
        book, events = self.book(tmp_path)
        self.entry(book, 1)
        book.end("1", "failed", "")
        book.explain("1", "no plugin")
        book.finish("1")
        assert [(e.event, getattr(e, "reason", "")) for e in events] == [("trial_started", ""), ("trial_finished", "no plugin")]

    def test_a_deadline_may_be_put_off_and_is_never_brought_forward(self, tmp_path):
        later = [None]
        limits = Limits(time.time() + 10, tmp_path / "stop", None, Plan(2, 1), self.book(tmp_path)[0], lambda: later[0])
        assert limits.seconds_left() == pytest.approx(10, abs=1)
        later[0] = time.time() + 60
        assert limits.seconds_left() == pytest.approx(60, abs=1)
        later[0] = time.time() + 5
        assert limits.seconds_left() == pytest.approx(60, abs=1)

    def test_gpu_seconds_bound_all_slots_together(self, tmp_path):
        book, _ = self.book(tmp_path, gpus=0.5)
        limits = Limits(None, tmp_path / "stop", 1 / 3600, Plan(4, 1, 0.5), book)
        assert limits.clock
        assert limits.seconds_left() == pytest.approx(0.5, abs=0.05)
        self.entry(book, 1)
        book.settle("1", TrialOutcome("done", 100, seconds=1.0))
        book.finish("1")
        assert limits.seconds_left() == pytest.approx(0.25, abs=0.05)
        self.entry(book, 2)
        book.settle("2", TrialOutcome("done", 100, seconds=1.0))
        book.finish("2")
        assert limits.ended() == "stopped by the budget"

    def test_gpu_hours_mean_nothing_without_gpus(self, tmp_path):
        limits = Limits(None, tmp_path / "stop", 0.0, Plan(2, 1), self.book(tmp_path)[0])
        assert (limits.clock, limits.ended(), limits.deadline()) == (False, "", None)
        (tmp_path / "stop").touch()
        assert limits.ended() == "stopped by the user"
