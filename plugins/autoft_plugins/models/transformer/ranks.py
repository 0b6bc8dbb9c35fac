"""How the models that tune a pretrained encoder tell which source promises most."""

from __future__ import annotations

from collections.abc import Callable

from autoft.interfaces.model import Candidate, Evidence, FitData


class RanksByFeatures:
    """By the features of the untrained source, whatever is then done with it; `autoft.interfaces.model.Ranks`."""

    def evidence(self, candidate: Candidate, data: FitData, *, threads: int, gpus: float, stop: Callable[[], bool]) -> Evidence | None:
        """See `autoft_plugins.models.transformer.evidence`; None for a candidate without a source."""
        from autoft_plugins.models.transformer.evidence import evidence

        return None if candidate.source is None else evidence(candidate.source, data, threads, gpus, stop)
