"""How a bundle is served best, as `autoft bench` measured it on a machine: a part of autoft.json."""

from __future__ import annotations

from pydantic import Field

from autoft.interfaces.problem import Frozen


class Setting(Frozen):
    """How batches are answered side by side."""

    sessions: int = Field(ge=1, description="batches in work at a time; they share one graph in memory, and its threads")
    threads: int = Field(ge=1, description="of the graph")
    batch: int = Field(ge=1, description="most rows of a batch")


class Machine(Frozen):
    """Where it was measured."""

    processor: str
    cores: int = Field(ge=1, description="processors that the process may use")
    system: str


class Advice(Setting):
    """Its own fields are for a server, `files` is for a file of rows."""

    files: Setting
    format: str = Field(description="the exporter whose graph was measured")
    measured: dict[str, float] = Field(
        description="p50_ms and rows_per_second of one row at a time with the server's setting, files_rows_per_second with that of files"
    )
    machine: Machine
    when: str = Field(description="ISO 8601, UTC")

    def holds(self, cores: int, format: str) -> bool:
        """Whether it was measured with this format on as many processors."""
        return (self.machine.cores, self.format) == (cores, format)
