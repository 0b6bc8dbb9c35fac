"""The last layer of an encoder whose head reads nothing but the first token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn


class _Names(NamedTuple):
    """Of modules: the layers below the body, and in each what projects the attention's values and the norm behind it."""

    layers: str
    projection: str
    norm: str


_BERT = _Names("encoder.layer", "attention.output.dense", "attention.output.LayerNorm")
_NAMES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "deberta-v2"), _BERT),
    "mpnet": _Names("encoder.layer", "attention.attn.o", "attention.LayerNorm"),
    "distilbert": _Names("transformer.layer", "attention.out_lin", "sa_layer_norm"),
}
"""Architectures whose classifiers of texts read the first token of the last layer, and whose layers have norms behind their sums."""


def _first(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # noqa: ARG001
    return (arguments[0][:, :1], *arguments[1:])


def _hooks(model: Any) -> list[Any]:
    names = _NAMES.get(str(model.config.model_type))
    if names is None:
        return []
    last = model.base_model.get_submodule(names.layers)[-1]
    # What is projected is one token, and what it is added to is all: the norm gets the first of the sums.
    return [last.get_submodule(name).register_forward_pre_hook(_first) for name in (names.projection, names.norm)]


@contextmanager
def reading_first(model: Any) -> Iterator[None]:
    """Within: the last layer of a classifier of texts computes the first token alone behind its attention, which changes no logit: of the
    operations of a layer's matrices three quarters are saved, of a model of six layers an eighth. An architecture that is not known to
    read only that token is left as it is."""
    hooks = _hooks(model)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def that_reads_first(model: Any) -> Any:
    """A model with the weights of `model`, for which `reading_first` holds for ever."""
    shared = {id(one): one for one in (*model.parameters(), *model.buffers())}
    made = deepcopy(model, shared)
    _hooks(made)
    return made


def is_read_once(key: str, model_type: str, layers: int) -> bool:
    """Whether a weight of that name in a source's files multiplies the first token of a text and no other."""
    names = _NAMES.get(model_type)
    if names is None:
        return False
    _, found, rest = key.partition(f"{names.layers}.{layers - 1}.")
    return "pooler" in key.split(".") or (bool(found) and (rest.startswith(names.projection) or not rest.startswith("attention")))
