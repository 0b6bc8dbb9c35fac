"""Further formats of a run that has ended, beside those of its bundle or in their place; the same model with a smaller vocabulary."""

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
from autoft.disk import take_place
from autoft.errors import DataError, ExportError, InputError
from autoft.history import History
from autoft.interfaces.events import BundleExported
from autoft.interfaces.model import Fitted, Model, Program
from autoft.interfaces.task import Decoder
from autoft.journal import Journal, Listener
from autoft.report import model_card
from autoft.runtime.bundle import Bundle, EncoderRecord, FormatRecord, TrimRecord, open_bundle, write_decoder, write_manifest
from autoft.settings import Settings
from autoft.steps.bundle import build, decoder_for
from autoft.steps.formats import Judged, Say, Site, add_formats, discard, format_result, sampled
from autoft.steps.manifest import packages
from autoft.steps.reopen import same_data
from autoft.steps.trimming import affordable, trim
from autoft.steps.understand import Understood, understand

WHOLE = "model.whole"
"""The folder of a run that keeps the model as it was before its vocabulary was trimmed."""


@dataclass(frozen=True)
class Exports:
    """What an export left: the bundle, its formats by name, the one that is served first, why some that were asked for are absent, and
    how far the vocabulary was trimmed."""

    bundle: Path
    formats: dict[str, FormatRecord]
    refused: tuple[str, ...]
    trimmed: TrimRecord | None = None


def add_to_bundle(
    past: History,
    settings: Settings,
    catalog: Catalog,
    names: Sequence[str],
    *,
    max_loss: float | None = None,
    only: bool = False,
    trim_vocabulary: bool = False,
    listeners: Sequence[Listener] = (),
) -> Exports:
    """Add the formats `names` to the bundle of a run, the first of them to be served from now on; with `only` all others go.

    With `trim_vocabulary` the bundle is made anew, of the model with a smaller vocabulary and in these formats alone, or in its own ones
    where none are named; the run's folder `model` then holds that model, and `model.whole` the one before.

    The bundle is changed aside and takes the old one's place when it is whole; the run's stream and `listeners` hear of it. Raises
    InputError for a run without a bundle, DataError where its rows are gone or others, ExportError where none of the formats holds or there
    is no room: then the old bundle stays.
    """
    hardware.wait_briefly()
    result = _result(past)
    understood = _understood(past, settings, catalog)
    ended = _Ended(past.folder, result, understood, catalog, open_bundle(past.folder / "bundle"))
    allowed = settings.max_loss if max_loss is None else max_loss
    aside, fresh = past.folder / "bundle.new", past.folder / "model.new"
    for path in (aside, fresh):
        shutil.rmtree(path, ignore_errors=True)
    refused: list[str] = []
    try:
        if trim_vocabulary:
            made = _trimmed(ended, names or list(ended.bundle.formats), aside, allowed, refused.append)
            fresh.mkdir()
            made.fitted.save(fresh)
        else:
            made = _beside(ended, names, aside, allowed, only, refused.append)
        _describe(aside, ended, made)
        if trim_vocabulary:
            _replace_model(past.folder, fresh)
        take_place(aside, ended.bundle.folder)
    except (OSError, shutil.Error) as error:
        raise ExportError(f"the bundle could not be written: {error}", hint="the old one is as it was") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(fresh, ignore_errors=True)
    journal = Journal(past.folder, understood.problem.metric, listeners, past=past)
    journal.emit(BundleExported(run_id=past.run_id, formats=tuple(format_result(name, one) for name, one in made.formats.items())))
    return Exports(ended.bundle.folder, made.formats, tuple(refused), made.trimmed)


@dataclass(frozen=True)
class _Made:
    """What the new bundle holds."""

    fitted: Fitted
    program: Program
    formats: dict[str, FormatRecord]
    trimmed: TrimRecord | None


@dataclass(frozen=True)
class _Ended:
    """A run that has ended, and its bundle as it is."""

    folder: Path
    result: dict[str, Any]
    understood: Understood
    catalog: Catalog
    bundle: Bundle

    @property
    def model(self) -> Model:
        return self.catalog.model(str(self.result["best"]["candidate"]).partition(":")[0])

    def fitted(self, trimmed: TrimRecord | None) -> Fitted:
        """The model, with its vocabulary as the record has it."""
        whole = self.folder / WHOLE
        return self.model.load(whole if trimmed is None and whole.is_dir() else self.folder / "model")

    def judged(self, fitted: Fitted, decoder: Decoder, trimmed: TrimRecord | None) -> Judged:
        """See `autoft.steps.bundle.judged_by`, for a run that has ended. The trial's own weights get the vocabulary of `fitted`."""
        best, crossed = self.result["best"], self.understood.splits.folds is not None
        trial, spent = self.folder / "trials" / str(best["trial"]), max(0.0, trimmed.loss["points"]) if trimmed else 0.0
        if self.result["refit"] and not crossed and (trial / "model").is_dir():
            own = self.model.load(trial / "model")
            decoder = decoder_for(own, self.understood, trial / "validation.npz")
            judge = trim(own, self.understood, trimmed.share).fitted if trimmed else own
            return Judged(judge, decoder, unseen=True, spent=spent)
        return Judged(fitted, decoder, unseen=not (self.result["refit"] or crossed), spent=spent)


