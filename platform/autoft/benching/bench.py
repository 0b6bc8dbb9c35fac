"""The whole measurement, top to bottom."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from autoft import hardware
from autoft.benching.children import Child, FittedTurn, Starts, fitted_model
from autoft.benching.choice import advise
from autoft.benching.figures import Beside, Latency, Measurements, Memory, Throughput
from autoft.benching.plan import Plan, pairs, plan
from autoft.benching.questions import Ask
from autoft.benching.turns import Tell, Turn, in_turn, rate, spread
from autoft.data.names import counted
from autoft.errors import AutoftError
from autoft.journal import versions
from autoft.loading import load_predictor
from autoft.runtime.advice import Advice, Machine, Setting
from autoft.runtime.bundle import write_advice
from autoft.runtime.predictor import Predictor
from autoft.version import __version__

SECONDS = 30.0
_LOADED = 64
"""Rows that are answered before a process says how much memory it has."""
_BUSY = 0.3
"""The share of the processors that others may keep busy before it is said."""


def bench(
    bundle: Path,
    ask: Ask,
    *,
    plugin_files: Sequence[Path] = (),
    exporter: str | None = None,
    model: Path | None = None,
    seconds: float = SECONDS,
    tell: Tell = lambda *_: None,
) -> Measurements:
    """Measure the bundle in the folder `bundle` for about so many `seconds`, with the rows that `ask` gives, and write what serves it best
    into its advice.

    `exporter` names the format, where it is not the manifest's; `model` is the folder of the fitted model, where there is one. Raises
    BundleError and DataError.
    """
    begun, when = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    cores = hardware.cores()
    notes = _others(cores)
    tell(0.0, "opening the bundle")
    opened = _opened(bundle, plugin_files, exporter, cores)
    predictor = opened[cores]
    questions = ask(predictor)
    tell(0.0, "looking how long a row takes")
    planned = plan(opened, questions.rows, seconds)
    notes += [f"not measured: {what}" for what in planned.left_out]
    starts = Starts(bundle, plugin_files, exporter, cores, planned.many_rows.take(range(min(_LOADED, len(planned.many_rows)))))
    with ExitStack() as stack:
        tell(0.0, "starting other processes")
        cold, memory = _first_start(starts, notes)
        child, torch = _beside(stack, predictor, bundle, model, plugin_files, planned, notes)
        others: list[Turn] = [starts] if cold else []
        others += [FittedTurn(child, what) for what in ("few", "many")] if child else []
        turns: list[Turn] = [*planned.lone, *planned.many, *others]
        found = in_turn(turns, max(seconds - (time.perf_counter() - begun), seconds / 2), tell=tell)
    latency = tuple(cell.figures(turns) for cell, turns in zip(planned.lone, found, strict=False))
    throughput = tuple(cell.figures(turns) for cell, turns in zip(planned.many, found[len(latency) :], strict=False))
    machine = Machine(processor=hardware.processor(), cores=cores, system=hardware.system())
    default = Setting(sessions=1, threads=cores, batch=predictor.batch)
    manifest = predictor.bundle.manifest
    advice = advise(latency, throughput, predictor.batch, machine=machine, format=exporter or manifest.exporter, when=when)
    written = _write(bundle, advice, notes)
    return Measurements(
        autoft=__version__,
        bundle=str(bundle),
        candidate=manifest.provenance.candidate,
        task=manifest.problem.task,
        format=advice.format,
        max_length=predictor.encoding.max_length,
        machine=machine,
        versions=versions(),
        when=when,
        seconds=time.perf_counter() - begun,
        rounds=len(found[0]),
        asked=questions.asked,
        latency=latency,
        throughput=throughput,
        memory=memory,
        cold_start=starts.figures(found[len(latency) + len(throughput)]) if cold else None,
        beside=_compared(torch, found[-2:], len(planned.many_rows), default, latency, throughput) if child else None,
        default=default,
        advice=advice,
        advice_written=written,
        notes=tuple(notes),
    )


def _opened(bundle: Path, plugin_files: Sequence[Path], exporter: str | None, cores: int) -> dict[int, Predictor]:
    """A predictor for each number of threads."""
    wanted = sorted({threads for _, threads in pairs(cores)})
    return {n: load_predictor(bundle, plugin_files=plugin_files, threads=n, at_once=1, exporter=exporter) for n in wanted}


def _others(cores: int) -> list[str]:
    """Whether something else keeps the machine busy, where the system tells."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load <= _BUSY * cores:
        return []
    busy = f"the load in the minute before was {load:.1f} on {counted(cores, 'processor')}"
    return [f"{busy}: something else keeps the machine busy, and the figures may be too low"]


def _first_start(starts: Starts, notes: list[str]) -> tuple[bool, Memory | None]:
    """Whether cold starts can be measured, and the memory of a process; what cannot be had is noted."""
    try:
        memory = starts.memory()
    except AutoftError as error:
        notes.append(f"no cold start and no memory: another process could not answer: {error.message}")
        return False, None
    if memory is None:
        notes.append("no memory: this system has no /proc that tells it")
    return True, memory


def _beside(
    stack: ExitStack, predictor: Predictor, bundle: Path, model: Path | None, plugins: Sequence[Path], planned: Plan, notes: list[str]
) -> tuple[Child | None, str]:
    """The process with the fitted model, and the version of its torch; what stands in the way is noted."""
    reason = ""
    if model is None:
        reason = "the fitted model is not at hand: give the run that left the bundle"
    elif not model.is_dir():
        reason = f"{model} is gone"
    elif find_spec("torch") is None:
        reason = "torch is not installed here"
    if model is None or reason:
        notes.append(f"no comparison with PyTorch: {reason}")
        return None, ""
    candidate = predictor.bundle.manifest.provenance.candidate
    try:
        child = stack.enter_context(fitted_model(bundle, candidate, model, plugins, predictor.threads, planned.few_rows, planned.many_rows))
        torch = child.hear()["torch"]
    except AutoftError as error:
        notes.append(f"no comparison with PyTorch: the model in {model} did not answer: {error.message}")
        return None, ""
    if torch is None:
        notes.append(f"no comparison with PyTorch: {candidate} does not use it")
        return None, ""
    return child, str(torch)


def _compared(
    torch: str,
    turns: Sequence[Sequence[Sequence[float]]],
    rows: int,
    default: Setting,
    latency: Sequence[Latency],
    throughput: Sequence[Throughput],
) -> Beside:
    """`turns` are those of a row at a time, and of passes over `rows` rows."""
    lone, many = spread(turns[0]), rate(turns[1], rows)
    own = next(found for found in latency if (found.length, found.threads) == (None, default.threads))
    same = [found for found in throughput if (found.length, found.sessions, found.threads) == (None, default.sessions, default.threads)]
    all_rows = next((found for found in same if found.batch == default.batch), same[-1])
    return Beside(
        torch=torch,
        threads=default.threads,
        latency=lone,
        rate=many,
        quicker=lone.p50_ms / own.p50_ms,
        faster=all_rows.rows_per_second / many.rows_per_second,
        batch=all_rows.batch,
    )


def _write(bundle: Path, advice: Advice, notes: list[str]) -> bool:
    """Whether the advice could be put into the bundle."""
    try:
        write_advice(bundle, advice)
    except OSError as error:
        notes.append(f"the advice was not written: {bundle} cannot be written to ({error.strerror or error})")
        return False
    return True
