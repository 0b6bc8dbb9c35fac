"""The layer that gives a classifier's logits."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


def last_linear(model: Any) -> Any:
    """The last linear layer behind the body; None where there is none with a bias."""
    body = set(map(id, model.base_model.modules()))
    layers = [module for module in model.modules() if isinstance(module, nn.Linear) and id(module) not in body]
    return layers[-1] if layers and layers[-1].bias is not None and layers[-1].out_features == model.config.num_labels else None


def start_at(model: Any, logits: npt.NDArray[np.float64]) -> None:
    """Let the model begin with `logits` (outputs,), those of the shares in the data: else the first steps go into learning that most
    labels are rare (Lin et al., ICCV 2017, section 3.3)."""
    layer = last_linear(model)
    if layer is not None:
        with torch.no_grad():
            layer.bias.copy_(torch.from_numpy(logits))


def fold(layer: Any, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> None:
    """What the layer gives, times `scale` plus `shift`, (outputs,) each, from now on by its weights."""
    by, plus = (torch.as_tensor(np.asarray(values, np.float64), device=layer.weight.device) for values in (scale, shift))
    with torch.no_grad():
        layer.weight.copy_(layer.weight.double() * by[:, None])
        layer.bias.copy_(layer.bias.double() * by + plus)


def rescaled(model: Any, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Any:
    """A model with a last layer of its own, into which `fold` puts these; all other weights are shared with `model`. None where there is
    no such layer."""
    layer = last_linear(model)
    if layer is None:
        return None
    shared = {id(one): one for one in (*model.parameters(), *model.buffers()) if one is not layer.weight and one is not layer.bias}
    made = deepcopy(model, shared)
    fold(last_linear(made), scale, shift)
    return made
