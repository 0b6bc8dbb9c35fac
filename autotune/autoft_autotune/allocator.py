"""Which candidate gets the next trial.

First every candidate gets one trial. From then on a candidate is an arm of a bandit: the next trial goes to the largest
`best + EXPLORATION * sqrt(ln(all trials) / its trials)`, the rule UCB1 of Auer, Cesa-Bianchi and Fischer (Machine Learning 47, 2002),
with the best score in place of the mean, since one good trial is what is wanted. Scores are scaled to 0..1 between candidates. While the
first trial of a candidate does what its others will find done, the next trial goes to another candidate. Where the time does not carry
the first trials of all, one after the other, a candidate waits for those of better sources.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from autoft.interfaces.model import Candidate

EXPLORATION = 0.35
NOISE = 0.05
"""Differences below this share of the best score do not set candidates apart."""

SHARE = 0.95
"""A trial is started when at least this share of its expected duration is left; a candidate's first already at `FIRST_SHARE`."""

FIRST_SHARE = 0.5
GIVE_UP_AFTER = 3
"""Failures without a single score after which a candidate gets no more trials."""

FAR_PATIENCE, PATIENCE, LEADERS_PATIENCE = 6, 12, 48
"""Trials in a row that do not better a candidate's best, after which it gets no more within a budget, where that is set apart from the best
of all, where it is not, and where it is the best: a cheap one would else be tried hundreds of times while a dear one runs, and take the
time of confirmation and refit."""

LEAST_SECONDS = 1.0


@dataclass
class _Arm:
    candidate: Candidate
    asked: int = 0
    failed: int = 0
    best: float | None = None
    best_ended: float | None = None
    stale: int = 0
    exhausted: bool = False
    durations: dict[int, float] = field(default_factory=dict)
    _typical: float | None = None
    _shared: float = 0.0

    def took(self, number: int, seconds: float, shared: float) -> None:
        self.durations[number], self._typical = seconds, None
        self._shared = max(self._shared, shared)

    def typical(self) -> float | None:
        """Seconds of a whole trial, the median of those measured; asked far more often than one is measured."""
        if self._typical is None and self.durations:
            self._typical = median(self.durations.values())
        return self._typical

    def whole(self) -> float | None:
        """The same with what only one of its trials has to do, as `flops` counts it."""
        typical = self.typical()
        return None if typical is None else typical + self._shared

    @property
    def prepares(self) -> bool:
        """Whether its first trial is doing what is done once for all of them: a second one beside it would do it again."""
        return bool(self.candidate.shared) and not self.durations and not self.failed

    @property
    def open(self) -> bool:
        return not self.exhausted and not (self.best is None and self.failed >= GIVE_UP_AFTER)


