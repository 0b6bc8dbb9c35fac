"""From a fitted model to a bundle that is proved: exported aside, proved by the core, renamed into place only then."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from autoft.catalog import Catalog
from autoft.data.table import Rows
from autoft.errors import ExportError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.exporter import Exporter, Session
from autoft.interfaces.model import Fitted, Program
from autoft.interfaces.task import Decoder
from autoft.proof import Proof, prove
from autoft.steps.understand import Understood


@dataclass(frozen=True)
class Built:
    """A proved export in `folder`, not yet a bundle: autoft.json and README.md are written once the figures are known."""

    folder: Path
    fitted: Fitted
    program: Program
    decoder: Decoder
    proof: Proof
    details: dict[str, object]
    session: Session


@dataclass(frozen=True)
class Chosen:
    """What may be exported: the row of a trial and a model of its recipe, None for the weights that the trial left. Either `refitted` on
    all rows that are not test, or the mean of the weights of the trials `averaged`. `decoder` is its own, and what was calibrated is folded
    into `fitted` then; without one the outputs of the trial are to tell."""

    row: TrialFinished
    fitted: Fitted | None = None
    refitted: bool = False
    averaged: tuple[int, ...] = ()
    decoder: Decoder | None = None


def build(
    fitted: Fitted,
    decoder: Decoder,
    understood: Understood,
    catalog: Catalog,
    exporter_name: str,
    folder: Path,
    threads: int,
    seconds: float | None,
) -> Built:
    """Export into `folder` and prove it, to be served with `decoder`; `seconds` bounds the proof's pass over the validation rows.

    Raises ExportError with the reasons when it is refused; then nothing is left.
    """
    exporter = catalog.exporter(exporter_name)
    problem = understood.problem
    program = fitted.program()
    reason = exporter.supports(program, problem)
    if reason is not None:
        raise ExportError(f"the exporter {exporter_name} cannot take this model: {reason}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return _built(fitted, decoder, program, understood, catalog, exporter, folder, threads, seconds)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _built(
    fitted: Fitted,
    decoder: Decoder,
    program: Program,
    understood: Understood,
    catalog: Catalog,
    exporter: Exporter,
    folder: Path,
    threads: int,
    seconds: float | None,
) -> Built:
    problem = understood.problem
    for name, content in program.encoder.files.items():
        target = (folder / name).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise ExportError(f"the encoder {program.encoder.name} names a file outside the bundle: {name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (folder / "config.json").write_text(json.dumps(dict(program.config), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    exported = exporter.export(program, problem, folder)
    encoding = catalog.encoder(program.encoder.name).open(folder, program.encoder.config)
    session = exporter.open(folder, threads)
    rows = understood.rows.take(understood.validated)
    proof = prove(fitted, session, encoding, understood.task, problem, rows, decoder=decoder, seconds=seconds)
    if not proof.passed:
        raise ExportError(
            "the export was refused by the proof: " + "; ".join(proof.reasons),
            hint="the weights are kept in the run's folder; please report this with the model's name",
        )
    return Built(folder, fitted, program, decoder, proof, exported.details, session)


def held_out(validation: Path) -> tuple[Rows, Arrays]:
    """Row numbers, and the outputs that the judged weights gave for these rows, which they never saw."""
    import numpy as np

    with np.load(validation, allow_pickle=False) as stored:
        return stored["rows"], {name: stored[name] for name in stored.files if name != "rows"}


def decoder_for(fitted: Fitted, understood: Understood, validation: Path) -> Decoder:
    """Fitted on what `held_out` gives, for weights whose outputs no scale was folded into."""
    rows, outputs = held_out(validation)
    decoder = understood.task.fit_decoder(understood.problem, outputs, understood.targets[rows])
    return decoder.joined(fitted.extra())
