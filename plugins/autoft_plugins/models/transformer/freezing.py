"""The lower layers of an encoder left as they were pretrained: no gradient goes through them."""

from __future__ import annotations

from typing import Any

from autoft.errors import TrialError
from autoft_plugins.models.transformer.structure import STRUCTURES


class LowerLayers:
    """A `share` of a body's layers, the lowest `count`, and what lies below them, look-up tables among it: without gradients until
    `release`. Lee et al. (arXiv 1911.03090, 2019) found a fourth of the layers tuned nearly as good as all.

    What layers share, relative positions for instance, is not learned either, lest a gradient go through those below. Raises TrialError
    for a share of an architecture that is not among `STRUCTURES`.
    """

    def __init__(self, model: Any, share: float) -> None:
        self.count = 0
        self._still: list[Any] = []
        if not share:
            return
        kind = str(model.config.model_type)
        if kind not in STRUCTURES:
            raise TrialError(f"the lower layers of {kind} cannot be left as they are", hint=f"those of {', '.join(STRUCTURES)} can")
        layers = STRUCTURES[kind].layers_of(model)
        self.count = round(share * len(layers))
        above = [*layers[self.count :], *(part for name, part in model.base_model.named_children() if name == "pooler")]
        learned = {id(value) for part in above for value in part.parameters()}
        self._still = [value for value in model.base_model.parameters() if id(value) not in learned and value.requires_grad]
        self._set(False)

    def release(self) -> None:
        """All can be learned again."""
        self._set(True)

    def _set(self, wanted: bool) -> None:
        for value in self._still:
            value.requires_grad_(wanted)
