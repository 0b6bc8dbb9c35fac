"""The last step: the bundle into place, one look at the test part, the verdict, the result, the report."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Candidate, Fitted
from autoft.interfaces.task import Decoder
from autoft.journal import versions
from autoft.report import Outcome, ProofTable, ReportData, class_counts, findings, model_card
from autoft.runtime.bundle import EncoderRecord, Manifest, PluginRecord, Provenance, open_bundle, write_decoder, write_manifest
from autoft.runtime.predictor import Predictor
from autoft.runtime.schemas import input_schema, schema_of
from autoft.settings import Settings
from autoft.steps.bundle import Built, decoder_for
from autoft.steps.confirm import Bench, Confirmation
from autoft.steps.judge import faultless, judge, verdict
from autoft.trial import trial_seed
from autoft.version import __version__


@dataclass(frozen=True)
class Conclusion:
    """The content of result.json, and what the report shows beside it."""

    result: dict[str, Any]
    outcome: Outcome


def conclude(
    settings: Settings,
    bench: Bench,
    confirmation: Confirmation,
    built: Built,
    winner: TrialFinished,
    baseline: Candidate | None,
    *,
    started: float,
    budget: float | None,
    refitted: bool,
) -> Conclusion:
    """Evaluate once on the test rows, through the bundle as it will be served; then rename it into place."""
    journal, understood = bench.journal, bench.understood
    problem, task, test = understood.problem, understood.task, understood.splits.test
    journal.stage("test", f"{len(test)} rows")
    rows, targets = understood.rows.take(test), understood.targets[test]
    manifest = _manifest(settings, bench, built, winner)
    manifest = write_manifest(built.folder, manifest)
    predictor = _predictor(bench, settings, built.folder)
    cpu = time.process_time()
    outputs = predictor.outputs(rows)
    journal.busy_seconds += time.process_time() - cpu
    decoder = predictor.bundle.decoder()
    answers = task.decode(problem, decoder, outputs, rows)
    decided = task.decide(problem, decoder, outputs)
    test_metrics = task.score(problem, targets, decided)
    row, held = _baseline(bench, baseline, winner, decided, refitted)
    judgement = judge(task, problem, targets, decided, held, settings.seed)
    said = verdict(
        judgement,
        problem,
        winner.candidate,
        row.candidate if row else "majority",
        itself=row is not None and row.trial == winner.trial,
        alone=len(bench.candidates) == 1,
        all_right=faultless(targets, decided),
        rows=len(test),
        folds=confirmation.folds,
        seeds=confirmation.seeds,
        refit=refitted,
        refit_rows=len(understood.learnable),
    )
    figures = {"validation": winner.metrics, "test": test_metrics}
    result = {
        "schema": 1,
        "run_id": journal.run_id,
        "status": "stopped" if journal.stopping else "done",
        "task": problem.task,
        "columns": {role: names[0] if len(names) == 1 else list(names) for role, names in problem.fields.items()},
        "classes": list(problem.labels),
        "metric": problem.metric.name,
        "seed": settings.seed,
        "budget": budget,
        "seconds": 0.0,
        "baseline": {
            "candidate": row.candidate if row else "majority",
            "validation": row.metrics if row else _constant_metrics(bench),
            "test": task.score(problem, targets, held),
        },
        "best": {
            "candidate": winner.candidate,
            "trial": winner.trial,
            "hyperparameters": winner.hyperparameters,
            **figures,
        },
        "interval": judgement.as_json(),
        "trials": len(journal.leaderboard),
        "confirmed": {"seeds": confirmation.seeds} if confirmation.seeds else {"folds": confirmation.folds},
        "refit": refitted,
        "rows": {"train": len(understood.splits.train), "validation": len(understood.splits.validation), "test": len(test)},
        "bundle": "bundle",
        "verified": _verified(built),
        "verdict": said,
    }
    _finish_bundle(bench, built, manifest.model_copy(update={"figures": figures}), result)
    seconds = time.time() - started
    cores = seconds * bench.threads
    result["seconds"] = seconds
    result["utilisation"] = {"busy_core_seconds": journal.busy_seconds, "core_seconds": cores, "share": journal.busy_seconds / cores}
    return Conclusion(result, Outcome(task, problem, decoder, rows, targets, decided, answers))


def _verified(built: Built) -> dict[str, Any]:
    proof = built.proof
    return {
        "passed": proof.passed,
        "max_difference": proof.max_difference,
        "tolerance": proof.tolerance,
        "combinations": len(proof.combinations),
        "rows": proof.rows,
        "of_rows": proof.of_rows,
        "changed_labels": proof.changed_labels,
    }


def _manifest(settings: Settings, bench: Bench, built: Built, winner: TrialFinished) -> Manifest:
    understood, problem = bench.understood, bench.understood.problem
    sample = understood.rows.take(understood.splits.validation[:8])
    everything = understood.rows.take(understood.learnable)
    answers = understood.task.decode(problem, built.decoder, built.fitted.outputs(sample), sample)
    source = bench.candidates[winner.candidate].source
    return Manifest(
        autoft=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        problem=problem,
        exporter=settings.exporter,
        export_details=built.details,
        encoder=EncoderRecord(name=built.program.encoder.name, config=dict(built.program.encoder.config)),
        decoder=write_decoder(built.folder, built.decoder),
        input_schema=input_schema(problem, everything, understood.task),
        output_schema=schema_of(answers),
        provenance=Provenance(
            candidate=winner.candidate,
            hyperparameters=winner.hyperparameters,
            source=source.name if source else None,
            source_sha256=source.sha256 if source else None,
            data_sha256=problem.data_sha256,
            seed=settings.seed,
            run_id=bench.journal.run_id,
            versions=versions(),
        ),
        licences={source.name: source.licence} if source and source.licence else {},
        proof=built.proof.model_dump(mode="json"),
        plugin_files=tuple(PluginRecord(name=p.name, sha256=p.sha256) for p in bench.catalog.plugin_files),
    )


def _predictor(bench: Bench, settings: Settings, folder: Path) -> Predictor:
    bundle = open_bundle(folder)
    encoder = bench.catalog.encoder(bundle.manifest.encoder.name)
    exporter = bench.catalog.exporter(settings.exporter)
    return Predictor(bundle, task=bench.understood.task, encoder=encoder, exporter=exporter, threads=bench.threads)


def _baseline(
    bench: Bench, baseline: Candidate | None, winner: TrialFinished, decided: npt.NDArray[Any], refitted: bool
) -> tuple[TrialFinished | None, npt.NDArray[Any]]:
    """The baseline's row and its decisions on the test rows, after learning from the same rows as the winner did."""
    understood = bench.understood
    test = understood.rows.take(understood.splits.test)
    learned = understood.learnable if refitted else understood.splits.train
    first = next((row for row in bench.journal.leaderboard if baseline and row.stage == "baselines" and row.value is not None), None)
    if first is None:
        constant = understood.task.constant(understood.problem, understood.targets[learned], len(test))
        return None, understood.task.decide(understood.problem, Decoder(), constant)
    if winner.trial == first.trial:
        return first, decided

    def decisions(fitted: Fitted) -> npt.NDArray[Any]:
        decoder = decoder_for(fitted, understood, bench.journal.trial_folder(first.trial) / "validation.npz")
        return understood.task.decide(understood.problem, decoder, fitted.outputs(test))

    saved = bench.journal.trial_folder(first.trial) / "model"
    if not refitted and saved.is_dir():
        return first, decisions(bench.catalog.model(bench.candidates[first.candidate].model).load(saved))
    data = replace(bench.data, train=learned, validation=np.empty(0, dtype=np.int64))
    outcome = bench.run(first, data, "baseline", trial_seed(understood.problem.seed, first.trial), None, stoppable=False)
    if outcome.fitted is not None:
        return first, decisions(outcome.fitted)
    bench.journal.say(
        f"the baseline could not be fitted again ({outcome.reason}); it stays as it learned from the training rows", "warning"
    )
    return first, decisions(bench.catalog.model(bench.candidates[first.candidate].model).load(saved))


