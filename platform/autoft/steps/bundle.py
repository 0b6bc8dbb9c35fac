"""From a fitted model to a bundle that is proved: exported aside, proved by the core, renamed into place only then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoft import afresh
from autoft.catalog import Catalog
from autoft.data.table import Rows
from autoft.errors import ExportError
from autoft.interfaces.encoder import Arrays, Encoding
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Fitted, Program
from autoft.interfaces.task import Decoder
from autoft.proof import Proof
from autoft.runtime.bundle import FormatRecord
from autoft.steps.confirm import Bench
from autoft.steps.formats import Judged, Say, Site, add_formats, sampled, write_encoder
from autoft.steps.understand import Understood


@dataclass(frozen=True)
class Built:
    """A proved export in `folder`, not yet a bundle: autoft.json and README.md are written once the figures are known. `formats` are its
    formats by name, the one that is served first. `refused`: which of those that were asked for are not among them, and why."""

    folder: Path
    fitted: Fitted
    program: Program
    decoder: Decoder
    formats: dict[str, FormatRecord]
    refused: tuple[str, ...] = ()

    @property
    def served(self) -> str:
        return next(iter(self.formats))

    @property
    def proof(self) -> Proof:
        """Of what is served."""
        return Proof.model_validate(self.formats[self.served].proof)


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
    formats: Sequence[str],
    folder: Path,
    threads: int,
    *,
    judged: Callable[[], Judged],
    max_loss: float,
    say: Say,
    proving: Callable[[], float | None] = lambda: None,
    then: int = 0,
) -> Built:
    """Export into `folder` and prove it, to be served with `decoder`; `proving` and `then` bound the proof's pass over the validation
    rows, see `Site`. Formats that round are judged by `judged`, see `add_formats`.

    Raises ExportError with the reasons when none of the formats holds; then nothing is left.
    """
    program = fitted.program()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        write_encoder(program, folder)
        (folder / "config.json").write_text(json.dumps(dict(program.config), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        encoding = catalog.encoder(program.encoder.name).open(folder, program.encoder.config)
        _encodes_afresh(program, encoding, understood, catalog, folder, say)
        site = Site(fitted, decoder, sampled(program, understood, encoding), understood, catalog, folder, threads, proving, then)
        refused: list[str] = []
        kept = add_formats(formats, site, judged, max_loss, refused.append)
        for line in refused:
            say(line)
        return Built(folder, fitted, program, decoder, kept, tuple(refused))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _encodes_afresh(program: Program, encoding: Encoding, understood: Understood, catalog: Catalog, folder: Path, say: Say) -> None:
    """The proof asks in this process, and a server in another one. Raises ExportError where rows have other encodings there."""
    name = program.encoder.name
    if not afresh.is_rebuilt(catalog.giver("encoder", name), catalog.plugin_files):
        return
    rows = understood.rows.take(understood.validated[: afresh.ROWS])
    try:
        fault = afresh.difference(name, program.encoder.config, folder, encoding, rows, catalog.plugin_files)
    except afresh.NotComparableError as error:
        say(f"the encoder {name!r} was not compared with itself in another process: {error}")
        return
    if fault:
        raise ExportError(f"the export was refused by the proof: {fault}")


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


def judged_by(bench: Bench, chosen: Chosen, fitted: Fitted, decoder: Decoder) -> Judged:
    """The weights that tell what rounding costs: those of the bundle, or the trial's own where the former learned from all rows."""
    if chosen.refitted and not bench.data.folds and bench.kept(chosen.row):
        own = bench.load(chosen.row)
        return Judged(own, decoder_for(own, bench.understood, bench.journal.trial_folder(chosen.row.trial) / "validation.npz"), unseen=True)
    return Judged(fitted, decoder, unseen=not (chosen.refitted or bench.data.folds))
