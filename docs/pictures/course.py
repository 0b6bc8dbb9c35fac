"""One run as it went: what its trials scored, and when. `PYTHONPATH=docs python -m pictures.course RUN COMMAND` keeps another."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures.paper import WIDTH, box, picture, words

from autoft.history import read_events
from autoft.interfaces.events import RunFinished, StageStarted, TrialFinished
from autoft.progress import STAGES
from autoft.report.charts import nice_ticks
from autoft.report.markup import Markup, tag

KEPT = Path(__file__).with_suffix(".json")
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 46, 270
_DOTS = ("judge", "learn", "test", "soft", "good")
"""Of candidates, in the order in which they first ended a trial."""
_BANDS = {
    "baselines": "judge",
    "ranking": "soft",
    "first points": "early",
    "search": "learn",
    "all rows": "test",
    "confirmation": "good",
    "refit": "judge",
    "averaging": "judge",
    "export and proof": "test",
    "test": "soft",
    "outlook": "early",
}


def kept(run: Path, command: str) -> dict[str, Any]:
    """What the picture needs of a run's folder; seconds count from the start of its command."""
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    events, start = read_events(run / "events.jsonl"), facts["started"]
    ended = next(event for event in events if isinstance(event, RunFinished))
    return {
        "command": command,
        "metric": ended.result["metric"],
        "seconds": round(ended.time - start, 1),
        "stages": [[round(event.time - start, 1), event.stage] for event in events if isinstance(event, StageStarted)],
        "trials": [
            [round(event.time - start, 1), event.candidate, event.status, event.value]
            for event in events
            if isinstance(event, TrialFinished) and event.value is not None
        ],
    }


@dataclass(frozen=True)
class _Axes:
    """Places of seconds and of scores; `ticks` are those of the scores, ascending."""

    seconds: float
    ticks: list[float]

    def across(self, time: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * time / self.seconds, 1)

    def up(self, value: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0]), 1)


def course() -> str:
    """The picture of the run that is kept. The greater score is the better one, as all but errors are."""
    run = json.loads(KEPT.read_text(encoding="utf-8"))
    trials, scores = run["trials"], [value for _, _, _, value in run["trials"]]
    axes = _Axes(run["seconds"], nice_ticks(min(scores), max(scores)))
    colours = dict(zip(dict.fromkeys(candidate for _, candidate, _, _ in trials), _DOTS, strict=False))
    stages, below = run["stages"], _BOTTOM + 74 + 20 * len(colours)
    return picture(
        below + 20 * ((len(stages) + 1) // 2),
        f"{run['command']}: {len(trials)} trials by the time they ended; the best has {run['metric']} {max(scores):.3f}",
        words(16, 28, f"{run['metric']} on the validation rows", "ink title"),
        *_bands(axes, stages),
        *_scales(axes),
        tag("path", d=_best(axes, trials), stroke_width=2, cls="ink-line"),
        *(_dot(axes.across(time), axes.up(value), colours[name], hollow=status != "done") for time, name, status, value in trials),
        *_who(colours),
        *_when(stages, below),
    )


def _bands(axes: _Axes, stages: list[Any]) -> list[Markup]:
    ends = [*(time for time, _ in stages[1:]), axes.seconds]
    spans = [(axes.across(begun), axes.across(ended), stage) for (begun, stage), ended in zip(stages, ends, strict=True)]
    return [_tinted(left, _TOP, right - left, _BOTTOM - _TOP, _BANDS[stage]) for left, right, stage in spans]


def _scales(axes: _Axes) -> list[Markup]:
    parts = []
    for tick in axes.ticks:
        parts.append(tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=axes.up(tick), y2=axes.up(tick), cls="line-line"))
        parts.append(words(_LEFT - 7, axes.up(tick) + 4, f"{tick:g}", "soft end"))
    for minute in range(int(axes.seconds // 60) + 1):
        parts.append(words(axes.across(60 * minute), _BOTTOM + 18, f"{minute}:00", "soft middle" if minute else "soft"))
    return parts


def _best(axes: _Axes, trials: list[Any]) -> str:
    """The best score so far, as a path."""
    (first, _, _, best), path = trials[0], ""
    start = f"M{axes.across(first)} {axes.up(best)}"
    for time, _, _, value in trials[1:]:
        if value > best:
            path, best = f"{path}H{axes.across(time)}V{axes.up(value)}", value
    return f"{start}{path}H{axes.across(axes.seconds)}"


def _who(colours: dict[str, str]) -> list[Markup]:
    """What the colours of the dots say, and the line."""
    parts, y = [], _BOTTOM + 44
    for name, colour in colours.items():
        parts += [_dot(22, y - 4, colour), words(34, y, name, "ink")]
        y += 20
    parts += [_dot(22, y - 4, "soft", hollow=True), words(34, y, "stopped early", "soft")]
    return [*parts, tag("path", d=f"M172 {y - 4}h22", stroke_width=2, cls="ink-line"), words(202, y, "the best so far", "soft")]


def _when(stages: list[Any], below: float) -> list[Markup]:
    """The stages with their beginnings, two a line."""
    parts = []
    for number, (begun, stage) in enumerate(stages):
        x, y = 16 + 200 * (number % 2), below + 20 * (number // 2)
        parts += [_tinted(x, y - 11, 12, 12, _BANDS[stage]), words(x + 19, y, f"{_clock(begun)} {STAGES[stage].partition(':')[0]}", "ink")]
    return parts


def _dot(x: float, y: float, colour: str, *, hollow: bool = False) -> Markup:
    return tag("circle", cx=x, cy=y, r=4, stroke_width=1.6 if hollow else None, cls=f"{colour}-line" if hollow else colour)


def _tinted(x: float, y: float, width: float, height: float, name: str) -> Markup:
    return tag("g", box(x, y, width, height, name, 0), opacity=0.22)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


if __name__ == "__main__":
    KEPT.write_text(json.dumps(kept(Path(sys.argv[1]), sys.argv[2])).replace("], [", "],\n [") + "\n", encoding="utf-8")
