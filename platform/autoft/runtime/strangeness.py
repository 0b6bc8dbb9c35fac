"""How strange a row is to the model, by the energy of its logits (Liu et al., NeurIPS 2020, arXiv 2010.03759)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

OUT_OF_DOMAIN = "out_of_domain"
"""In the config of a decoder, and in an answer."""
STEPS = 100
FEWEST = 50
"""Rows, of which the quantiles are taken at least."""

_Floats = npt.NDArray[np.float64]


def energies(logits: npt.NDArray[Any]) -> _Floats:
    """(rows, classes) to (rows,): minus the logarithm of the sum of their exponentials. A row that resembles nothing that was learned moves
    no class's logit far, and has a high one."""
    values = logits.astype(np.float64)
    most = values.max(axis=1, keepdims=True)
    found: _Floats = -(most[:, 0] + np.log(np.exp(values - most).sum(axis=1)))
    return found


def measured(logits: npt.NDArray[Any]) -> dict[str, Any] | None:
    """What the config of a decoder keeps of `logits` of validation rows, which the judged weights had never seen: what parts their energies
    into hundredths. None where the rows are too few."""
    if len(logits) < FEWEST:
        return None
    quantiles = np.quantile(energies(logits), np.linspace(0, 1, STEPS + 1))
    return {"rows": len(logits), "energies": [float(f"{value:.6g}") for value in quantiles]}


def strangeness(record: Mapping[str, Any], logits: npt.NDArray[Any]) -> _Floats:
    """From 0 to 1, (rows,): the share of the validation rows that are less strange."""
    known = np.asarray(record["energies"], np.float64)
    found: _Floats = np.interp(energies(logits), known, np.linspace(0, 1, len(known)))
    return found
