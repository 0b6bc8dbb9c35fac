"""What an exporter has to keep."""

from __future__ import annotations

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.disk import inside
from autoft.errors import BundleError
from autoft.interfaces.encoder import Arrays, Encoding
from autoft.interfaces.exporter import Approximates, Converts, Exported, Exporter, Session, encoding_before
from autoft.interfaces.model import Model, Part, Program
from autoft.interfaces.source import Source
from autoft.proof import prove
from autoft.steps.formats import in_order, write_encoder
from autoft.testing.contract import Contract
from autoft.testing.learning import Learned, best_task, catalog_with, learned
from autoft.testing.samples import reviews

SAMPLED = 8
"""Rows a sample, as the core gives them."""


def check_exporter(
    exporter: Exporter,
    model: Model | None = None,
    table: Table | None = None,
    *,
    sources: tuple[Source, ...] = (),
    plugin: object | None = None,
) -> None:
    """Hold `exporter` to `autoft.interfaces.exporter.Exporter`: it writes a `model` that has learned the rows of `table`, and what it opens
    is proved against that model, as at the end of a run.

    Without a model it is the built-in `linear`, without a table reviews. `plugin` is the module that gives what else is needed. Raises
    ContractBroken.
    """
    contract = Contract.of("exporter", exporter)
    catalog = catalog_with(plugin)
    table = reviews() if table is None else table
    with tempfile.TemporaryDirectory() as name:
        case = learned(model or catalog.model("linear"), best_task(catalog, table), table, Path(name), sources)
        _check_supports(contract, exporter, case)
        folder = Path(name) / "bundle"
        folder.mkdir()
        program, encoding = _beside(contract, exporter, catalog, case, folder)
        exported = _check_export(contract, exporter, program, case, folder)
        session = _check_open(contract, exporter, folder, Path(name) / "empty")
        _check_session(contract, session, encoding, case)
        rounding = exporter.rounding if isinstance(exporter, Approximates) else None
        data = case.data
        with contract.asking("open", "to be proved"):
            proof = prove(case.fitted, session, encoding, case.task, data.problem, data.rows.take(data.validation), rounding=rounding)
        contract.holds(proof.passed, f"the proof refuses what it wrote: {'; '.join(proof.reasons)}", "export")
        _check_missing(contract, exporter, folder, exported)


def _check_supports(contract: Contract, exporter: Exporter, case: Learned) -> None:
    program, problem = case.fitted.program(), case.data.problem
    with contract.asking("supports", "whether it takes the model"):
        reason = exporter.supports(program, problem)
    contract.holds(reason is None, f"supports says no to the model ({reason}): give one that it takes, model=...", "supports")
    if isinstance(exporter, Converts):
        return
    strange = replace(
        program, parts=(Part("model", object(), program.parts[0].inputs, program.parts[0].outputs, program.parts[0].example),)
    )
    with contract.asking("supports", "whether it takes a graph of no kind"):
        reason = exporter.supports(strange, problem)
    contract.holds(isinstance(reason, str) and bool(reason), "supports says yes to a graph of a kind that nobody knows", "supports")


def _beside(contract: Contract, exporter: Exporter, catalog: Catalog, case: Learned, folder: Path) -> tuple[Program, Encoding]:
    """What lies in a bundle's folder before a format is written: the encoder's files, and what the format is made out of."""
    program, data = case.fitted.program(), case.data
    write_encoder(program, folder)
    encoding = catalog.encoder(program.encoder.name).open(folder, program.encoder.config)
    rows = data.rows.take(data.train)
    parts = [range(start, min(start + SAMPLED, len(rows))) for start in range(0, len(rows), SAMPLED)]
    program = replace(program, samples=tuple(encoding.encode(rows.take(part)).arrays for part in parts))
    if isinstance(exporter, Converts):
        contract.holds(exporter.converts in catalog.exporters, f"converts is {exporter.converts!r}, which is no format", "export")
        for name in in_order([exporter.converts], catalog):
            catalog.exporter(name).export(program, data.problem, folder)
    return program, encoding_before(exporter, encoding, program.encoder.config)


def _check_export(contract: Contract, exporter: Exporter, program: Program, case: Learned, folder: Path) -> Exported:
    before = _digests(folder)
    with contract.asking("export", "to write the model"):
        exported = exporter.export(program, case.data.problem, folder)
    contract.holds(isinstance(exported, Exported), f"export gave {type(exported).__name__}, not Exported", "export")
    contract.holds(bool(exported.files), "export says that it wrote no file", "export")
    after = _digests(folder)
    for name in exported.files:
        with contract.asking("export", f"where {name} is"):
            there = inside(folder, name).is_file()
        contract.holds(there, f"export says that it wrote {name}, which is not there", "export")
    changed = sorted(name for name, digest in before.items() if after.get(name) != digest)
    contract.holds(not changed, f"export changes {changed[:1]}, which it did not write", "export")
    untold = sorted(after.keys() - before.keys() - set(exported.files))
    contract.holds(not untold, f"export leaves {untold[:1]}, and does not say so: no hash would cover it", "export")
    contract.is_json(exported.details, "details", "export")
    return exported


def _check_open(contract: Contract, exporter: Exporter, folder: Path, empty: Path) -> Session:
    empty.mkdir()
    with contract.refusing("open", "a folder without its files", BundleError):
        exporter.open(empty, 1)
    with contract.asking("open", "to open what it wrote"):
        return exporter.open(folder, 1)


def _check_session(contract: Contract, session: Session, encoding: Encoding, case: Learned) -> None:
    arrays = encoding.encode(case.data.rows.take(case.data.validation)).arrays
    with contract.asking("open", "to answer (Session.run)"):
        outputs = session.run(arrays)
    contract.holds(isinstance(outputs, dict) and bool(outputs), "Session.run gives no arrays by name", "open")

    def ask(_: int) -> Arrays:
        return session.run(arrays)

    with ThreadPoolExecutor(4) as threads, contract.asking("open", "by four threads at once (Session.run)"):
        for other in threads.map(ask, range(8)):
            contract.are_equal(outputs, other, "Session.run, asked by several threads", "open")


def _check_missing(contract: Contract, exporter: Exporter, folder: Path, exported: Exported) -> None:
    (folder / exported.files[0]).unlink()
    with contract.refusing("open", f"a bundle without {exported.files[0]}", BundleError):
        exporter.open(folder, 1)


def _digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
