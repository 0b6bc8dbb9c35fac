"""The formats of a bundle: each is written by its exporter and proved by the core, and one that rounds is kept where it costs little."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from autoft.catalog import Catalog
from autoft.disk import inside
from autoft.errors import AutoftError, ExportError
from autoft.interfaces.encoder import Arrays, Encoding
from autoft.interfaces.exporter import Approximates, Converts, Exported, Exporter, encoding_before
from autoft.interfaces.model import Fitted, Program
from autoft.interfaces.problem import Frozen, Metric
from autoft.interfaces.task import Decoder
from autoft.proof import MOST_ROWS, answered, prove
from autoft.runtime.bundle import FormatRecord
from autoft.steps.understand import Understood

SAMPLES, SAMPLE_BATCH = 256, 8
"""Rows that were learned from, and how many at a time, by which formats see what their numbers are like."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Judged:
    """Weights that tell what rounding costs: those that are exported, or those of the trial before its refit. `unseen`: they did not learn
    from the validation rows. `spent` are points that were lost before anything was rounded, by a vocabulary that was trimmed."""

    fitted: Fitted
    decoder: Decoder
    unseen: bool
    spent: float = 0.0


class Loss(Frozen):
    """What rounding costs on validation rows, or a smaller vocabulary on rows that had no say in it. Points are hundredths of a metric that
    grows, percent of one that falls."""

    metric: str
    before: float
    after: float
    points: float = Field(description="above 0 where the metric got worse")
    allowed: float
    spent: float = Field(default=0.0, description="points that a trimmed vocabulary has cost; `allowed` is what was left")
    rows: int
    weights: Literal["trial", "final"] = Field(description="trial: of weights that did not learn from the validation rows")
    held_to: Literal["labels", "answers"] = Field(default="labels", description="answers: to what the weights answered before")

    @property
    def kept(self) -> bool:
        return self.points <= self.allowed + 1e-9

    def in_words(self) -> str:
        """How many points, of how many rows, and how many may be."""
        less = f" less {self.spent:.1f} for the trimmed vocabulary" if self.spent else ""
        return f"{self.points:.1f} points of {self.metric} ({self.measured}); at most {self.allowed:g} may be (--max-loss{less})"

    @property
    def measured(self) -> str:
        """By what, in words."""
        if self.held_to == "answers":
            return f"by its own answers with the whole vocabulary, {self.rows} rows"
        seen = "" if self.weights == "trial" else ", which the weights have learned from"
        return f"{self.before:.4f} to {self.after:.4f} on {self.rows} validation rows{seen}"


@dataclass(frozen=True)
class Site:
    """What the formats of one bundle share; `proving` gives the seconds for a proof's pass over the validation rows and for the
    `then` rows that are asked about after it, None where no clock runs."""

    fitted: Fitted
    decoder: Decoder
    program: Program
    understood: Understood
    catalog: Catalog
    folder: Path
    threads: int
    proving: Callable[[], float | None] = lambda: None
    then: int = 0

    def encoding(self, folder: Path, exporter: Exporter) -> Encoding:
        config = self.program.encoder.config
        return encoding_before(exporter, self.catalog.encoder(self.program.encoder.name).open(folder, config), config)


def add_formats(
    names: Sequence[str],
    site: Site,
    judged: Callable[[], Judged],
    max_loss: float,
    say: Say,
    have: Mapping[str, FormatRecord] | None = None,
) -> dict[str, FormatRecord]:
    """Write and prove the formats `names`, the one to be served first, and those they are made out of, into the site's folder.

    What comes back is kept: those of `have`, which lie there already, and those of `names` that hold, in this order. A format that is
    refused is said and leaves nothing; where none of `names` holds, what they are made out of stands in for them. Raises ExportError
    where that is refused, too.
    """
    kept: dict[str, FormatRecord] = dict(have or {})
    reasons: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=site.folder.parent, prefix="judged-") as scratch:
        judge = _Judge(site, judged, max_loss, Path(scratch))
        for name in in_order(names, site.catalog):
            base = getattr(site.catalog.exporter(name), "converts", None)
            if name in kept:
                continue
            if base in reasons:
                reasons[name] = f"it is made out of {base}, which was refused"
                continue
            try:
                kept[name] = _format(name, site, judge)
            except AutoftError as error:
                reasons[name] = error.message
    refused = [name for name in names if name in reasons]
    for name in reasons:
        if name in names or len(refused) == len(names):
            say(f"no {name}: {reasons[name]}")
    if not any(name in kept for name in in_order(names, site.catalog)):
        raise ExportError("; ".join(dict.fromkeys(reasons.values())), hint="the weights are kept in the run's folder")
    wanted = [name for name in names if name in kept] or [name for name in kept if name not in (have or {})]
    for name in [name for name in kept if name not in wanted and name not in (have or {})]:
        discard(site.folder, kept.pop(name).files)
    return {name: kept[name] for name in [*wanted, *kept]}


