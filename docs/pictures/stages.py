"""The stages of a run, from top to bottom, and the rows that each of them sees."""

from __future__ import annotations

from itertools import accumulate

from pictures.paper import WIDTH, box, picture, words

from autoft.progress import STAGES
from autoft.report.markup import Markup, tag
from autoft.steps.parts import SHARES

_LEFT, _RIGHT, _STRIP = 34, 16, 112
_TEST, _VALIDATION = SHARES["test"], SHARES["validation"]
_TRAIN = 1 - _TEST - _VALIDATION

_Shares = tuple[tuple[str, float], ...]
_WHOLE: _Shares = (("learn", _TRAIN), ("judge", _VALIDATION), ("test", _TEST))
_LEARN_AND_JUDGE: _Shares = (("learn", _TRAIN), ("judge", _VALIDATION), ("none", _TEST))
_JUDGE: _Shares = (("none", _TRAIN), ("judge", _VALIDATION), ("none", _TEST))
_DEALT_ANEW: _Shares = (("learn", 0.2), ("judge", _VALIDATION), ("learn", _TRAIN - 0.2), ("none", _TEST))

SEEN: dict[str, tuple[str, _Shares]] = {
    "baselines": ("something cheap, to be beaten", _LEARN_AND_JUDGE),
    "ranking": ("which pretrained models fit?", (("learn", 0.2), ("none", 0.8))),
    "first points": ("settings that often do well", _LEARN_AND_JUDGE),
    "search": ("what worked is varied further", _LEARN_AND_JUDGE),
    "all rows": ("of many, first a part, now all", _LEARN_AND_JUDGE),
    "confirmation": ("was it luck? the best two again", _DEALT_ANEW),
    "refit": ("the winner learns from more rows", (("learn", _TRAIN + _VALIDATION), ("none", _TEST))),
    "averaging": ("or the mean of the best trials", _JUDGE),
    "distillation": ("a smaller one, where you ask for it", _LEARN_AND_JUDGE),
    "export and proof": ("the served form answers alike", _JUDGE),
    "test": ("one look at untouched rows", (("none", _TRAIN + _VALIDATION), ("test", _TEST))),
    "outlook": ("would more time or rows help?", (("learn", 0.35), ("none", _TRAIN - 0.35), ("judge", _VALIDATION), ("none", _TEST))),
}
"""What a stage is for, and the rows that it sees in the order train, validation, test: learned from, judged by, tested on, or not seen."""

_TRIALS = ((190, "soft"), (70, "early"), (186, "soft"), (36, "early"), (196, "good"))
"""Of trials one below the other: how far they came, and what became of them."""


def stages() -> str:
    """The picture. A stage that is not in `SEEN` is an error: the picture has to be drawn anew."""
    parts = [words(16, 30, "Your rows are parted once", "ink title"), *_strip(16, 44, WIDTH - 32, 26, _WHOLE)]
    for x, (name, share), text in zip((16, 160, 288), _WHOLE, ("learned from", "judged by", "tested on"), strict=True):
        parts += [box(x, 80, 12, 12, name), words(x + 17, 91, f"{share:.0%} {text}", "ink")]
    parts.append(words(16, 132, "The stages, and the rows they see", "ink title"))
    y, dots = 160.0, []
    for stage, text in STAGES.items():
        what, seen = SEEN[stage]
        dots.append(y - 5)
        parts.append(words(_LEFT, y, text.partition(":")[0], "ink name"))
        parts.append(words(_LEFT, y + 18, what, "soft"))
        parts += _strip(WIDTH - _RIGHT - _STRIP, y - 6, _STRIP, 15, seen)
        y += 44
        if stage == "search":
            parts += _trials(y - 8)
            y += 76
    line = tag("line", x1=20, x2=20, y1=dots[0], y2=dots[-1], stroke_width=2, cls="line-line")
    return picture(
        y - 8,
        "The stages of a run from top to bottom. " + " ".join(f"{text}." for text in STAGES.values()),
        line,
        *(tag("circle", cx=20, cy=dot, r=5, cls="soft") for dot in dots),
        *parts,
    )


def _strip(x: float, y: float, width: float, height: float, shares: _Shares) -> list[Markup]:
    starts = [0.0, *accumulate(share for _, share in shares)]
    return [box(x + width * at, y, width * share - 1.5, height, name) for at, (name, share) in zip(starts, shares, strict=False)]


def _trials(y: float) -> list[Markup]:
    """Trials under way, and what their colours say."""
    parts = [box(_LEFT, y + 12 * number, length, 7, name, 3.5) for number, (length, name) in enumerate(_TRIALS)]
    said = (("soft", "a trial to its end"), ("early", "behind: stopped early"), ("good", "the best so far"))
    for number, (name, text) in enumerate(said):
        parts += [box(_LEFT + 206, y + 20 * number + 2, 12, 12, name), words(_LEFT + 223, y + 20 * number + 12, text, "soft")]
    return parts
