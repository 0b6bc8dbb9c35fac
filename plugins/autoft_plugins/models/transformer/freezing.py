"""The lower layers of an encoder left as they were pretrained: no gradient goes through them."""

from __future__ import annotations

from typing import Any

from torch import nn

_ABOVE = ("pooler", "final_norm")
"""Parts of a body that lie above its layers."""


class LowerLayers:
    """A `share` of a body's layers, the lowest `count`, and what lies below them, look-up tables among it: without gradients until
    `release`. Lee et al. (arXiv 1911.03090, 2019) found a fourth of the layers tuned nearly as good as all.

    What layers share, relative positions for instance, is not learned either, lest a gradient go through those below.
    """

    def __init__(self, model: Any, share: float) -> None:
        layers = _layers(model)
        self.count = round(share * len(layers))
        above = [*layers[self.count :], *(part for name, part in model.base_model.named_children() if name in _ABOVE)]
        learned = {id(value) for part in above for value in part.parameters()}
        body = [value for value in model.base_model.parameters() if id(value) not in learned and value.requires_grad]
        self._still = body if self.count else []
        self._set(False)

    def release(self) -> None:
        """All can be learned again."""
        self._set(True)

    def _set(self, wanted: bool) -> None:
        for value in self._still:
            value.requires_grad_(wanted)


def _layers(model: Any) -> list[nn.Module]:
    """Those of a model's body, the lowest first; none where it has no list of as many as its config says."""
    many = model.config.num_hidden_layers
    return next((list(found) for found in model.base_model.modules() if isinstance(found, nn.ModuleList) and len(found) == many), [])
