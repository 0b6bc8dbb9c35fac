"""What `autoft bench` measured: fields may be added, never changed."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from autoft.interfaces.problem import Frozen
from autoft.runtime.advice import Advice, Machine, Setting

SCHEMA = 1


Kind: TypeAlias = Literal["file", "run", "made"]


class Asked(Frozen):
    """The rows that were asked."""

    kind: Kind = Field(description="a file of the user's, the data of the run, or texts made for the purpose")
    name: str = Field(description="the file; empty for texts that were made")
    rows: int
    units: float | None = Field(description="mean length of a row, in tokens; None where rows have no length")
    why: str = Field(default="", description="why it is not the data of the run, where there is a run")


class Spread(Frozen):
    """Of single calls, in milliseconds. A percentile that so few calls cannot tell is None."""

    n: int = Field(description="calls")
    p50_ms: float
    p95_ms: float | None = Field(description="None below 20 calls")
    p99_ms: float | None = Field(description="None below 100 calls")
    low_ms: float = Field(description="the smallest median of a round")
    high_ms: float = Field(description="the largest median of a round")


class Latency(Spread):
    """From one row to its answer."""

    length: int | None = Field(description="tokens of the row; None for the rows as they are")
    threads: int


class Rate(Frozen):
    """Rows a second over many rows."""

    n: int = Field(description="passes over the rows")
    rows: int = Field(description="rows of a pass")
    rows_per_second: float = Field(description="of the median pass")
    low: float = Field(description="of the slowest pass")
    high: float = Field(description="of the fastest pass")
    by_round: tuple[float, ...] = Field(description="of the median pass of each round: what is compared with another setting's")


class Throughput(Setting, Rate):
    """Of a setting."""

    length: int | None = Field(description="tokens of each row; None for the rows as they are")
    tokens_per_second: float | None = Field(description="padding is not counted; None where rows have no length")


class Memory(Frozen):
    """Bytes of a process of its own that were in memory."""

    started: int = Field(description="Python alone, before anything of autoft was imported")
    opened: int = Field(description="once the bundle was open")
    answered: int = Field(description="once `rows` rows were answered, too")
    peak: int
    rows: int


class ColdStart(Frozen):
    """From the start of a process to its first answer, in seconds, with the bundle's files in the system's cache; medians."""

    n: int
    seconds: float
    low: float
    high: float
    opening: float = Field(description="imports, the check of the bundle's files, the graph")
    answering: float = Field(description="the first answer")


class Beside(Frozen):
    """The fitted model in PyTorch, on the same rows, with the same encoder and decoder and as many threads."""

    torch: str = Field(description="its version")
    threads: int
    latency: Spread
    rate: Rate = Field(description="in batches of the model's own choice")
    quicker: float = Field(description="its p50 for one row over the bundle's, the rows as they are")
    faster: float = Field(description="the bundle's rows a second, one session with as many threads and `batch` rows a batch, over its")
    batch: int


class Measurements(Frozen):
    """All of it: what --json prints."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    autoft: str
    bundle: str
    candidate: str
    task: str
    format: str
    max_length: int | None = Field(description="of the encoder, in tokens; None where rows have no length")
    machine: Machine
    versions: dict[str, str]
    when: str = Field(description="ISO 8601, UTC")
    seconds: float = Field(description="that it took")
    rounds: int = Field(description="each setting was measured once a round, in another order each time")
    asked: Asked
    latency: tuple[Latency, ...]
    throughput: tuple[Throughput, ...]
    memory: Memory | None
    cold_start: ColdStart | None
    beside: Beside | None
    default: Setting = Field(description="how a server answers without advice")
    advice: Advice
    advice_written: bool
    notes: tuple[str, ...] = Field(description="what was left out, and why; what else kept the machine busy")
