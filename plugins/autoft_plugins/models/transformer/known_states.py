"""A model without its lower layers, which are left as they are: it reads what they made of each token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from autoft.interfaces.encoder import Arrays
from autoft_plugins.models.transformer.structure import STRUCTURES, below_layers


class KnownStates:
    """While open, a model begins at its layer `depth`, and its `input_ids` are numbers of tokens whose `states`, (tokens, width), stand in
    for all that lies below: look-up tables, lower layers, and their dropout."""

    def __init__(self, model: Any, depth: int, states: Tensor) -> None:
        self._model, self._structure = model, STRUCTURES[str(model.config.model_type)]
        self._layers = self._structure.layers_of(model)
        self._upper = self._layers[depth:]
        self._below = dict(below_layers(model))
        self._known = dict(zip(self._below, (_Known(states), nn.Identity()), strict=False))
        self._put(self._upper, self._known)

    def translated(self, inputs: Arrays) -> Arrays:
        return inputs

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within: the model has all its layers."""
        self.close()
        try:
            yield
        finally:
            self._put(self._upper, self._known)

    def close(self) -> None:
        """Give the model back what lies below."""
        self._put(self._layers, self._below)

    def _put(self, layers: list[Any], below: dict[str, Any]) -> None:
        self._structure.put_layers(self._model, layers)
        for name, module in below.items():
            setattr(self._model.base_model, name, module)


class _Known(nn.Module):
    """A look-up table of states that is not learned."""

    states: Tensor

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.register_buffer("states", states, persistent=False)

    def forward(self, input_ids: Tensor, *_: Any, **__: Any) -> Tensor:
        return self.states[input_ids].float()