def in_order(names: Sequence[str], catalog: Catalog) -> list[str]:
    """The names, and before each what it is made out of. Raises PluginError for a format that is not known, ExportError for a circle."""
    found: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ExportError(f"the formats {' and '.join(above)} are made out of one another")
        exporter = catalog.exporter(name)
        if isinstance(exporter, Converts):
            visit(exporter.converts, (*above, name))
        if name not in found:
            found.append(name)

    for name in names:
        visit(name, ())
    return found


def write_encoder(program: Program, folder: Path) -> None:
    """What stands before every graph: the encoder's files. Raises ExportError."""
    for name, content in program.encoder.files.items():
        try:
            target = inside(folder, name)
        except AutoftError:
            raise ExportError(f"the encoder {program.encoder.name} names a file outside the bundle: {name}") from None
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def discard(folder: Path, files: Sequence[str]) -> None:
    """Take files of a format away, and folders that are empty then."""
    for name in files:
        path = inside(folder, name)
        path.unlink(missing_ok=True)
        if path.parent != folder and not any(path.parent.iterdir()):
            path.parent.rmdir()


def format_result(name: str, one: FormatRecord) -> dict[str, Any]:
    """What result.json tells of a format; the whole of it is in autoft.json."""
    kept = ("max_difference", "agreement", "rounding")
    return {"name": name, "bytes": one.bytes, **{key: one.proof.get(key) for key in kept}, "loss": one.loss}


def _format(name: str, site: Site, judge: _Judge) -> FormatRecord:
    exporter, understood = site.catalog.exporter(name), site.understood
    before = _files(site.folder)
    try:
        exported = _written(exporter, site.program, site, site.folder)
        rounding = exporter.rounding if isinstance(exporter, Approximates) else None
        loss = judge.loss(exporter) if rounding else None
        if loss and not loss.kept:
            raise ExportError(f"its rounding costs {loss.in_words()}")
        proof = prove(
            site.fitted,
            exporter.open(site.folder, site.threads),
            site.encoding(site.folder, exporter),
            understood.task,
            understood.problem,
            understood.rows.take(understood.validated),
            decoder=site.decoder,
            seconds=site.proving(),
            then=site.then,
            rounding=rounding,
        )
        if not proof.passed:
            raise ExportError("the export was refused by the proof: " + "; ".join(proof.reasons))
    except BaseException as error:
        discard(site.folder, sorted(_files(site.folder) - before))
        if isinstance(error, OSError):
            raise ExportError(f"it could not be written: {error.strerror or error}") from error
        raise
    return FormatRecord(
        files=exported.files,
        bytes=sum(inside(site.folder, name).stat().st_size for name in exported.files),
        details=exported.details,
        proof=proof.model_dump(mode="json"),
        loss=loss.model_dump(mode="json") if loss else None,
    )


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _written(exporter: Exporter, program: Program, site: Site, folder: Path) -> Exported:
    """Raises ExportError; an exporter that raises anything else is a plugin's fault and told as such."""
    reason = exporter.supports(program, site.understood.problem)
    if reason is not None:
        raise ExportError(f"the exporter {exporter.name} cannot take this model: {reason}")
    try:
        exported = exporter.export(program, site.understood.problem, folder)
    except (AutoftError, OSError):
        raise
    except Exception as error:
        raise ExportError(f"the exporter {exporter.name} failed: {type(error).__name__}: {error}") from error
    absent = [name for name in exported.files if not inside(folder, name).is_file()]
    if absent or not exported.files:
        raise ExportError(f"the exporter {exporter.name} did not write {', '.join(absent) or 'a file'}")
    return exported


