"""The shapes of Hugging Face's inference API, which its clients send to and expect from `POST /`.

Which shape an answer has is read from what the bundle's answers hold, never from the name of its task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoft.interfaces.problem import Problem
from autoft.runtime.schemas import AnswerKind
from autoft.serving.requests import RequestError, check_row, check_rows, names_of

Answer = Mapping[str, Any]
SIMILARITY = ("source_sentence", "sentences")
"""Fields of a request for sentence similarity."""


@dataclass(frozen=True)
class Question:
    """Rows for a predictor, and `shaped`, which turns their answers into the body that the client expects. `place` tells where in the
    request a row stands."""

    rows: list[Any]
    shaped: Callable[[Sequence[Answer]], list[Any]]
    place: Callable[[int], str | None] = "inputs.{}".format


def question_of(body: Mapping[str, Any], kind: AnswerKind | None, problem: Problem, schema: Mapping[str, Any]) -> Question:
    """What a client asks. `schema` is the bundle's schema of a row. Raises RequestError, naming the field at fault."""
    if "inputs" not in body:
        raise RequestError(422, "inputs is missing", "inputs")
    if kind is None:
        raise RequestError(422, "this model's answers have no Hugging Face shape; use POST /predict")
    if body.get("stream"):
        raise RequestError(422, "answers are not streamed; leave stream out", "stream")
    inputs, parameters = body["inputs"], _parameters(body, kind)
    if isinstance(inputs, Mapping) and any(name in inputs for name in SIMILARITY if name not in names_of(problem)):
        rows = _similar(inputs, kind, problem, schema)
        return Question(rows, lambda answers: [answer["score"] for answer in answers], "inputs.sentences.{}".format)
    if isinstance(inputs, list):
        return Question(check_rows(inputs, problem, schema), lambda answers: _shaped(answers, kind, parameters, single=False))
    check_row(inputs, "inputs", problem, schema)
    return Question([inputs], lambda answers: _shaped(answers, kind, parameters, single=True), lambda _: "inputs")


def _similar(inputs: Mapping[str, Any], kind: AnswerKind, problem: Problem, schema: Mapping[str, Any]) -> list[Any]:
    """A row for each of the sentences beside the source sentence."""
    if kind != "score" or len(problem.inputs) != 2:
        what = "source_sentence and sentences are for models that score pairs; this one is for " + problem.task
        raise RequestError(422, what, "inputs.source_sentence")
    for name in SIMILARITY:
        if name not in inputs:
            raise RequestError(422, f"inputs.{name} is missing", f"inputs.{name}")
    source, sentences = inputs["source_sentence"], inputs["sentences"]
    if not isinstance(source, str):
        raise RequestError(422, "inputs.source_sentence should be a text", "inputs.source_sentence")
    if not isinstance(sentences, list):
        raise RequestError(422, "inputs.sentences should be a list of texts", "inputs.sentences")
    wrong = next((number for number, sentence in enumerate(sentences) if not isinstance(sentence, str)), None)
    if wrong is not None:
        raise RequestError(422, f"inputs.sentences.{wrong} should be a text", f"inputs.sentences.{wrong}")
    first, second = problem.inputs
    return check_rows([{first: source, second: sentence} for sentence in sentences], problem, schema, "inputs.sentences")


# Parameters

PARAMETERS: Mapping[AnswerKind, tuple[str, ...]] = {
    "classes": ("top_k", "function_to_apply"),
    "labels": ("top_k", "function_to_apply"),
    "score": ("function_to_apply",),
    "entities": ("aggregation_strategy", "ignore_labels"),
    "text": (),
}
"""What a client may set, by the kind of answers."""
FUNCTIONS: Mapping[AnswerKind, tuple[str, str]] = {
    "classes": ("softmax", "scores are probabilities that add up to one"),
    "labels": ("sigmoid", "each label has a probability of its own"),
    "score": ("none", "the score is a number in the unit of the training file"),
}
"""The one function that can be applied, by the kind of answers, and why no other can."""
STRATEGIES = ("simple", "first")
"""Of aggregation: what the answers are anyway."""


def _parameters(body: Mapping[str, Any], kind: AnswerKind) -> Mapping[str, Any]:
    """Those of the request. Raises RequestError for one that this server cannot honour."""
    given = body.get("parameters") or {}
    if not isinstance(given, Mapping):
        raise RequestError(422, "parameters should be an object", "parameters")
    kept = {name: value for name, value in given.items() if value is not None}
    for name, value in kept.items():
        if name not in PARAMETERS[kind]:
            known = ", ".join(PARAMETERS[kind]) or "none"
            raise RequestError(422, f"this model takes no parameter {name!r}; known: {known}", f"parameters.{name}")
        reason = _CHECKS[name](value, kind)
        if reason:
            raise RequestError(422, f"{name} {reason}", f"parameters.{name}")
    return kept


def _top_k(value: object, kind: AnswerKind) -> str | None:  # noqa: ARG001
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1 and value >= 1:  # JSON writes 3.0 for 3, too
        return None
    return "should be a whole number from 1"


def _function(value: object, kind: AnswerKind) -> str | None:
    function, reason = FUNCTIONS[kind]
    return None if value == function else f"can be {function} only: {reason}"


def _strategy(value: object, kind: AnswerKind) -> str | None:  # noqa: ARG001
    return None if value in STRATEGIES else f"can be {' or '.join(STRATEGIES)}: entities are whole words, decided by their first piece"


def _labels(value: object, kind: AnswerKind) -> str | None:  # noqa: ARG001
    return None if isinstance(value, list) and all(isinstance(one, str) for one in value) else "should be a list of texts"


_CHECKS: Mapping[str, Callable[[object, AnswerKind], str | None]] = {
    "top_k": _top_k,
    "function_to_apply": _function,
    "aggregation_strategy": _strategy,
    "ignore_labels": _labels,
}


# Answers


def _shaped(answers: Sequence[Answer], kind: AnswerKind, parameters: Mapping[str, Any], *, single: bool) -> list[Any]:
    if kind == "text":
        return [{"generated_text": answer["text"]} for answer in answers]
    if kind == "entities":
        ignored = frozenset(parameters.get("ignore_labels", ()))
        lists = [[entity for entity in answer["entities"] if entity["entity_group"] not in ignored] for answer in answers]
        return lists[0] if single else lists
    return [_ranked(answer, parameters.get("top_k")) for answer in answers]


def _ranked(answer: Answer, top: float | None) -> list[dict[str, Any]]:
    """`[{"label", "score"}]`, the likeliest first. A number stands under the label `score`, as pipelines give a regression."""
    scores = answer.get("scores") or {answer.get("label", "score"): answer["score"]}
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    return [{"label": label, "score": score} for label, score in ranked[: None if top is None else int(top)]]
