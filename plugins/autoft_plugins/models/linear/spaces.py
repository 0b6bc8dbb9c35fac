"""What is searched, by kind of head and of inputs. The defaults come from benchmarks/linear_defaults.py."""

from __future__ import annotations

from autoft.interfaces.problem import Problem
from autoft.interfaces.space import Choice, Hyperparameters, LogUniform, Parameter, Space
from autoft_plugins.models.classes import class_counts, is_uneven
from autoft_plugins.tasks.entities import TAGS

_MANY_CLASSES = 20


def space_of(problem: Problem) -> Space:
    """`C` is the inverse strength of the penalty, `alpha` its strength; `words` and `characters` are the longest n-grams;
    `class_weight` is the share of the inverse class frequency (sqrt: its root) in the weight of a row."""
    if problem.head.kind == TAGS:
        return _strengths({"C": LogUniform(0.1, 10.0)}, {"C": 1.0}, (3.0, 0.3))
    pairs = len(problem.inputs) > 1
    ngrams: dict[str, Parameter] = {"words": Choice((1, 2)), "characters": Choice((3, 4, 5) if pairs else (4, 5, 6))}
    longest: Hyperparameters = {"words": 2, "characters": 4 if pairs else 5}
    if problem.head.kind == "regression":
        alpha = 8.0 if pairs else 1.0
        return _strengths({"alpha": LogUniform(0.1, 100.0), **ngrams}, {"alpha": alpha, **longest}, (alpha * 3, alpha / 3))
    if problem.head.kind == "multi_label_classification":
        return _weighted({"C": LogUniform(0.3, 100.0), **ngrams}, {"C": 3.0, **longest})
    c = 10.0 if problem.head.outputs > _MANY_CLASSES else 1.0 if pairs else 2.0
    strengths: dict[str, Parameter] = {"C": LogUniform(0.3, 100.0), **ngrams}
    if class_counts(problem) and not is_uneven(problem):
        return _strengths(strengths, {"C": c, **longest}, (c * 3,))
    return _weighted(strengths, {"C": c, **longest})


def _strengths(parameters: dict[str, Parameter], default: Hyperparameters, further: tuple[float, ...]) -> Space:
    """The first parameter is the strength, of which further values are tried first."""
    strength = next(iter(parameters))
    return Space(parameters, default, tuple({**default, strength: value} for value in further))


def _weighted(parameters: dict[str, Parameter], default: Hyperparameters) -> Space:
    weights = {**parameters, "class_weight": Choice(("none", "sqrt", "balanced"))}
    first = tuple({**default, "class_weight": value} for value in ("sqrt", "none"))
    return Space(weights, {**default, "class_weight": "balanced"}, first)