def _beside(ended: _Ended, names: Sequence[str], aside: Path, max_loss: float, only: bool, say: Say) -> _Made:
    """The bundle as it is, with further formats."""
    old, understood, catalog = ended.bundle, ended.understood, ended.catalog
    shutil.copytree(old.folder, aside)
    trimmed = old.manifest.trimmed
    fitted, decoder = ended.fitted(trimmed), old.decoder()
    program = fitted.program()
    encoding = catalog.encoder(program.encoder.name).open(aside, program.encoder.config)
    site = Site(fitted, decoder, sampled(program, understood, encoding), understood, catalog, aside, hardware.limits(None).threads)
    refused: list[str] = []
    formats = add_formats(names, site, partial(ended.judged, fitted, decoder, trimmed), max_loss, refused.append, old.formats)
    if not any(name in formats for name in names):
        raise ExportError("; ".join(refused), hint="the bundle is as it was; autoft export RUN lists its formats")
    for line in refused:
        say(line)
    for name in [name for name in formats if only and name not in names]:
        discard(aside, formats.pop(name).files)
    return _Made(fitted, program, formats, trimmed)


def _trimmed(ended: _Ended, names: Sequence[str], aside: Path, max_loss: float, say: Say) -> _Made:
    """The smallest vocabulary that is affordable and leaves room for what one of the formats rounds."""
    understood, whole, decoder = ended.understood, ended.fitted(None), ended.bundle.decoder()
    reasons: list[str] = []
    for share, loss in affordable(ended.judged(whole, decoder, None), understood, max_loss, reasons.append):
        made = trim(whole, understood, share)
        if made.kept >= made.of:
            reasons.append(f"all {made.of:,} tokens of the vocabulary are needed")
            break
        record = TrimRecord(kept=made.kept, of=made.of, share=share, loss=loss.model_dump(mode="json"))
        refused: list[str] = []
        try:
            built = build(
                made.fitted,
                decoder,
                understood,
                ended.catalog,
                names,
                aside,
                hardware.limits(None).threads,
                judged=partial(ended.judged, made.fitted, decoder, record),
                max_loss=max_loss,
                say=refused.append,
            )
        except ExportError as error:
            reasons.append(f"with {made.kept:,} of {made.of:,} tokens: {error.message}")
            continue
        if any(name in built.formats for name in names):
            for line in [*reasons, *refused]:
                say(line)
            write_decoder(aside, decoder)
            return _Made(built.fitted, built.program, built.formats, record)
        reasons += [f"with {made.kept:,} of {made.of:,} tokens: {line}" for line in refused]
    raise ExportError("the vocabulary is not trimmed: " + "; ".join(reasons), hint="the bundle is as it was")


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


def _describe(folder: Path, ended: _Ended, made: _Made) -> None:
    """autoft.json and the model card."""
    (served, one), encoder = next(iter(made.formats.items())), made.program.encoder
    changes = {
        "exporter": served,
        "export_details": one.details,
        "proof": one.proof,
        "formats": made.formats,
        "encoder": EncoderRecord(name=encoder.name, config=dict(encoder.config)),
        "trimmed": made.trimmed,
        "plugin_packages": packages(
            ended.catalog, ended.understood.problem.task, encoder.name, made.formats, ended.result["best"]["candidate"].partition(":")[0]
        ),
    }
    reference = ended.bundle.manifest.reference
    if reference and made.trimmed != ended.bundle.manifest.trimmed:
        # With other tokens a text has another length, and other words are unknown.
        changes["reference"] = reference.without("length", "unknown")
    manifest = ended.bundle.manifest.model_copy(update=changes)
    (folder / "README.md").write_text(model_card(manifest, ended.result), encoding="utf-8")
    write_manifest(folder, manifest)


def _replace_model(folder: Path, fresh: Path) -> None:
    """The trimmed model takes the place of the run's, which is kept: until the bundle is changed, too, it is the one that counts."""
    model, whole = folder / "model", folder / WHOLE
    if whole.is_dir():
        shutil.rmtree(model, ignore_errors=True)
    else:
        model.rename(whole)
    fresh.rename(model)
