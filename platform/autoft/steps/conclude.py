"""The last step: the bundle into place, one look at the test part, the verdict, the result, the report."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Candidate
from autoft.interfaces.task import Decoder
from autoft.report import Outcome, ProofTable, ReportData, class_counts, findings, model_card
from autoft.runtime.bundle import Manifest, open_bundle, write_manifest
from autoft.runtime.predictor import Predictor
from autoft.runtime.reference import Values, answer_values, gathered, input_values, reference_of
from autoft.runtime.schemas import answer_kind
from autoft.settings import Settings
from autoft.steps.bounds import limits_in_words
from autoft.steps.bundle import Built
from autoft.steps.calibrate import calibration_of
from autoft.steps.clock import Clock
from autoft.steps.confirm import Bench, Confirmation
from autoft.steps.distill import Taught
from autoft.steps.export import Shipped
from autoft.steps.failures import failures
from autoft.steps.formats import format_result
from autoft.steps.judge import faultless, judge
from autoft.steps.manifest import manifest_of
from autoft.steps.outlook import look_ahead
from autoft.steps.ranking import looked_back
from autoft.steps.rivals import Standing, baseline, runner_up
from autoft.steps.verdict import Findings, unnamed_in_words, verdict


@dataclass(frozen=True)
class Conclusion:
    """The content of result.json, and what the report shows beside it."""

    result: dict[str, Any]
    outcome: Outcome


def conclude(
    settings: Settings,
    bench: Bench,
    confirmation: Confirmation,
    shipped: Shipped,
    first: Candidate | None,
    clock: Clock,
    taught: Taught | None = None,
) -> Conclusion:
    """Evaluate once on the test rows, through the bundle as it will be served; then rename it into place. `first` is the baseline."""
    built, chosen = shipped.built, shipped.chosen
    journal, understood = bench.journal, bench.understood
    problem, task, test = understood.problem, understood.task, understood.splits.test
    journal.stage("test", f"{len(test)} rows")
    rows, targets, winner = understood.rows.take(test), understood.targets[test], chosen.row
    manifest = write_manifest(built.folder, manifest_of(settings, bench, built, chosen, taught))
    predictor = _predictor(bench, built)
    seen: list[Values] = []
    predictor.watch = lambda batch: seen.append(input_values(batch))
    began, cpu = time.monotonic(), time.process_time()
    outputs = predictor.outputs(rows)
    journal.busy_seconds += time.process_time() - cpu
    clock = clock.answered(bench.candidates[winner.candidate], len(test), time.monotonic() - began)
    decoder = predictor.bundle.decoder()
    answers = task.decode(problem, decoder, outputs, rows)
    decided = task.decide(problem, decoder, outputs)
    standing = Standing(winner, decided, chosen.refitted, chosen.averaged)
    row, held = baseline(bench, first, standing)
    judgement = judge(task, problem, targets, decided, held, settings.seed)
    rivalry = runner_up(bench, standing, {row.trial} if row else (), clock)
    outlook = look_ahead(bench, winner, clock)
    said = verdict(
        Findings(
            problem=problem,
            winner=winner.candidate,
            baseline=row.candidate if row else "majority",
            judgement=judgement,
            itself=row is not None and row.trial == winner.trial,
            alone=len(bench.candidates) == 1,
            all_right=faultless(targets, decided),
            rows=len(test),
            learned=len(understood.learnable),
            refitted=chosen.refitted,
            folds=confirmation.folds,
            seeds=confirmation.seeds,
            averaged=len(chosen.averaged),
            crossed=bool(bench.data.folds),
            fewer=winner.reason if bench.data.folds and winner.status == "done" else "",
            part=winner.rows or 0,
            rivalry=rivalry,
            outlook=outlook,
            unnamed=unnamed_in_words(row, winner, problem.metric) if settings.named_only else "",
            taught=_taught(taught, winner, problem.metric.name),
            failed=failures(journal.leaderboard, journal.folder / "trials"),
            limits=limits_in_words(shipped.bounds, shipped.option, shipped.options) if shipped.bounds and shipped.option else "",
        )
    )
    calibration = calibration_of(built.decoder)
    figures = {"validation": winner.metrics, "test": task.score(problem, targets, decided)}
    result = {
        "schema": 1,
        "run_id": journal.run_id,
        "status": "stopped" if journal.stopping else "done",
        "task": problem.task,
        "columns": {role: names[0] if len(names) == 1 else list(names) for role, names in problem.fields.items()},
        "classes": list(problem.labels),
        "metric": problem.metric.name,
        "seed": settings.seed,
        "budget": clock.budget,
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
            "rows": winner.rows,
            "averaged": list(chosen.averaged),
            **figures,
        },
        "interval": judgement.as_json("baseline"),
        "runner_up": rivalry.as_result().model_dump() if rivalry else None,
        "outlook": outlook.model_dump(),
        "ranking": looked_back(bench.ranking, bench.candidates, journal.leaderboard.contenders()),
        "trials": len(journal.leaderboard),
        "confirmed": {"seeds": confirmation.seeds} if confirmation.seeds else {"folds": confirmation.folds},
        "refit": chosen.refitted,
        "rows": {"train": len(understood.splits.train), "validation": len(understood.validated), "test": len(test)},
        "bundle": "bundle",
        "verified": _verified(built),
        "calibration": calibration.model_dump() if calibration else None,
        "distilled": taught.as_result().model_dump() if taught else None,
        "limits": _limits(shipped),
        "formats": [format_result(name, one) for name, one in built.formats.items()],
        "refused": list(built.refused),
        "verdict": said,
    }
    reference = reference_of("test", len(rows), gathered([answer_values(answers, answer_kind(manifest.output_schema)), *seen]))
    _finish_bundle(bench, built, manifest.model_copy(update={"figures": figures, "reference": reference}), result)
    seconds = time.time() - clock.started
    cores = seconds * bench.threads
    result["seconds"] = seconds
    result["utilisation"] = {"busy_core_seconds": journal.busy_seconds, "core_seconds": cores, "share": journal.busy_seconds / cores}
    return Conclusion(result, Outcome(task, problem, decoder, rows, targets, decided, answers))


def _taught(taught: Taught | None, winner: TrialFinished, metric: str) -> str:
    """For the verdict, where what learned from the winner of the search is served."""
    if taught is None or taught.chosen.row.trial != winner.trial:
        return ""
    teacher, own = taught.teacher, winner.value or 0.0
    return (
        f"It learned from {teacher.candidate}: {metric} {own:.3f} on the validation rows, where its teacher has {teacher.value or 0.0:.3f}."
    )


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


def _limits(shipped: Shipped) -> dict[str, Any] | None:
    bounds, option = shipped.bounds, shipped.option
    if bounds is None or option is None:
        return None
    asked = {"max_latency_seconds": bounds.latency, "max_bytes": bounds.size, "threads": bounds.threads}
    return {**asked, "met": option.times_over <= 1, "options": [one.model_dump(mode="json") for one in shipped.options]}


def _predictor(bench: Bench, built: Built) -> Predictor:
    bundle = open_bundle(built.folder)
    encoder = bench.catalog.encoder(bundle.manifest.encoder.name)
    exporter = bench.catalog.exporter(built.served)
    return Predictor(bundle, task=bench.understood.task, encoder=encoder, exporter=exporter, threads=1, at_once=bench.threads)


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