def sampled(program: Program, understood: Understood, encoding: Encoding) -> Program:
    """With encoded rows that were learned from, before a refit, too: those of the validation part judge what is made by these."""
    rows = np.random.default_rng(understood.problem.seed).permutation(understood.splits.train)[:SAMPLES]
    parts = [rows[start : start + SAMPLE_BATCH] for start in range(0, len(rows), SAMPLE_BATCH)]
    return replace(program, samples=tuple(encoding.encode(understood.rows.take(part)).arrays for part in parts))


class _Judge:
    """Tells what rounding costs, by the judged weights: exported once, in a folder of their own where they are not those of the bundle."""

    def __init__(self, site: Site, judged: Callable[[], Judged], max_loss: float, scratch: Path) -> None:
        self._site, self._make, self._max_loss, self._scratch = site, judged, max_loss, scratch
        self._judged: Judged | None = None
        self._expected: Arrays | None = None
        self._rows = judged_rows(site.understood)

    def loss(self, exporter: Exporter) -> Loss:
        """Raises ExportError where the judged weights cannot be exported so."""
        self._judged = judged = self._judged or self._make()
        rows = self._site.understood.rows.take(self._rows)
        if self._expected is None:
            self._expected = judged.fitted.outputs(rows)
        folder = self._folder(exporter, judged)
        given = answered(exporter.open(folder, self._site.threads), self._site.encoding(folder, exporter), rows)
        return lost(self._site.understood, judged, self._rows, self._expected, given, self._max_loss)

    def _folder(self, exporter: Exporter, judged: Judged) -> Path:
        """Where the graphs of the judged weights lie in this format."""
        if judged.fitted is self._site.fitted:
            return self._site.folder
        program = judged.fitted.program()
        write_encoder(program, self._scratch)
        # Its encoder may be another one than the bundle's: n-grams are those of the rows that were learned from.
        encoding = self._site.catalog.encoder(program.encoder.name).open(self._scratch, program.encoder.config)
        program = sampled(program, self._site.understood, encoding)
        for name in in_order([exporter.name], self._site.catalog):
            if not (self._scratch / f".{name}").exists():
                _written(self._site.catalog.exporter(name), program, self._site, self._scratch)
                (self._scratch / f".{name}").touch()
        return self._scratch


def judged_rows(understood: Understood) -> npt.NDArray[np.int64]:
    """The numbers of the validation rows, at most `MOST_ROWS`, by which weights are judged."""
    chosen = np.random.default_rng(understood.problem.seed).permutation(len(understood.validated))[:MOST_ROWS]
    return np.sort(understood.validated[chosen])


def lost(
    understood: Understood,
    judged: Judged,
    rows: npt.NDArray[np.int64],
    expected: Arrays,
    given: Arrays,
    max_loss: float,
    *,
    own: bool = False,
) -> Loss:
    """What it costs that the judged weights answer `rows` by the outputs `given` instead of `expected`: by the labels, or by what they
    decide themselves."""
    problem, task = understood.problem, understood.task
    decided, changed = (task.decide(problem, judged.decoder, outputs) for outputs in (expected, given))
    targets = decided if own else understood.targets[rows]
    before, after = (task.score(problem, targets, decisions)[problem.metric.name] for decisions in (decided, changed))
    return Loss(
        metric=problem.metric.name,
        before=before,
        after=after,
        points=points_lost(problem.metric, before, after),
        allowed=max(0.0, max_loss - judged.spent),
        spent=judged.spent,
        rows=len(rows),
        weights="trial" if judged.unseen else "final",
        held_to="answers" if own else "labels",
    )


def points_lost(metric: Metric, before: float, after: float) -> float:
    """How much worse a metric got: in hundredths, or in percent of one that should be small and has the user's units."""
    if metric.greater_is_better:
        return 100 * (before - after)
    return 100 * (after - before) / max(abs(before), 1e-12)
