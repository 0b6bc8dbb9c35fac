"""What was measured, in words: for the screen and for the page."""

from __future__ import annotations

from autoft.benching.figures import Asked, Beside, ColdStart, Latency, Measurements, Memory, Throughput
from autoft.data.names import counted
from autoft.progress import duration, plain
from autoft.runtime.advice import Setting

ONE_ROW = ("length", "threads", "p50 ms", "p95 ms", "p99 ms", "p50 of rounds", "calls")
MANY_ROWS = ("length", "sessions", "threads", "batch", "rows a second", "of passes", "tokens a second", "passes")
"""Names of the columns that `one_row` and `many_rows` give the cells of."""


def asked_in_words(asked: Asked) -> str:
    """Which rows, and how long they are."""
    whose = {
        "file": f"{counted(asked.rows, 'row')} of {plain(asked.name)}",
        "run": f"{counted(asked.rows, 'row')} of the run's data, {plain(asked.name)}",
        "made": f"{counted(asked.rows, 'row')} of texts made for the purpose (--input FILE measures with yours)",
    }[asked.kind]
    length = "" if asked.units is None else f", {asked.units:.0f} tokens a row on average"
    return whose + length + (f"; not the run's data: {plain(asked.why)}" if asked.why else "")


def setting_in_words(setting: Setting) -> str:
    """Sessions and threads."""
    return f"{counted(setting.sessions, 'session')} of {counted(setting.threads, 'thread')}"


def advice_in_words(measured: Measurements) -> tuple[str, str]:
    """For a server, and for a file."""
    advice, figures = measured.advice, measured.advice.measured
    server = f"{setting_in_words(advice)}, up to {counted(advice.batch, 'row')} a batch"
    files = f"{setting_in_words(advice.files)}, up to {counted(advice.files.batch, 'row')} a batch"
    return (
        f"autoft serve: {server}: {speed(figures['rows_per_second'])} rows a second one by one, "
        f"{milliseconds(figures['p50_ms'])} ms for a lone one",
        f"autoft predict --input: {files}: {speed(figures['files_rows_per_second'])} rows a second",
    )


def taken_in_words(measured: Measurements) -> str:
    """Whether the advice is in the bundle, and where it counts."""
    if not measured.advice_written:
        return "It was not written into the bundle."
    where = f"on machines with {counted(measured.machine.cores, 'processor')}"
    return f"It is in autoft.json; both commands take it {where}, unless their flags say otherwise."


def memory_in_words(memory: Memory) -> str:
    """In MiB."""
    opened, answered, peak, bare = (round(size / 2**20) for size in (memory.opened, memory.answered, memory.peak, memory.started))
    rows = counted(memory.rows, "row")
    return f"{opened} MiB once the bundle is open, {answered} MiB after {rows}, {peak} MiB at most; Python alone takes {bare} MiB"


def start_in_words(start: ColdStart) -> str:
    """Of a new process."""
    of = f"{start.low:.2f} to {start.high:.2f} s in {counted(start.n, 'start')}"
    return f"{start.seconds:.2f} s from a new process to its first answer ({of}), of which {start.opening:.2f} s open the bundle"


def beside_in_words(beside: Beside) -> str:
    """How much quicker than PyTorch, or slower."""
    one = f"one row takes {milliseconds(beside.latency.p50_ms)} ms there, {times(beside.quicker)} as long as here"
    many = f"{speed(beside.rate.rows_per_second)} rows a second there; here {times(beside.faster)} as many"
    return f"PyTorch {beside.torch} with {counted(beside.threads, 'thread')}: {one}; {many}"


def took_in_words(measured: Measurements) -> str:
    """How long it took."""
    return f"{duration(measured.seconds)}, {counted(measured.rounds, 'round')}; each setting once a round, in another order each time"


def one_row(found: Latency) -> tuple[str, ...]:
    """Cells of a row of a table."""
    tails = ("-" if value is None else milliseconds(value) for value in (found.p95_ms, found.p99_ms))
    of = f"{milliseconds(found.low_ms)} to {milliseconds(found.high_ms)}"
    return (length_in_words(found.length), str(found.threads), milliseconds(found.p50_ms), *tails, of, f"{found.n:,}")


def many_rows(found: Throughput) -> tuple[str, ...]:
    """Cells of a row of a table."""
    setting = (str(found.sessions), str(found.threads), str(found.batch))
    tokens = "-" if found.tokens_per_second is None else speed(found.tokens_per_second)
    of = f"{speed(found.low)} to {speed(found.high)}"
    return (length_in_words(found.length), *setting, speed(found.rows_per_second), of, tokens, f"{found.n:,}")


def fastest(throughput: tuple[Throughput, ...]) -> set[int]:
    """The places of those with the most rows a second, one for each length."""
    best: dict[int | None, int] = {}
    for place, found in enumerate(throughput):
        known = best.get(found.length)
        if known is None or found.rows_per_second > throughput[known].rows_per_second:
            best[found.length] = place
    return set(best.values())


def length_in_words(length: int | None) -> str:
    """`as asked` for the rows as they are."""
    return "as asked" if length is None else str(length)


def milliseconds(value: float) -> str:
    """Three digits."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def speed(value: float) -> str:
    """A number a second."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def times(value: float) -> str:
    """`2.1 times`."""
    return f"{value:.2f} times" if value < 10 else f"{value:.0f} times"
