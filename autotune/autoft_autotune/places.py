"""Where on the disk of its machine a worker keeps what trials read and leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoft.interfaces.model import Candidate

HERE = ""
"""In place of a node: all workers are on the driver's machine."""


@dataclass(frozen=True)
class Place:
    """`folder` holds trials/; `stop_file` ends them once it exists; `cache` is `FitData.cache`; workers run in `directory`.

    The machine's clock is `ahead` of the driver's by these seconds; `variables` are for the workers' environment.
    """

    folder: Path
    stop_file: Path
    cache: Path
    directory: Path
    ahead: float = 0.0
    variables: Mapping[str, str] = field(default_factory=dict)

    def at_hand(self, candidate: Candidate) -> Candidate:
        """With the source where this machine has it."""
        return candidate


@dataclass(frozen=True)
class Lodging(Place):
    """On a node of a cluster, in a folder of the node's `Post`, of which `post` is Ray's handle."""

    post: Any = None

    def at_hand(self, candidate: Candidate) -> Candidate:
        """Raises SourceError where the source did not arrive whole."""
        if candidate.source is None:
            return candidate
        import ray
        from ray.exceptions import RayTaskError

        try:
            folder = ray.get(self.post.source.remote(candidate.source.folder))
        except RayTaskError as error:
            raise error.cause from None
        return replace(candidate, source=replace(candidate.source, folder=folder))
