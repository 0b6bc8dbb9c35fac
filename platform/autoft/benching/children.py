"""Processes that are measured from outside: how they start, what memory they take, and the fitted model in its own library."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any

from autoft.benching.figures import ColdStart, Memory
from autoft.data.table import Table
from autoft.errors import AutoftError


class Child:
    """`python -m MODULE` with a first line of input. A context manager: at its end the process is gone.

    Raises AutoftError, with what the process said last, where it gives no answer.
    """

    def __init__(self, module: str, first: Mapping[str, Any], **environment: str) -> None:
        line = _line(first)
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        # -P: a file in the working directory must not stand in for a module.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            encoding="utf-8",
            env={**os.environ, **environment},
        )
        self._send(line)

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What it answers."""
        self._send(_line(question))
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._silence()
        found: dict[str, Any] = json.loads(line)
        return found

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._silence() from None

    def _silence(self) -> AutoftError:
        status = self._process.wait()
        self._said.seek(0)
        said = self._said.read().strip().splitlines()
        return AutoftError(said[-1] if said else f"the process ended with {status}")

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # what was not sent to a process that is gone
                    pipe.close()
        self._process.wait()
        self._said.close()


def _line(value: Mapping[str, Any]) -> str:
    try:
        return json.dumps(value) + "\n"
    except TypeError as error:
        raise AutoftError(f"the rows of this model cannot be handed to another process: {error}") from None


class Starts:
    """Starts of processes that open the bundle and answer the first of `rows`."""

    def __init__(self, bundle: Path, plugins: Sequence[Path], exporter: str | None, threads: int, rows: Table) -> None:
        self._order = {
            "bundle": str(bundle.absolute()),
            "plugins": [str(path.absolute()) for path in plugins],
            "exporter": exporter,
            "threads": threads,
        }
        self._rows = rows
        self._stages: list[dict[str, float]] = []

    def memory(self) -> Memory | None:
        """Of a process that answers all rows; None where the system does not tell. It is no cold start: it fetches the files."""
        with Child("autoft.benching.started", {**self._order, "rows": dict(self._rows.columns), "load": True}) as child:
            child.hear()
            found = child.hear()
        return Memory(**found) if found else None

    def turn(self, seconds: float) -> list[float]:  # noqa: ARG002
        """One start."""
        started = time.perf_counter()
        with Child("autoft.benching.started", {**self._order, "rows": dict(self._rows.take([0]).columns), "load": False}) as child:
            stages = child.hear()
            taken = time.perf_counter() - started
        self._stages.append(stages)
        return [taken]

    def figures(self, turns: Sequence[Sequence[float]]) -> ColdStart:
        """Of those that were made in `turns`."""
        taken = [seconds for turn in turns for seconds in turn]
        stages = {name: median(stage[name] for stage in self._stages) for name in ("opening", "answering")}
        return ColdStart(n=len(taken), seconds=median(taken), low=min(taken), high=max(taken), **stages)


class FittedTurn:
    """One of the things that the process with the fitted model is asked for: `few` or `many`, see `autoft.benching.fitted`."""

    def __init__(self, child: Child, what: str) -> None:
        self._child, self._what = child, what

    def turn(self, seconds: float) -> list[float]:
        found: list[float] = self._child.ask({"what": self._what, "seconds": seconds})["seconds"]
        return found


def fitted_model(bundle: Path, candidate: str, model: Path, plugins: Sequence[Path], threads: int, few: Table, many: Table) -> Child:
    """A process with the model that the run's folder `model` holds, on so many threads; its first line says which torch it has."""
    first = {
        "bundle": str(bundle.absolute()),
        "plugins": [str(path.absolute()) for path in plugins],
        "model": str(model.absolute()),
        "name": candidate.partition(":")[0],
        "few": dict(few.columns),
        "many": dict(many.columns),
    }
    return Child("autoft.benching.fitted", first, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
