"""Tuners propose trials, run them side by side and stop those that do not pay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from autoft.interfaces.events import TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.model import Candidate, FitData
from autoft.interfaces.space import Space

if TYPE_CHECKING:
    from autoft.interfaces.events import Event

Past: TypeAlias = TrialStarted | TrialReported | TrialFinished
"""What was told of a trial before the run was resumed."""


@dataclass(frozen=True)
class PluginFile:
    """A one-file plugin (`--plugin FILE`), which travels to workers by content."""

    name: str
    sha256: str
    text: str


@dataclass(frozen=True)
class SearchRequest:
    """What is searched, and within what limits. Every tuner keeps to `trials`, `deadline`, `stop_file`, `named`, `first_number` and
    `history`, which its check looks at, and draws by `seed` alone (`autoft.trial.trial_seed`). The rest is for those that can use it.
    `concurrency`, which the core may choose where the user has not, `gpu_hours` and `hang_after` are kept to by the tuner or by nobody: one
    that does not keep to them tells the user so by a `Remark`, where they are set.

    `deadline` is a time on `time.time()` after which nothing runs on, or None: then no choice may depend on the clock.

    `data.train` is a part of the training rows where these are many: the core then has the best settings learn from all of them, and writes
    into what is told of a trial how many rows it learned from.
    `named` are the candidates the user asked for by name: each gets a trial while the deadline allows.
    `first_number` is the number of the first trial. `stop_file`: once it exists, all trials end at their next step;
    its text is the reason. `later` gives a later deadline, once what has been measured allows one; it is asked again and again.
    `history` is what was told before the run was resumed, in that order: a start, reports and an end of each trial that has ended, and
    the start alone of those that had not: these run again, under their number, with their hyperparameters. Nothing of it is told again.
    `hang_after`: seconds without a word after which a trial counts as hanging; None leaves that to the tuner.
    `peaks`: floating-point operations a second of a whole GPU, or of a thread where a trial gets none, by the names of models whose peak
    was measured; times the trial's GPUs or threads it is `TrialSpec.peak`.
    `ray_address`: the Ray cluster on which the trials run, which `Reaches.reach` has found there; None is this machine.
    `tried`: trials that ended before the search and need not be made again: those of the baseline, where it is a candidate too. The
    `default` of its space is then the next of its first points.
    `keeps` tells of a trial that has ended whether its weights are wanted, where they lie on another machine's disk.
    """

    data: FitData
    candidates: Sequence[Candidate]
    spaces: Mapping[str, Space]
    named: frozenset[str]
    folder: Path
    plugin_files: tuple[PluginFile, ...]
    seed: int
    deadline: float | None
    trials: int | None
    gpu_hours: float | None
    concurrency: int | None
    stop_file: Path
    first_number: int = 1
    verbose: bool = False
    later: Callable[[], float | None] = lambda: None
    history: Sequence[Past] = ()
    hang_after: float | None = None
    peaks: Mapping[str, float] = field(default_factory=dict)
    ray_address: str | None = None
    keeps: Callable[[TrialFinished], bool] = lambda _: True
    tried: Sequence[TrialFinished] = ()


@runtime_checkable
class Tuner(Protocol):
    """The plugin: a way to search."""

    name: str
    summary: str

    def search(self, request: SearchRequest, on_event: Callable[[Event], None]) -> None:
        """Run trials with `autoft.trial.run_trial` until the request's limits; tell of each by TrialStarted, TrialReported and
        TrialFinished, in the calling thread. `TrialSpec.threads` is a trial's share of the processors. A trial that fails, dies or hangs is
        an event, not an exception, and its hyperparameters are not proposed again. The reason of a trial that the tuner stops by answering
        "stop" is its own to say in TrialFinished; `run_trial` gives "stopped by the scheduler". A trial without an end when this
        raises, or returns, did not end: a resumed run starts it again."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """What a tuner may have beside: seconds of its start that it can spend while the baseline learns and sources are ranked."""

    def prepare(self, concurrency: int | None, models: Sequence[str], *, verbose: bool) -> AbstractContextManager[Callable[[], None]]:
        """Begin, in the background, what a `search` on this machine needs that comes soon, with `concurrency` trials at once where that
        is known, of the `models` of these names, see `autoft.interfaces.model.Imports`; it may not come at all. Yields a function that
        returns once all is ready, or raises what kept it from being so. Left at the end of the run, and then nothing of it is left: what
        the search leaves behind may end in the background until then."""
        ...


@runtime_checkable
class Reaches(Protocol):
    """What a tuner may have beside: trials on a Ray cluster that is there already."""

    def reach(self, address: str) -> None:
        """Called before anything is written, with the `ray_address` of the request to come. Raises SettingsError within seconds where no
        cluster can be used there."""
        ...
