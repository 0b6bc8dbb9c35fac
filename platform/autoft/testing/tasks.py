"""What a task has to keep."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from autoft.data.table import Table
from autoft.errors import AutoftError, DataError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Match, Task
from autoft.testing.contract import Contract
from autoft.testing.samples import TABLES

OTHER = Table({"nothing": [None] * 8}, "a table of empty cells")
NO_METRIC = "no-such-metric"


def check_task(task: Task, table: Table | None = None) -> None:
    """Hold `task` to `autoft.interfaces.task.Task` on `table`, rows of its kind; without one on the tiny tables that it takes.

    Raises ContractBroken.
    """
    contract = Contract.of("task", task)
    heavy = "torch" in sys.modules
    if table is not None:
        with contract.asking("match", f"about {table.origin or 'the table'}"):
            contract.holds(
                task.match(table, {}) is not None, f"match takes nothing of {table.origin or 'the table that was given'}", "match"
            )
    tables = [table] if table is not None else taken_by(task)
    contract.holds(bool(tables), "it takes none of the tiny tables: give rows of its kind, check_task(task, table)", "match")
    for one in tables:
        _check_on(contract, task, one)
    contract.holds(heavy or "torch" not in sys.modules, "it imports torch; a task decodes in production, on numpy alone")


def taken_by(task: Task) -> list[Table]:
    """The tiny tables that the task takes."""
    return [table for make in TABLES.values() if _takes(task, table := make())]


def _takes(task: Task, table: Table) -> bool:
    try:
        match = task.match(table, {})
    except DataError:
        return False
    return match is not None and match.score >= 0.4


def _check_on(contract: Contract, task: Task, table: Table) -> None:
    of = f"about {table.origin or 'the table'}"
    with contract.asking("match", of):
        match = task.match(table, {})
        again = task.match(table, {})
    if match is None:
        contract.broken(f"match takes nothing of {table.origin}", "match")
        return
    _check_match(contract, match, table)
    contract.holds(match == again, "match answers another way the second time", "match")
    with contract.asking("match", "about a table of empty cells"):
        contract.holds(_nothing_of(task), "match takes a table of empty cells", "match")
    problem = _check_problem(contract, task, table, match)
    _check_values(contract, task, problem, table)


def _nothing_of(task: Task) -> bool:
    try:
        return task.match(OTHER, {}) is None
    except DataError:
        return True


def _check_match(contract: Contract, match: Match, table: Table) -> None:
    contract.holds(isinstance(match, Match), f"match gave {type(match).__name__}, not a Match", "match")
    contract.holds(0 <= match.score <= 1, f"match scores {match.score}; a score is from 0 to 1", "match")
    unknown = [name for names in match.columns.values() for name in names if name not in table]
    contract.holds(not unknown, f"match names the column {unknown[:1]}, which the table has not", "match")
    contract.holds(bool(match.reason) and "\n" not in match.reason, "the reason of its match is not one line", "match")


def _check_problem(contract: Contract, task: Task, table: Table, match: Match) -> Problem:
    with contract.asking("problem", f"about {table.origin or 'the table'}"):
        problem = task.problem(table, match, metric=None, seed=3)
    contract.holds(isinstance(problem, Problem), f"problem gave {type(problem).__name__}, not a Problem", "problem")
    contract.holds(problem.task == task.name, f"its problem is one of {problem.task!r}", "problem")
    contract.holds(problem.seed == 3, f"its problem has the seed {problem.seed}; it was given 3", "problem")
    contract.holds(bool(problem.inputs), "its problem names no inputs", "problem")
    with contract.asking("problem", "for JSON of its problem"):
        contract.holds(
            Problem.model_validate_json(problem.model_dump_json()) == problem, "its problem is another one after JSON", "problem"
        )
    with contract.refusing("problem", f"the metric {NO_METRIC!r}", AutoftError):
        task.problem(table, match, metric=NO_METRIC, seed=3)
    return problem


def _check_values(contract: Contract, task: Task, problem: Problem, table: Table) -> None:
    with contract.asking("usable", "which rows can be learned from"):
        usable = task.usable(problem, table)
    right = isinstance(usable, np.ndarray) and usable.shape == (len(table),) and usable.dtype == np.bool_
    contract.holds(right, f"usable gave no booleans of shape ({len(table)},)", "usable")
    contract.holds(bool(usable.any()), "usable leaves out every row", "usable")
    table = table.take(np.flatnonzero(usable))
    rows = len(table)
    with contract.asking("inputs", "for the rows by role"):
        inputs = task.inputs(problem, table)
    contract.holds(len(inputs) == rows, f"inputs gave {len(inputs)} of {rows} rows", "inputs")
    absent = [role for role in problem.inputs if role not in inputs]
    contract.holds(not absent, f"inputs lack the role {absent[:1]}, which its problem names", "inputs")
    with contract.refusing("inputs", "a table without its columns", DataError):
        task.inputs(problem, Table({"nothing": [1] * rows}))
    with contract.asking("targets", "for the targets"):
        targets = task.targets(problem, table)
    first = targets.shape[0] if isinstance(targets, np.ndarray) and targets.ndim else None
    contract.holds(first == rows, f"targets have {first} rows, not {rows}", "targets")
    _check_codes(contract, problem, targets, "targets", "targets")
    with contract.asking("strata", "for strata"):
        strata = task.strata(problem, targets)
    shape = (rows,) if strata is None else np.asarray(strata).shape
    contract.holds(shape == (rows,), f"strata have shape {shape}, not ({rows},)", "strata")
    _check_answers(contract, task, problem, inputs, targets)
    _check_requests(contract, task, problem, inputs)


def _check_answers(contract: Contract, task: Task, problem: Problem, inputs: Table, targets: Any) -> None:
    rows = len(inputs)
    with contract.asking("constant", "for the best answer that ignores its input"):
        outputs = task.constant(problem, targets, rows)
    contract.are_arrays(outputs, rows, "constant", "constant")
    if "logits" in outputs:
        width = outputs["logits"].shape[-1]
        contract.holds(
            width == problem.head.outputs, f"constant gives logits {width} wide, the head has {problem.head.outputs}", "constant"
        )
    with contract.asking("fit_decoder", "for a decoder"):
        decoder = task.fit_decoder(problem, outputs, targets)
    contract.holds(isinstance(decoder, Decoder), f"fit_decoder gave {type(decoder).__name__}, not a Decoder", "fit_decoder")
    contract.is_json(dict(decoder.config), "the config of its decoder", "fit_decoder")
    for one, told in ((decoder, "with its decoder"), (Decoder(), "with Decoder(), which stands for one that was not fitted")):
        with contract.asking("decide", told):
            decided = task.decide(problem, one, outputs)
        contract.holds(len(decided) == rows, f"decide made {len(decided)} decisions on {rows} rows", "decide")
        _check_codes(contract, problem, decided, "decisions", "decide")
    with contract.asking("score", "for the metrics"):
        metrics = task.score(problem, targets, decided)
    contract.holds(problem.metric.name in metrics, f"score has no {problem.metric.name!r}, its problem's metric", "score")
    contract.holds(all(isinstance(value, float) for value in metrics.values()), f"score gives {metrics}: floats by name", "score")
    with contract.asking("decode", "for the answers"):
        answers = task.decode(problem, decoder, outputs, inputs)
    contract.holds(len(answers) == rows, f"decode gave {len(answers)} answers to {rows} rows", "decode")
    contract.holds(all(isinstance(answer, dict) for answer in answers), "an answer of decode is no dictionary", "decode")
    contract.is_json(answers, "an answer of decode", "decode")


def _check_codes(contract: Contract, problem: Problem, codes: Any, what: str, member: str) -> None:
    """Codes of classes are places in the head's outputs; -1 fills rows of words up."""
    lowest = {"single_label_classification": 0, "token_classification": -1}.get(problem.head.kind)
    found = np.asarray(codes)
    if lowest is None or not found.size or found.dtype.kind not in "iu":
        return
    low, high, most = int(found.min()), int(found.max()), problem.head.outputs - 1
    contract.holds(low >= lowest and high <= most, f"{what} have codes from {low} to {high}; the head's are {lowest} to {most}", member)


def _check_requests(contract: Contract, task: Task, problem: Problem, inputs: Table) -> None:
    few = inputs.take(range(min(3, len(inputs))))
    asked = [{role: record[role] for role in problem.inputs} for record in few.records()]
    with contract.asking("check_inputs", "about rows of a request, by role"):
        understood = task.check_inputs(problem, asked)
    contract.holds(len(understood) == len(few), f"check_inputs gave {len(understood)} of {len(few)} rows", "check_inputs")
    changed = [role for role in problem.inputs if list(understood[role]) != list(few[role])]
    contract.holds(
        not changed, f"check_inputs gives {changed[:1]} another way than inputs: the server would answer otherwise", "check_inputs"
    )
    with contract.refusing("check_inputs", "a request without its inputs", DataError):
        task.check_inputs(problem, [{"something-else": 1}])
    with contract.refusing("check_inputs", "a request whose second row has no inputs", DataError, row=2):
        task.check_inputs(problem, [asked[0], {"something-else": 1}])