class Allocator:
    """Candidates in turn. With `clock` false no choice depends on how long anything took. `speed`: floating-point operations a second that
    a trial is promised, 0 where that is not known."""

    def __init__(self, candidates: Sequence[Candidate], named: frozenset[str], *, clock: bool, slots: int = 1, speed: float = 0.0) -> None:
        self._clock, self._speed = clock, speed
        self._arms = {candidate.name: _Arm(candidate) for candidate in candidates}
        # Side by side the longest goes first, so that it is not the one that the deadline cuts off; one after the other the shortest,
        # so that each gets its turn and the longest may fit its horizon into what is left. What is known to do better waits for none.
        turn = (-1.0 if slots > 1 else 1.0) if clock else 0.0
        self._firsts = sorted(candidates, key=lambda c: (c.name not in named, not (clock and c.preferred), turn * c.flops))
        self._one_by_one = clock and slots == 1

    def choose(self, seconds_left: float | None) -> Candidate | None:
        """The candidate of the next trial, or None when none is left or none fits into `seconds_left`."""
        firsts = [c for c in self._firsts if not self._arms[c.name].asked and self._fits(c.name, seconds_left)]
        first = next((c for c in firsts if not self._crowds_out(c, firsts, seconds_left)), None)
        if first is not None:
            return first
        arms = [arm for name, arm in self._arms.items() if arm.asked and self._fits(name, seconds_left)]
        arms = [arm for arm in arms if not arm.prepares] or arms
        return max(arms, key=self._bound).candidate if arms else None

    def started(self, name: str) -> None:
        self._arms[name].asked += 1

    def observed(self, name: str, number: int, key: float | None, seconds: float, progress: int, shared: float = 0.0) -> None:
        """Trial `number` stands at `progress` percent after `seconds`, of which further trials will not need the `shared` ones; its best
        score (greater is better) is `key`."""
        arm = self._arms[name]
        if key is not None and math.isfinite(key):
            arm.best = key if arm.best is None else max(arm.best, key)
        if progress > 0:
            arm.took(number, (seconds - shared) * 100 / progress, shared)

    def ended(self, name: str, key: float | None) -> None:
        """A trial of this candidate has ended with `key` as its best score."""
        arm = self._arms[name]
        better = key is not None and math.isfinite(key) and (arm.best_ended is None or key > arm.best_ended)
        arm.stale = 0 if better else arm.stale + 1
        arm.best_ended = key if better else arm.best_ended

    def failed(self, name: str) -> None:
        self._arms[name].failed += 1

    def has_time(self, name: str, seconds_left: float | None) -> bool:
        """Whether a trial of this candidate that was begun before may be begun again: whatever became of the candidate, if it can end."""
        if seconds_left is None or not self._clock:
            return True
        return seconds_left >= max(LEAST_SECONDS, SHARE * (self.expected_seconds(name) or 0.0))

    def exhaust(self, name: str) -> None:
        """Nothing new is left to try of this candidate."""
        self._arms[name].exhausted = True

    def expected_seconds(self, name: str) -> float | None:
        """Of one trial: the median of those measured, else by FLOPs from the fastest of the others, or at the speed that was promised
        where that is faster: small ones are mostly overhead, and what was not tried has the benefit of the doubt."""
        arm = self._arms[name]
        if arm.durations:
            return arm.typical()
        known = [(seconds, other.candidate.flops) for other in self._arms.values() if (seconds := other.whole()) is not None]
        rates = [seconds / flops for seconds, flops in known if flops]
        if self._speed:
            rates.append(1 / self._speed)
        return min(rates) * arm.candidate.flops if rates and arm.candidate.flops else None

    def _fits(self, name: str, seconds_left: float | None) -> bool:
        arm = self._arms[name]
        if not arm.open or seconds_left is None or not self._clock:
            return arm.open
        if self._is_spent(arm):
            return False
        if not any(other.durations for other in self._arms.values()):
            return seconds_left >= LEAST_SECONDS  # a promise alone keeps nothing from being tried
        share = SHARE if arm.asked else FIRST_SHARE
        return seconds_left >= max(LEAST_SECONDS, share * (self.expected_seconds(name) or 0.0))

    def _crowds_out(self, one: Candidate, firsts: Sequence[Candidate], seconds_left: float | None) -> bool:
        """Whether behind its first trial there would be no time for all those of sources that are ranked better."""
        if seconds_left is None or one.place is None or not self._one_by_one:
            return False
        better = [c for c in firsts if c.place is not None and c.place < one.place]
        return bool(better) and sum(self.expected_seconds(c.name) or 0.0 for c in (one, *better)) > seconds_left

    def _is_spent(self, arm: _Arm) -> bool:
        first = max((other.best for other in self._arms.values() if other.best is not None), default=0.0)
        if arm.best is None or first - arm.best > NOISE * abs(first):
            return arm.stale >= FAR_PATIENCE
        return arm.stale >= (LEADERS_PATIENCE if arm.best >= first else PATIENCE)

    def _bound(self, arm: _Arm) -> float:
        known = [other.best for other in self._arms.values() if other.best is not None]
        if arm.best is None:
            score = 0.0
        else:
            spread = max(max(known) - min(known), NOISE * max(abs(value) for value in known), 1e-12)
            score = 1 - (max(known) - arm.best) / spread
        total = sum(other.asked for other in self._arms.values())
        return score + EXPLORATION * math.sqrt(math.log(total) / arm.asked)
