"""The layer that gives a classifier's logits."""

from __future__ import annotations

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
