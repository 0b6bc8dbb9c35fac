"""What chance makes of a figure of some rows."""

from __future__ import annotations

from autoft.interfaces.problem import Metric


def standard_error(metric: Metric, value: float, rows: int) -> float:
    """About that of `value` by `metric` on so many rows, the most it can be for a share of right answers. Errors of rows are in the user's
    units and vary about as much as they measure: for normal ones the deviation of their absolute values is 0.76 of the mean."""
    if not metric.greater_is_better:
        return float(0.76 * abs(value) / max(1, rows) ** 0.5) if abs(value) < float("inf") else 0.0
    return float((0.25 / max(1, rows)) ** 0.5) if abs(value) <= 1 else 0.0
