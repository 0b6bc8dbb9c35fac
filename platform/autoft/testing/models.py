"""What a model has to keep."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import AutoftError, TrialError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.exporter import Converts, Exporter
from autoft.interfaces.model import Candidate, FitData, Fitted, Model, Program
from autoft.interfaces.problem import Head, Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Choice, Integer, Parameter, Space
from autoft.proof import prove
from autoft.steps.formats import write_encoder
from autoft.testing.contract import Contract, ContractBroken
from autoft.testing.encoders import check_encoder
from autoft.testing.learning import LIMITS, Learned, Told, best_task, catalog_with, default_trial, fit_data
from autoft.testing.samples import reviews

PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".dill")
"""Endings of files that are unpickled to be read."""
STRANGE = Head(kind="a-head-of-no-task", outputs=3)


def check_model(
    model: Model,
    table: Table | None = None,
    *,
    task: str | None = None,
    sources: Sequence[Source] = (),
    plugin: object | None = None,
    prove: bool = True,
) -> None:
    """Hold `model` to `autoft.interfaces.model.Model`: it learns the rows of `table` twice, by its defaults.

    `table` is rows of its kind, reviews where it is not given; `task` the name of the task that reads it, where another would take it as
    well. `plugin` is the module that gives what else it needs, its encoder for instance. With `prove` the first installed format that
    takes its program is written and proved, as at the end of a run. Raises ContractBroken.
    """
    contract = Contract.of("model", model)
    catalog = catalog_with(plugin)
    table = reviews() if table is None else table
    chosen = catalog.task(task) if task else best_task(catalog, table)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = fit_data(chosen, table, folder)
        candidate = _check_candidates(contract, model, data, sources)
        _check_space(contract, model, candidate, data)
        fitted = _check_fit(contract, model, candidate, data)
        _check_folder(contract, model, fitted, data, folder / "model")
        _check_ends(contract, model, candidate, data)
        _check_program(contract, catalog, Learned(chosen, data, fitted))
        if prove:
            _check_proof(contract, catalog, Learned(chosen, data, fitted), folder / "bundle")


def _check_candidates(contract: Contract, model: Model, data: FitData, sources: Sequence[Source]) -> Candidate:
    problem, rows = data.problem, data.rows
    with contract.asking("candidates", f"for a problem of {problem.task}"):
        found = model.candidates(problem, sources, LIMITS, rows)
    needs = "" if sources else "; a model of sources needs one: check_model(model, sources=[make_source(folder)])"
    contract.holds(bool(found), f"candidates gives none for {problem.task}: give rows of its kind (table=...){needs}", "candidates")
    named = all(isinstance(one, Candidate) and one.model == contract.name for one in found)
    contract.holds(named, f"a candidate is not of the model {contract.name!r}", "candidates")
    strange = problem.model_copy(update={"head": STRANGE, "task": "no-such-task", "inputs": ("no-such-role",)})
    with contract.asking("candidates", "for a problem of a task that nobody knows"):
        taken = model.candidates(strange, sources, LIMITS, rows)
    contract.holds(not taken, "candidates has one for a task and a head that nobody knows: it would fail in every trial", "candidates")
    with contract.asking("wanted", "for cards worth fetching"):
        cards = model.wanted(problem, [], LIMITS)
    contract.holds(all(isinstance(card, SourceCard) for card in cards), "wanted gives what are no cards", "wanted")
    return found[0]


def _check_space(contract: Contract, model: Model, candidate: Candidate, data: FitData) -> None:
    with contract.asking("space", "for the space of its candidate"):
        space = model.space(candidate, data.problem, len(data.train))
    contract.holds(isinstance(space, Space), f"space gave {type(space).__name__}, not a Space", "space")
    for point in (space.default, *space.first):
        out = [name for name, value in point.items() if not inside(space.parameters[name], value)]
        contract.holds(not out, f"its point {point} lies outside the space at {out[:1]}", "space")
        contract.is_json(dict(point), "a point of its space", "space")


def inside(parameter: Parameter, value: object) -> bool:
    """Whether a value is one that the parameter can have."""
    if isinstance(parameter, Choice):
        return value in parameter.values
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(parameter, Integer) and int(value) != value:
        return False
    return parameter.low <= value <= parameter.high


def _check_fit(contract: Contract, model: Model, candidate: Candidate, data: FitData) -> Fitted:
    spec = default_trial(model, candidate, data)
    told, again = Told(), Told()
    with contract.asking("fit", "to learn by its defaults"):
        fitted = model.fit(spec, data, told)
        model.fit(spec, data, again)
    contract.holds(bool(told.progress), "fit reports nothing: no evaluation, no weights to keep", "fit")
    rising = all(0 < one <= 1 for one in told.progress) and told.progress == sorted(told.progress)
    contract.holds(rising, f"fit reports the progress {told.progress}: it rises, above 0 and up to 1", "fit")
    contract.holds(told.progress[-1] == 1, f"the last report of fit is at {told.progress[-1]:g} of its horizon, not at 1", "fit")
    for outputs in told.outputs:
        contract.are_arrays(outputs, len(data.validation), "what fit reports", "fit")
    contract.are_equal(told.outputs[-1], again.outputs[-1], "two trials of one seed", "fit", tolerance=1e-3)
    validation = data.rows.take(data.validation)
    outputs = _outputs(contract, fitted, validation)
    if "logits" in outputs and outputs["logits"].ndim == 2:
        width, head = outputs["logits"].shape[1], data.problem.head.outputs
        contract.holds(width == head, f"its logits are {width} wide, the problem's head has {head}", "fit")
    one = _outputs(contract, fitted, validation.take([0]))
    contract.are_equal(one, {name: array[:1] for name, array in outputs.items()}, "a row alone and among others", "fit", tolerance=1e-3)
    return fitted


def _outputs(contract: Contract, fitted: Fitted, rows: Table) -> Arrays:
    with contract.asking("fit", f"for the outputs of {len(rows)} rows (Fitted.outputs)"):
        outputs = fitted.outputs(rows)
    contract.are_arrays(outputs, len(rows), "Fitted.outputs", "fit")
    return outputs


def _check_folder(contract: Contract, model: Model, fitted: Fitted, data: FitData, folder: Path) -> None:
    folder.mkdir()
    with contract.asking("load", "to read back what Fitted.save wrote"):
        fitted.save(folder)
        read = model.load(folder)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    contract.holds(bool(files), "Fitted.save writes nothing", "load")
    pickled = [name for name in files if name.endswith(PICKLES)]
    contract.holds(not pickled, f"Fitted.save writes {pickled[:1]}: weights are safetensors, and nothing is pickled", "load")
    rows = data.rows.take(data.validation)
    contract.are_equal(_outputs(contract, fitted, rows), _outputs(contract, read, rows), "the model, and what load gives of it", "load")


def _check_ends(contract: Contract, model: Model, candidate: Candidate, data: FitData) -> None:
    """A refit has no validation rows; a trial that is told to stop returns."""
    spec = default_trial(model, candidate, data)
    with contract.asking("fit", "to learn all rows, with none to validate"):
        model.fit(spec, replace(data, train=np.arange(len(data.rows)), validation=np.empty(0, np.int64)), Told())
    told = Told(stop_after=1)
    try:
        model.fit(spec, data, told)
    except TrialError:
        return  # it was stopped before it had learned
    except Exception as error:
        contract.broken(f"fit raised {type(error).__name__}: {error}, told to stop; it returns, or raises TrialError", "fit")
    contract.holds(len(told.progress) == 1, f"fit went on for {len(told.progress) - 1} reports after it was told to stop", "fit")


def _check_program(contract: Contract, catalog: Catalog, learned: Learned) -> None:
    with contract.asking("fit", "for its program (Fitted.program)"):
        program = learned.fitted.program()
        extra = learned.fitted.extra()
    contract.holds(isinstance(program, Program) and bool(program.parts), "Fitted.program has no part", "fit")
    contract.holds(isinstance(extra, dict), f"Fitted.extra gave {type(extra).__name__}, not arrays by name", "fit")
    contract.is_json(dict(program.config), "the config of its program", "fit")
    _check_config(contract, dict(program.config), learned.data.problem)
    contract.is_json(dict(program.encoder.config), "the config of its encoder", "fit")
    known = ", ".join(catalog.encoders)
    told = f"its program names the encoder {program.encoder.name!r}; there are {known}; give the module that gives it: plugin=..."
    contract.holds(program.encoder.name in catalog.encoders, told, "fit")
    for part in program.parts:
        absent = [tensor.name for tensor in part.inputs if tensor.name not in part.example]
        contract.holds(not absent, f"the example of its part {part.name} lacks {absent[:1]}", "fit")


def _check_config(contract: Contract, config: dict[str, Any], problem: Problem) -> None:
    """It becomes config.json of the bundle, by which other loaders tell what they have before them."""
    told = "the config of its program has no model_type: it becomes config.json of the bundle"
    contract.holds(isinstance(config.get("model_type"), str) and bool(config["model_type"]), told, "Program")
    if problem.labels:
        named = config.get("id2label")
        names = [name for _, name in sorted(named.items(), key=lambda pair: int(pair[0]))] if isinstance(named, dict) else named
        told = f"id2label of the config of its program is {named!r}, the problem's labels are {list(problem.labels)}"
        contract.holds(names == list(problem.labels), told, "Program")


def _check_proof(contract: Contract, catalog: Catalog, learned: Learned, folder: Path) -> None:
    program, problem = learned.fitted.program(), learned.data.problem
    reasons = []
    for exporter in catalog.exporters.values():
        if isinstance(exporter, Converts):
            continue
        reason = exporter.supports(program, problem)
        if reason is None:
            _prove(contract, catalog, learned, program, exporter, folder)
            return
        reasons.append(f"{exporter.name}: {reason}")
    contract.broken(f"no installed format takes its program ({'; '.join(reasons) or 'there is none'})", "fit")


def _prove(contract: Contract, catalog: Catalog, learned: Learned, program: Program, exporter: Exporter, folder: Path) -> None:
    folder.mkdir()
    data = learned.data
    try:
        write_encoder(program, folder)
        exporter.export(program, data.problem, folder)
        encoder = catalog.encoder(program.encoder.name)
        # Its encoder first: what is wrong with it would show as a fault of the proof.
        check_encoder(encoder, program.encoder.config, program.encoder.files, data.rows.take(range(min(12, len(data.rows)))))
        encoding = encoder.open(folder, program.encoder.config)
        session = exporter.open(folder, 1)
        proof = prove(learned.fitted, session, encoding, learned.task, data.problem, data.rows.take(data.validation))
    except ContractBroken:
        raise
    except AutoftError as error:
        contract.broken(f"the format {exporter.name} cannot be made of it: {error}", "fit")
        return
    except Exception as error:
        raised = f"{type(error).__name__}: {error}"
        contract.broken(f"proved in the format {exporter.name} behind its encoder {program.encoder.name}, it raised {raised}", "Program")
        return
    contract.holds(proof.passed, f"the format {exporter.name} is refused by the proof: {'; '.join(proof.reasons)}", "fit")
