"""Linear models on counted features: the baseline of every task, and an honest candidate. They learn in seconds and need no source."""

from __future__ import annotations

from autoft_plugins.models.linear.plugin import Linear

__all__ = ["Linear"]
