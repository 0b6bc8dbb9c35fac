"""The focal loss of Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017."""

from __future__ import annotations

import torch
from torch import Tensor

GAMMA = 2.0


def focal(losses: Tensor) -> Tensor:
    """Cross-entropies, minus the logarithms of p, the probability of what is right, times (1 - p) ** 2: what is learned already counts
    little. Any shape."""
    return (1.0 - torch.exp(-losses)) ** GAMMA * losses
