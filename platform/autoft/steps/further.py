"""Further formats of a run that has ended, beside those of its bundle or in their place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autoft import hardware
from autoft.catalog import Catalog
from autoft.data.reading import STDIN
from autoft.errors import DataError, ExportError, InputError
from autoft.history import History
from autoft.interfaces.events import BundleExported
from autoft.interfaces.model import Fitted
from autoft.interfaces.task import Decoder
from autoft.journal import Journal, Listener
from autoft.report import model_card
from autoft.runtime.bundle import Bundle, FormatRecord, open_bundle, write_manifest
from autoft.settings import Settings
from autoft.steps.bundle import decoder_for
from autoft.steps.formats import Judged, Site, add_formats, discard, format_result, sampled
from autoft.steps.reopen import same_data
from autoft.steps.understand import Understood, understand


@dataclass(frozen=True)
class Exports:
    """What an export left: the bundle, its formats by name, the one that is served first, and why some that were asked for are absent."""

    bundle: Path
    formats: dict[str, FormatRecord]
    refused: tuple[str, ...]


def add_to_bundle(
    past: History,
    settings: Settings,
    catalog: Catalog,
    names: Sequence[str],
    *,
    max_loss: float | None = None,
    only: bool = False,
    listeners: Sequence[Listener] = (),
) -> Exports:
    """Add the formats `names` to the bundle of a run, the first of them to be served from now on; with `only` all others go.

    The bundle is changed aside and takes the old one's place when it is whole; the run's stream and `listeners` hear of it. Raises
    InputError for a run without a bundle, DataError where its rows are gone or others, ExportError where none of the formats holds or there
    is no room: then the old bundle stays.
    """
    result = _result(past)
    understood = _understood(past, settings, catalog)
    old = open_bundle(past.folder / "bundle")
    model = catalog.model(str(result["best"]["candidate"]).partition(":")[0])
    fitted, decoder = model.load(past.folder / "model"), old.decoder()
    aside = past.folder / "bundle.new"
    refused: list[str] = []
    shutil.rmtree(aside, ignore_errors=True)
    try:
        shutil.copytree(old.folder, aside)
        program = fitted.program()
        encoding = catalog.encoder(program.encoder.name).open(aside, program.encoder.config)
        threads = hardware.limits(None).threads
        site = Site(fitted, decoder, sampled(program, understood, encoding), understood, catalog, aside, threads)
        allowed = settings.max_loss if max_loss is None else max_loss
        judged = partial(_judged, past, result, catalog, understood, fitted, decoder)
        formats = add_formats(names, site, judged, allowed, refused.append, old.formats)
        if not any(name in formats for name in names):
            raise ExportError("; ".join(refused), hint="the bundle is as it was; autoft export RUN lists its formats")
        for name in [name for name in formats if only and name not in names]:
            discard(aside, formats.pop(name).files)
        _describe(aside, old, formats, result)
        _take_place(aside, old.folder)
    except (OSError, shutil.Error) as error:
        raise ExportError(f"the bundle could not be written: {error}", hint="the old one is as it was") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    journal = Journal(past.folder, understood.problem.metric, listeners, catalog.notify, past)
    journal.emit(BundleExported(run_id=past.run_id, formats=tuple(format_result(name, one) for name, one in formats.items())))
    return Exports(old.folder, formats, tuple(refused))


def _result(past: History) -> dict[str, Any]:
    path = past.folder / "result.json"
    if past.ended is None or not path.exists():
        raise InputError(f"the run {past.run_id} has not ended, so that it has no bundle", hint=f"autoft resume {past.folder}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _understood(past: History, settings: Settings, catalog: Catalog) -> Understood:
    """The rows that the run learned from and was judged by: every format is proved on them."""
    if settings.data == STDIN:
        raise DataError("the run read standard input, whose rows are gone; a format is proved on them", hint="run it again on a file")
    understood = understand(settings, catalog)
    same_data(past, understood)
    return understood


def _judged(past: History, result: dict[str, Any], catalog: Catalog, understood: Understood, fitted: Fitted, decoder: Decoder) -> Judged:
    """See `autoft.steps.bundle.judged_by`, for a run that has ended."""
    best, crossed = result["best"], understood.splits.folds is not None
    trial = past.folder / "trials" / str(best["trial"])
    if result["refit"] and not crossed and (trial / "model").is_dir():
        own = catalog.model(str(best["candidate"]).partition(":")[0]).load(trial / "model")
        return Judged(own, decoder_for(own, understood, trial / "validation.npz"), unseen=True)
    return Judged(fitted, decoder, unseen=not (result["refit"] or crossed))


def _describe(folder: Path, old: Bundle, formats: dict[str, FormatRecord], result: dict[str, Any]) -> None:
    """autoft.json and the model card."""
    served = next(iter(formats))
    changes = {"exporter": served, "export_details": formats[served].details, "proof": formats[served].proof, "formats": formats}
    manifest = old.manifest.model_copy(update=changes)
    (folder / "README.md").write_text(model_card(manifest, result), encoding="utf-8")
    write_manifest(folder, manifest)


def _take_place(aside: Path, folder: Path) -> None:
    before = folder.with_name(folder.name + ".old")
    shutil.rmtree(before, ignore_errors=True)
    folder.rename(before)
    aside.rename(folder)
    shutil.rmtree(before, ignore_errors=True)
