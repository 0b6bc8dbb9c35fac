"""The learning rate over a horizon that is fitted to the time there is on the way."""

from __future__ import annotations


class Schedule:
    """Linear warm-up to 1, then linear decay to 0 at `total` steps. `end_at` keeps the rate as it is and decays from there."""

    def __init__(self, total: int, warmup: float) -> None:
        self.total = total
        self._anchor = round(warmup * total)
        self._peak = 1.0

    def rate(self, step: int) -> float:
        """The factor on the learning rate of step `step` (from 0)."""
        if step < self._anchor:
            return (step + 1) / (self._anchor + 1)
        return self._peak * max(0.0, (self.total - step) / max(1, self.total - self._anchor))

    def end_at(self, step: int, total: int) -> None:
        """End at `total` steps instead; called before step `step`."""
        if step < self._anchor:
            # Not at once to the full rate, which may be a long way yet.
            self._anchor = min(self._anchor, max(step, min(2 * step, total // 2), total // 10))
        else:
            self._peak, self._anchor = self.rate(step), step
        self.total = total


class Horizon:
    """Keeps a schedule within the time there is: measures steps and pauses (evaluations), and shortens when they do not fit. The first
    steps are the slowest: until the first pause, when nobody has been told how far the trial is, it may become longer again.

    At least `LEAST` of the planned steps are kept, or `ENOUGH` where that is fewer: a trial that is shorter still is better cut than
    rushed. Of many rows it may so see a part, once, by a schedule that ends.
    """

    LEAST = 0.3
    ENOUGH = 400
    SOON = 50
    MARGIN = 0.93

    def __init__(self, schedule: Schedule, reports: int, evaluation: float) -> None:
        """With `reports` pauses, each of which is taken to last as long as `evaluation` steps until one was measured."""
        self.schedule, self._evaluation = schedule, evaluation
        self._planned = schedule.total
        self._reports = reports
        self._next = max(5, min(schedule.total // 20, self.SOON))
        self._steps: list[tuple[float, float]] = []
        self._pauses: list[float] = []

    @property
    def share(self) -> float:
        """Of the planned steps, those that the schedule still has."""
        return self.schedule.total / self._planned

    def stepped(self, seconds: float, work: float = 1.0) -> None:
        """A step took so long, with `work` times as much to compute as the mean of all: a few long texts among the first steps do not
        make the rest seem slow."""
        self._steps.append((seconds, work))

    def paused(self, seconds: float) -> None:
        """An evaluation with its report and, perhaps, its saving took so long."""
        self._pauses.append(seconds)

    def check(self, step: int, left: float | None) -> bool:
        """Before step `step` with `left` seconds to go: whether the schedule was changed."""
        if left is None or step < self._next:
            return False
        self._next = step + max(5, self.schedule.total // 10)
        recent = self._steps[1:][-200:] or self._steps
        a_step = sum(seconds for seconds, _ in recent) / sum(work for _, work in recent)
        total = self.schedule.total
        a_pause = max(self._pauses[-2:], default=a_step * self._evaluation)
        pauses = self._reports - len(self._pauses)
        fits = step + int((left * self.MARGIN - pauses * a_pause) / max(a_step, 1e-9))
        fitted = min(self._planned, max(fits, step + 1, min(round(self.LEAST * self._planned), self.ENOUGH)))
        if fitted == total or (fitted > total and self._pauses):
            return False
        self.schedule.end_at(step, fitted)
        return True
