"""What a bundle tells of itself: autoft.json."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from autoft.catalog import Catalog
from autoft.journal import versions
from autoft.runtime.bundle import EncoderRecord, Manifest, PackageRecord, PluginRecord, Provenance, write_decoder
from autoft.runtime.schemas import input_schema, schema_of
from autoft.settings import Settings
from autoft.steps.bundle import Built, Chosen
from autoft.steps.confirm import Bench
from autoft.steps.distill import Taught
from autoft.version import __version__


def manifest_of(settings: Settings, bench: Bench, built: Built, chosen: Chosen, taught: Taught | None = None) -> Manifest:
    """Without figures and hashes; the decoder's arrays are written into the folder."""
    understood, problem = bench.understood, bench.understood.problem
    sample = understood.rows.take(understood.validated[:8])
    everything = understood.rows.take(understood.learnable)
    answers = understood.task.decode(problem, built.decoder, built.fitted.outputs(sample), sample)
    source = bench.candidates[chosen.row.candidate].source
    return Manifest(
        autoft=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        problem=problem,
        exporter=built.served,
        export_details=built.formats[built.served].details,
        encoder=EncoderRecord(name=built.program.encoder.name, config=dict(built.program.encoder.config)),
        decoder=write_decoder(built.folder, built.decoder),
        input_schema=input_schema(problem, everything, understood.task),
        output_schema=schema_of(answers),
        provenance=Provenance(
            candidate=chosen.row.candidate,
            hyperparameters=chosen.row.hyperparameters,
            averaged=chosen.averaged,
            teacher=taught.teacher.candidate if taught and taught.chosen.row.trial == chosen.row.trial else None,
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
        plugin_packages=packages(
            bench.catalog, problem.task, built.program.encoder.name, built.formats, bench.candidates[chosen.row.candidate].model
        ),
        formats=built.formats,
    )


def packages(catalog: Catalog, task: str, encoder: str, formats: Iterable[str], model: str) -> tuple[PackageRecord, ...]:
    """The installed packages without which these are not there, each with what it gives of them."""
    found: dict[str, list[str]] = {}
    for kind, name in (("task", task), ("encoder", encoder), *(("exporter", name) for name in formats), ("model", model)):
        giver = catalog.giver(kind, name)
        if giver is not None and giver.requirement:
            found.setdefault(giver.requirement, []).append(f"{kind} {name}")
    return tuple(PackageRecord(requirement=requirement, gives=tuple(gives)) for requirement, gives in found.items())
