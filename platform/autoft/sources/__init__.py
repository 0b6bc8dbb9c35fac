"""Pretrained weights: which are at hand, and how to get the rest."""

from __future__ import annotations

from autoft.sources.cache import cache_folder
from autoft.sources.resolve import at_hand, fetch, find, resolve, ways

__all__ = ["at_hand", "cache_folder", "fetch", "find", "resolve", "ways"]