def _constant_metrics(bench: Bench) -> dict[str, float]:
    task, problem, data = bench.understood.task, bench.understood.problem, bench.data
    outputs = task.constant(problem, data.targets[data.train], len(data.validation))
    return task.score(problem, data.targets[data.validation], task.decide(problem, Decoder(), outputs))


def _finish_bundle(bench: Bench, built: Built, manifest: Manifest, result: dict[str, Any]) -> None:
    """Model card, manifest with all hashes, then the rename that makes it a bundle."""
    (built.folder / "README.md").write_text(model_card(manifest, result), encoding="utf-8")
    write_manifest(built.folder, manifest)
    target = bench.journal.folder / "bundle"
    shutil.rmtree(target, ignore_errors=True)
    built.folder.replace(target)


def report_data(bench: Bench, conclusion: Conclusion, built: Built, title: str) -> ReportData:
    """What report.html shows beside result.json: what the test rows tell, the proof."""
    understood, problem = bench.understood, bench.understood.problem
    common = ReportData(
        title=Path(title).name,
        data=title,
        greater_is_better=problem.metric.greater_is_better,
        proof=ProofTable.model_validate(built.proof.model_dump()),
        classes=class_counts(problem, understood.targets),
    )
    return common.model_copy(update=findings(conclusion.outcome))
