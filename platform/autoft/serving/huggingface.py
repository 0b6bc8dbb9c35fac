"""The shapes of Hugging Face's inference API, which its clients send to and expect from `POST /`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoft.serving.requests import RequestError


def parameters_of(body: Mapping[str, Any]) -> int | None:
    """`top_k` of the request's parameters. Raises RequestError for those that this server cannot honour."""
    given = body.get("parameters") or {}
    if not isinstance(given, Mapping):
        raise RequestError(422, "parameters should be an object", "parameters")
    for name, value in given.items():
        if name not in ("top_k", "function_to_apply"):
            raise RequestError(422, f"there is no parameter {name!r}; known: top_k, function_to_apply", f"parameters.{name}")
        if name == "function_to_apply" and value not in (None, "softmax"):
            raise RequestError(422, "function_to_apply can be softmax only: scores are probabilities", "parameters.function_to_apply")
    top = given.get("top_k")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise RequestError(422, "top_k should be a whole number from 1", "parameters.top_k")
    return top


def classes_of(answer: Mapping[str, Any], top: int | None) -> list[dict[str, Any]]:
    """`[{"label", "score"}]`, the likeliest first. Raises RequestError where the task's answers are no classes."""
    scores = answer.get("scores")
    if not isinstance(scores, Mapping):
        if "label" not in answer or "score" not in answer:
            raise RequestError(422, "this model's answers have no Hugging Face shape; use POST /predict")
        scores = {answer["label"]: answer["score"]}
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    return [{"label": label, "score": score} for label, score in ranked[:top]]
