"""From what was measured to the setting that serves best."""

from __future__ import annotations

from collections.abc import Sequence

from autoft.benching.figures import Latency, Throughput
from autoft.runtime.advice import Advice, Machine, Setting

WORTH, ROUNDS_WON = 1.05, 0.75
"""So many times the rows a second, and more of them in such a share of the rounds, are worth another setting: less may be noise."""
SLOWER = 2.0
"""A server may take so many times as long for a lone row as the quickest setting does, where it answers more rows a second for it."""


def advise(latency: Sequence[Latency], throughput: Sequence[Throughput], batch: int, *, machine: Machine, format: str, when: str) -> Advice:
    """By the rows as they are.

    A server gets requests of a row each: of the settings that are quick enough for a lone one, that with the most rows a second in batches
    of one; its batch is that with the most where a request has many rows. A file gets the most rows a second, whatever a single one takes.
    What is the default anyway, one session with all threads for a server, one thread a session for a file, `batch` rows a batch, stays
    unless another setting is clearly faster.
    """
    lone = {found.threads: found.p50_ms for found in latency if found.length is None}
    cells = [found for found in throughput if found.length is None]
    quick = [cell for cell in cells if lone[cell.threads] <= SLOWER * min(lone.values())]
    server = _most([cell for cell in sorted(quick, key=lambda cell: -cell.threads) if cell.batch == 1])
    same = [cell for cell in cells if (cell.sessions, cell.threads) == (server.sessions, server.threads)]
    files = _most(sorted(cells, key=lambda cell: (cell.threads, cell.batch != batch)))
    return Advice(
        sessions=server.sessions,
        threads=server.threads,
        batch=_most(sorted(same, key=lambda cell: cell.batch != batch)).batch,
        files=Setting(sessions=files.sessions, threads=files.threads, batch=files.batch),
        format=format,
        measured={
            "p50_ms": lone[server.threads],
            "rows_per_second": server.rows_per_second,
            "files_rows_per_second": files.rows_per_second,
        },
        machine=machine,
        when=when,
    )


def _most(cells: Sequence[Throughput]) -> Throughput:
    """The first, unless a later one is clearly faster."""
    best = cells[0]
    for cell in cells[1:]:
        won = [one > other for one, other in zip(cell.by_round, best.by_round, strict=True)]
        if cell.rows_per_second > WORTH * best.rows_per_second and sum(won) >= ROUNDS_WON * len(won):
            best = cell
    return best
