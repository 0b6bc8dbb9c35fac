"""What a server is asked to do, as one value that can be handed to another process."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from autoft.interfaces.problem import Frozen

QUEUE = 2048
"""Rows that may wait to be answered."""

TIMEOUT = 60.0
"""Seconds that a request may take."""


GPU_TOKENS = 2**14
"""Padded tokens of a batch where the graph runs on a GPU and nothing else was asked for."""


class Named(Frozen):
    """A bundle, and what it is called in URLs."""

    name: str
    folder: Path


class Options(Frozen):
    """Of `autoft serve`, as its flags say."""

    bundles: tuple[Named, ...] = Field(min_length=1)
    plugins: tuple[Path, ...] = ()
    threads: int | None = None
    sessions: int | None = None
    format: str | None = None
    abstain_below: float | None = None
    out_of_domain: bool = False
    truncate: bool = True
    batch_tokens: int | None = Field(
        default=None, ge=0, description="most padded tokens of a batch, into which rows of several requests go; 0 for none"
    )
    queue: int = Field(default=QUEUE, ge=1)
    timeout: float = Field(default=TIMEOUT, gt=0)
    keys: Path | None = Field(default=None, description="the file of keys")
    cors: tuple[str, ...] = Field(default=(), description="origins whose pages may ask")
    log_format: Literal["text", "json"] = "text"
    log_requests: Path | None = Field(default=None, description="the file that rows and answers are written to")
    otel: bool = Field(default=False, description="make spans of requests for OpenTelemetry, as the OTEL_* variables say")
    watch: bool = False
    workers: int = Field(default=1, ge=1)
    orders: Path | None = Field(default=None, description="the folder by which workers tell one another of swaps; None for one process")
