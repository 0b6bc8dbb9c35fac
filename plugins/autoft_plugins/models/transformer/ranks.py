"""What the models that stand on a pretrained encoder tell before anything is tuned: which source promises most, what the machine can do."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from autoft.interfaces.model import Candidate, Evidence, FitData


class RanksByFeatures:
    """By the features of the untrained source, whatever is then done with it; `autoft.interfaces.model.Ranks`, and `Imports`."""

    def import_libraries(self) -> None:
        """torch, and what transformers needs to read a source."""
        for name in ("autoft_plugins.models.transformer.training", "transformers.modeling_utils"):
            import_module(name)

    def evidence(self, candidate: Candidate, data: FitData, *, threads: int, gpus: float, stop: Callable[[], bool]) -> Evidence | None:
        """See `autoft_plugins.models.transformer.evidence`; None for a candidate without a source."""
        from autoft_plugins.models.transformer.evidence import evidence

        return None if candidate.source is None else evidence(candidate.source, data, threads, gpus, stop)


class FineTunes(RanksByFeatures):
    """Learns by the loop of `autoft_plugins.models.transformer.training`; `autoft.interfaces.model.Peaks`."""

    def peak_flops(self, *, threads: int, gpus: float) -> float:
        """See `autoft_plugins.models.transformer.precision`."""
        from autoft_plugins.models.transformer.precision import peak_flops

        return peak_flops(threads, gpus)
