"""The lower layers of an encoder left as they were pretrained: no gradient goes through them, and no dropout."""

from __future__ import annotations

from typing import Any

from autoft.errors import TrialError
from autoft.interfaces.problem import Problem
from autoft_plugins.models.transformer.anatomy import Anatomy
from autoft_plugins.models.transformer.spaces import depths_left
from autoft_plugins.models.transformer.structure import STRUCTURES, below_layers, lowest

MOST_BYTES = 2 << 30
"""What the states of a source may take on the disk; where they would take more, none are kept."""


def state_bytes(shape: Anatomy, tokens: float) -> float:
    """Of what one layer makes of so many tokens, in two bytes a value."""
    return 2 * tokens * shape.width


def kept_depths(shape: Anatomy, problem: Problem, tokens: float) -> tuple[int, ...]:
    """How many of the lowest layers are left as they are by the trials for which it is kept, once for all of them, what these layers make
    of each of `tokens` tokens: none where that is more than `MOST_BYTES`, or where tokens are mixed behind the first of the layers."""
    depths = () if shape.config.get("conv_kernel_size") else depths_left(shape, problem)
    return depths if len(depths) * state_bytes(shape, tokens) <= MOST_BYTES else ()


class LowerLayers:
    """A `share` of a body's layers, the lowest `count`, and what lies below them, look-up tables among it: without gradients until
    `release`. Lee et al. (arXiv 1911.03090, 2019) found a fourth of the layers tuned nearly as good as all.

    What layers share, relative positions for instance, is not learned either, lest a gradient go through those below. Raises TrialError
    for a share of an architecture that is not among `STRUCTURES`.
    """

    def __init__(self, model: Any, share: float) -> None:
        self.count = 0
        self._still: list[Any] = []
        self._resting: list[Any] = []
        if not share:
            return
        kind = str(model.config.model_type)
        if kind not in STRUCTURES:
            raise TrialError(f"the lower layers of {kind} cannot be left as they are", hint=f"those of {', '.join(STRUCTURES)} can")
        layers = STRUCTURES[kind].layers_of(model)
        self.count = lowest(share, len(layers))
        above = [*layers[self.count :], *(part for name, part in model.base_model.named_children() if name == "pooler")]
        learned = {id(value) for part in above for value in part.parameters()}
        self._still = [value for value in model.base_model.parameters() if id(value) not in learned and value.requires_grad]
        self._resting = [*layers[: self.count], *(module for _, module in below_layers(model))]
        self._set(False)

    def rest(self) -> None:
        """Whatever mode the model is in, these are in evaluation mode."""
        for module in self._resting:
            module.eval()

    def release(self) -> None:
        """All can be learned again."""
        self._set(True)

    def _set(self, wanted: bool) -> None:
        for value in self._still:
            value.requires_grad_(wanted)
