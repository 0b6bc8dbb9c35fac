"""Who may learn from the winner: a smaller source that is at hand, or some of the winner's own layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoft import sources
from autoft.catalog import Catalog
from autoft.data.names import nearest
from autoft.data.table import Table
from autoft.errors import SettingsError
from autoft.interfaces.model import Candidate, Distils, Limits
from autoft.interfaces.problem import Problem
from autoft.settings import SMALLEST, Settings, layers_of
from autoft.steps.choose import permitted


@dataclass(frozen=True)
class Pupils:
    """What `--distill` asks for. `candidates` suit the data, the quickest first, or the one that the user `named`; none where
    `layers` of the winner's own are to learn."""

    model: str
    limits: Limits
    candidates: tuple[Candidate, ...] = ()
    layers: int | None = None
    named: bool = False

    def quicker_than(self, teacher: Candidate) -> Candidate | None:
        """The quickest, where it is quicker than the teacher; the one that was named, whatever it is."""
        first = self.candidates[0] if self.candidates else None
        return first if first and (self.named or first.forward < teacher.forward) else None


def pupils_of(
    settings: Settings,
    catalog: Catalog,
    problem: Problem,
    tried: Sequence[Candidate],
    limits: Limits,
    rows: Table,
    say: Callable[[str], None],
) -> Pupils | None:
    """None where nothing is to be distilled. `tried` are the run's own candidates, `rows` is a sample of the inputs.

    Raises SettingsError where nothing can learn so, SourceError where the weights that were named cannot be had.
    """
    wanted = settings.distill
    if wanted is None:
        return None
    name, model = _model(catalog)
    layers = layers_of(wanted)
    if layers is not None:
        if not model.students(problem, [one.source for one in tried if one.source], limits, rows):
            what = f"no candidate has layers, or nothing learns a {problem.task} problem from a teacher"
            raise SettingsError(f"--distill {wanted}: {what}", hint="--distill SOURCE names a smaller source: autoft models")
        return Pupils(name, limits, layers=layers)
    if wanted == SMALLEST:
        pool = sources.at_hand(list(catalog.sources.values()))
    else:
        _known(wanted, catalog)
        pool = [sources.resolve(wanted, catalog.sources, offline=settings.offline, progress=say)]
    found = model.students(problem, pool, limits, rows)
    made = permitted(found, settings.licences, settings.max_size)
    if not made.tried:
        reasons = "; ".join(f"{candidate.name}: {candidate.reason}" for candidate in made.passed_over)
        why = reasons or f"nothing learns a {problem.task} problem from a teacher, or no source for it is at hand"
        raise SettingsError(f"--distill: no source can learn from the winner ({why})", hint="--distill SOURCE names one: autoft models")
    return Pupils(name, limits, tuple(sorted(made.tried, key=lambda candidate: candidate.forward)), named=wanted != SMALLEST)


def _model(catalog: Catalog) -> tuple[str, Distils]:
    for name, model in catalog.models.items():
        if isinstance(model, Distils):
            return name, model
    raise SettingsError("--distill: no model learns from a teacher", hint="autoft plugins lists the models")


def _known(wanted: str, catalog: Catalog) -> None:
    if wanted not in catalog.sources and "/" not in wanted and not Path(wanted).exists():
        close = nearest(wanted, list(catalog.sources))
        hint = "autoft models lists the sources; a folder, a hub id (owner/name) or layers=N works too"
        raise SettingsError(f"--distill: there is no source named {wanted!r}" + (f"; did you mean {close!r}?" if close else ""), hint=hint)
