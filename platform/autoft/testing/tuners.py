"""What a tuner has to keep."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from autoft.catalog import Catalog
from autoft.interfaces.events import Event, TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.model import Candidate
from autoft.interfaces.tuner import PluginFile, SearchRequest, Tuner
from autoft.plugins import read_plugin_file
from autoft.testing.contract import Contract
from autoft.testing.failing import Failing
from autoft.testing.learning import best_task, fit_data
from autoft.testing.models import inside
from autoft.testing.samples import reviews

TRIALS = 6
MANY = 50
"""So many trials that a search which does not stop shows."""
STOP = "stopped by the user"
SILENT_SECONDS = 90.0
"""A search that tells of nothing for so long hangs."""


def check_tuner(tuner: Tuner) -> None:
    """Hold `tuner` to `autoft.interfaces.tuner.Tuner` by searches over the built-in `linear`, on reviews, and a model that fails: one from
    the start, one that goes on, one in which little is to be tried, one that is told to stop.

    Raises ContractBroken.
    """
    contract = Contract.of("tuner", tuner)
    file = read_plugin_file(Path(__file__).with_name("failing.py"))
    with tempfile.TemporaryDirectory() as name:
        request = _request(Catalog.build([file]), file, Path(name) / "new")
        _check_search(contract, request, _search(contract, tuner, request, "to search"))
        _check_resumed(contract, tuner, replace(request, folder=_folder(Path(name) / "resumed"), trials=5))
        _check_used_up(contract, tuner, replace(request, folder=_folder(Path(name) / "used-up"), trials=MANY))
        _check_stop(contract, tuner, replace(request, folder=_folder(Path(name) / "stopped"), trials=MANY))


def _request(catalog: Catalog, file: PluginFile, folder: Path) -> SearchRequest:
    table = reviews()
    data = fit_data(best_task(catalog, table), table, _folder(folder))
    candidates = [Candidate("linear"), Candidate(Failing.name)]
    spaces = {one.name: catalog.model(one.model).space(one, data.problem, len(data.train)) for one in candidates}
    named = frozenset(one.name for one in candidates)
    return SearchRequest(
        data=data, candidates=candidates, spaces=spaces, named=named, folder=folder, plugin_files=(file,), seed=7, deadline=None,
        trials=TRIALS, gpu_hours=None, concurrency=1, stop_file=folder / "stop",
    )  # fmt: skip


def _folder(folder: Path) -> Path:
    (folder / "trials").mkdir(parents=True)
    return folder


def _search(contract: Contract, tuner: Tuner, request: SearchRequest, of: str) -> list[Event]:
    events: list[Event] = []
    threads: set[int] = set()

    def hear(event: Event) -> None:
        anew()
        threads.add(threading.get_ident())
        events.append(event)

    with contract.asking("search", of, SILENT_SECONDS) as anew:
        tuner.search(request, hear)
    contract.holds(threads <= {threading.get_ident()}, "search tells its events in another thread than it was called in", "search")
    _check_stream(contract, events)
    return events


def _check_stream(contract: Contract, events: list[Event]) -> None:
    """A start, reports, an end: of each trial in this order."""
    started: set[int] = set()
    ended: Counter[int] = Counter()
    for event in events:
        if isinstance(event, TrialStarted):
            contract.holds(event.trial not in started, f"trial {event.trial} is started twice", "search")
            started.add(event.trial)
        elif isinstance(event, TrialReported | TrialFinished):
            contract.holds(event.trial in started, f"trial {event.trial} is told of before its start", "search")
            contract.holds(not ended[event.trial], f"trial {event.trial} is told of after its end", "search")
            ended.update([event.trial] if isinstance(event, TrialFinished) else [])
    contract.holds(set(ended) == started, f"the trials {sorted(started - set(ended))} have no end", "search")


def _check_search(contract: Contract, request: SearchRequest, events: list[Event]) -> None:
    ends = [event for event in events if isinstance(event, TrialFinished)]
    numbers = sorted(event.trial for event in ends)
    expected = list(range(request.first_number, request.first_number + TRIALS))
    contract.holds(numbers == expected, f"of trials={TRIALS} from number {request.first_number} there are {numbers}", "search")
    tried = {event.candidate for event in ends}
    contract.holds(request.named <= tried, f"no trial of {sorted(request.named - tried)}, which the user named", "search")
    points: dict[str, list[dict[str, object]]] = {}
    for event in sorted(ends, key=lambda one: one.trial):
        _check_end(contract, request, event)
        points.setdefault(event.candidate, []).append(event.hyperparameters)
    for candidate, found in points.items():
        default = dict(request.spaces[candidate].default)
        contract.holds(found[0] == default, f"the first trial of {candidate} has {found[0]}, not the default of its space", "search")
    _check_new(contract, points[Failing.name])


def _check_new(contract: Contract, failed: list[dict[str, object]]) -> None:
    again = next((point for point in failed if failed.count(point) > 1), None)
    contract.holds(again is None, f"it tries hyperparameters again that have failed: {again}", "search")


def _check_end(contract: Contract, request: SearchRequest, event: TrialFinished) -> None:
    space = request.spaces[event.candidate]
    same = event.hyperparameters.keys() == space.parameters.keys()
    contract.holds(same, f"trial {event.trial} has {list(event.hyperparameters)}, the space {list(space.parameters)}", "search")
    out = [name for name, value in event.hyperparameters.items() if not inside(space.parameters[name], value)]
    contract.holds(not out, f"trial {event.trial} lies outside the space at {out[:1]}", "search")
    if event.candidate == Failing.name:
        right = event.status == "failed" and bool(event.reason)
        contract.holds(right, f"trial {event.trial} failed, and is told as {event.status} ({event.reason!r})", "search")
        return
    metric = request.data.problem.metric.name
    right = event.status in ("done", "stopped") and event.value == event.metrics.get(metric)
    why = f" ({event.reason})" if event.reason else ""
    told = f"trial {event.trial} is {event.status}{why} with {event.value}, its {metric} is {event.metrics.get(metric)}"
    contract.holds(right, told, "search")
    left = (request.folder / "trials" / str(event.trial) / "spec.json").is_file()
    contract.holds(left, f"there is no trials/{event.trial}/spec.json in the run's folder: `run_trial` leaves it", "search")


def _check_resumed(contract: Contract, tuner: Tuner, request: SearchRequest) -> None:
    """One trial had ended, one had not, one had failed."""
    space = request.spaces["linear"]
    other = dict(space.first[0]) if space.first else dict(space.default)
    past = (
        TrialStarted(trial=1, candidate="linear", hyperparameters=dict(space.default)),
        TrialReported(trial=1, progress=100, metrics={request.data.problem.metric.name: 0.5}),
        TrialFinished(
            trial=1, candidate="linear", status="done", progress=100, metrics={request.data.problem.metric.name: 0.5}, value=0.5,
            seconds=1.0, hyperparameters=dict(space.default),
        ),
        TrialStarted(trial=2, candidate="linear", hyperparameters=other),
        TrialStarted(trial=3, candidate=Failing.name, hyperparameters=dict(request.spaces[Failing.name].default)),
        TrialFinished(
            trial=3, candidate=Failing.name, status="failed", progress=0, metrics={}, value=None, seconds=1.0, reason="it failed",
            hyperparameters=dict(request.spaces[Failing.name].default),
        ),
    )  # fmt: skip
    events = _search(contract, tuner, replace(request, history=past, first_number=1), "to go on")
    ends = {event.trial: event for event in events if isinstance(event, TrialFinished)}
    for number in (1, 3):
        contract.holds(number not in ends, f"trial {number} had ended before the run was resumed, and is told of again", "search")
    contract.holds(2 in ends, "trial 2 had not ended before the run was resumed, and is not run again", "search")
    contract.holds(ends[2].hyperparameters == other, "trial 2 is run again with other hyperparameters", "search")
    contract.holds({1, 3, *ends} == {1, 2, 3, 4, 5}, f"of trials=5, two of which had ended, there are {sorted(ends)}", "search")
    again = [
        event.trial for event in ends.values() if event.candidate == Failing.name and event.hyperparameters == past[-1].hyperparameters
    ]
    contract.holds(not again, f"trial {again[:1]} has the hyperparameters with which trial 3 failed before the run was resumed", "search")


def _check_used_up(contract: Contract, tuner: Tuner, request: SearchRequest) -> None:
    """A candidate of two points, which fail: with these the search is over, whatever number of trials was asked for."""
    alone = [one for one in request.candidates if one.name == Failing.name]
    few = replace(request, candidates=alone, spaces={Failing.name: request.spaces[Failing.name]}, named=frozenset({Failing.name}))
    events = _search(contract, tuner, few, "to search two points")
    points = [event.hyperparameters for event in events if isinstance(event, TrialFinished)]
    contract.holds(bool(points), f"no trial of {Failing.name}, which the user named", "search")
    _check_new(contract, points)


def _check_stop(contract: Contract, tuner: Tuner, request: SearchRequest) -> None:
    stopped = replace(request, stop_file=request.folder / "stop")
    stopped.stop_file.write_text(STOP, encoding="utf-8")
    events = _search(contract, tuner, stopped, "with the stop file there")
    started = sum(isinstance(event, TrialStarted) for event in events)
    contract.holds(started < MANY, f"search ran all {MANY} trials with the stop file there", "search")
    late = replace(stopped, stop_file=request.folder / "absent", deadline=time.time() - 1)
    started = sum(isinstance(event, TrialStarted) for event in _search(contract, tuner, late, "after its deadline"))
    contract.holds(started < MANY, f"search ran all {MANY} trials after its deadline", "search")
