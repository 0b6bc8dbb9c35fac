"""Each check finds what is broken, and says which rule it is: the generated plugins, with one thing wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import autoft.scaffold.templates.model.plugin as centroid
import autoft.scaffold.templates.tracker.plugin as tracker_plugin
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.hookspecs import hookimpl
from autoft.interfaces.encoder import Encoded, Tensor
from autoft.interfaces.events import TrialFinished, TrialStarted
from autoft.interfaces.exporter import Exported
from autoft.interfaces.space import LogUniform, Space
from autoft.plugins import Loaded
from autoft.scaffold.templates.encoder.plugin import CharacterEncoder, CharacterEncoding
from autoft.scaffold.templates.exporter.plugin import OrtExporter
from autoft.scaffold.templates.reader.plugin import SqliteReader
from autoft.scaffold.templates.task.plugin import Grades
from autoft.scaffold.templates.tracker.plugin import CsvTracker
from autoft.scaffold.templates.tuner.plugin import RandomTuner, point
from autoft.testing import (
    ContractBroken,
    check_encoder,
    check_exporter,
    check_hooks,
    check_model,
    check_reader,
    check_task,
    check_tracker,
    check_tuner,
    grades,
)
from autoft.testing.contract import HOMES, difference
from autoft.trial import run_trial

ROOT = Path(__file__).parents[2]


def but(kind: type, **members: Any) -> Any:
    """An object of the class with other members."""
    return type(kind.__name__, (kind,), members)()


def finds(check: Callable[[], None], sentence: str) -> None:
    with pytest.raises(ContractBroken, match=sentence) as caught:
        check()
    assert isinstance(caught.value, AssertionError)
    told = str(caught.value)
    anchor = told.rpartition("#")[2]
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "plugins" / "checks.md").read_text(encoding="utf-8"), re.M)
    assert anchor in [heading.lower() for heading in headings], told
    assert caught.value.home.startswith("autoft.interfaces.")


def refuse(task: Grades, problem: Any, records: Any) -> Table:
    try:
        return Grades.check_inputs(task, problem, records)
    except DataError:
        raise DataError("what") from None


TASKS: dict[str, tuple[str, Any]] = {
    "is no Task: it lacks decode": ("decode", property()),
    "its summary is 'two\\\\nlines'": ("summary", "two\nlines"),
    "match raised KeyError": ("match", lambda self, table, given: table["absent"]),
    "match takes a table of empty cells": (
        "match", lambda self, table, given: dataclasses.replace(Grades.match(self, grades(), given), columns={"text": (table.names[0],)}),
    ),
    "it was given 3": ("problem", lambda self, table, match, metric, seed: Grades.problem(self, table, match, metric=metric, seed=0)),
    "problem took the metric 'no-such-metric'": (
        "problem", lambda self, table, match, metric, seed: Grades.problem(self, table, match, metric=None, seed=seed),
    ),
    "usable gave no booleans": ("usable", lambda self, problem, table: [True] * len(table)),
    "inputs lack the role": ("inputs", lambda self, problem, table: Table({"words": ["a"] * len(table)})),
    "inputs took a table without its columns": ("inputs", lambda self, problem, table: Table({"text": ["a"] * len(table)})),
    "targets have 1 rows": ("targets", lambda self, problem, table: np.zeros(1, np.int64)),
    "strata have shape": ("strata", lambda self, problem, targets: targets[:2]),
    "constant gives logits 2 wide": ("constant", lambda self, problem, targets, rows: {"logits": np.zeros((rows, 2))}),
    "holds what is no number": ("constant", lambda self, problem, targets, rows: {"logits": np.full((rows, 5), np.nan)}),
    "decide made 1 decisions": ("decide", lambda self, problem, decoder, outputs: np.zeros(1)),
    "score has no 'mae'": ("score", lambda self, problem, targets, decisions: {"accuracy": 1.0}),
    "an answer of decode cannot be written as JSON": (
        "decode", lambda self, problem, decoder, outputs, inputs: [{"score": np.float32(1)}] * len(inputs),
    ),
    "check_inputs took a request without its inputs": (
        "check_inputs", lambda self, problem, records: Table({"text": [record.get("text", "") for record in records]}),
    ),
    "which does not name the row": ("check_inputs", lambda self, problem, records: refuse(self, problem, records)),
    "targets have codes from 0 to 5; the head's are 0 to 4": (
        "targets", lambda self, problem, table: np.where(np.arange(len(table)) == 0, 5, Grades.targets(self, problem, table)),
    ),
    "decisions have codes from -1 to": ("decide", lambda self, problem, decoder, outputs: np.arange(len(outputs["logits"])) % 5 - 1),
    "gives \\['text'\\] another way": (
        "check_inputs", lambda self, problem, records: Table({"text": [str(one.get("text", "")).upper() for one in records]}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", TASKS)
def test_tasks(sentence: str) -> None:
    member, broken = TASKS[sentence]
    finds(lambda: check_task(but(Grades, **{member: broken}), grades()), sentence)


def test_a_task_that_takes_no_tiny_table_needs_one() -> None:
    finds(lambda: check_task(but(Grades, match=lambda self, table, given: None)), "give rows of its kind")


def fit(change: Callable[..., Any]) -> Callable[..., Any]:
    def fitting(self: Any, spec: Any, data: Any, report: Any) -> Any:
        return change(spec, data, report, lambda told=report: centroid.NearestCentroid().fit(spec, data, told))

    return fitting


def quiet(*_: Any, **__: Any) -> str:
    return "go"


def noisy(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    fitted = learn(quiet)
    fitted.arrays["bias"] = fitted.arrays["bias"] + np.random.default_rng().normal(size=2).astype(np.float32)
    report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
    return fitted


def neighbours(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    fitted = learn()
    right = fitted.outputs
    fitted.outputs = lambda rows: {"logits": right(rows)["logits"] + len(rows)}
    report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
    return fitted


def pickled(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    fitted = learn()
    right = fitted.save
    fitted.save = lambda folder: (right(folder), (folder / "model.pkl").write_bytes(b""))
    return fitted


def halfway(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    return learn(lambda progress, outputs, save: report(0.5, outputs, save))


def deaf(spec: Any, data: Any, report: Any, learn: Any) -> Any:
    for progress in (0.3, 0.6, 1.0):
        fitted = learn(lambda _, outputs, save, progress=progress: report(progress, outputs, save))
    return fitted


def configured(fitted: Any, config: dict[str, Any]) -> Any:
    program = fitted.program
    fitted.program = lambda: dataclasses.replace(program(), config=config)
    return fitted


MODELS: dict[str, dict[str, Any]] = {
    "candidates gives none": {"candidates": lambda self, problem, sources, limits, rows: []},
    "a task and a head that nobody knows": {"candidates": lambda self, *_: [centroid.Candidate(self.name)]},
    "lies outside the space": {"space": lambda self, *_: Space({"sharpness": LogUniform(1.0, 2.0)}, {"sharpness": 8.0})},
    "fit reports nothing": {"fit": fit(lambda spec, data, report, learn: learn(quiet))},
    "the last report of fit is at 0.5": {"fit": fit(halfway)},
    "two trials of one seed": {"fit": fit(noisy)},
    "a row alone and among others": {"fit": fit(neighbours)},
    "nothing is pickled": {"fit": fit(pickled)},
    "went on for 2 reports": {"fit": fit(deaf)},
    "its program has no model_type": {"fit": fit(lambda spec, data, report, learn: configured(learn(), {}))},
    "id2label of the config of its program is {0: 'good'}": {
        "fit": fit(lambda spec, data, report, learn: configured(learn(), {"model_type": "m", "id2label": {0: "good"}})),
    },
    r"fit raised IndexError: .* \(line \d+ of test_broken_contracts.py\)": {"fit": fit(lambda *_: np.zeros(2)[np.zeros(1)])},
    "load raised KeyError": {"load": lambda self, folder: {}["weight"]},
}


@pytest.mark.parametrize("sentence", MODELS)
def test_models(sentence: str) -> None:
    model = but(centroid.NearestCentroid, **MODELS[sentence])
    finds(lambda: check_model(model, plugin=centroid, prove=False), sentence)


def test_a_model_without_its_encoder_is_told_so() -> None:
    finds(lambda: check_model(centroid.NearestCentroid(), prove=False), "give the module that gives it")


def test_a_wrong_graph_is_refused_by_the_proof() -> None:
    def shifted(spec: Any, data: Any, report: Any, learn: Any) -> Any:
        fitted = learn()
        fitted.program = lambda: centroid.Centroids(fitted.problem, fitted.arrays["weight"] * 2, fitted.arrays["bias"]).program()
        return fitted

    finds(lambda: check_model(but(centroid.NearestCentroid, fit=fit(shifted)), plugin=centroid), "refused by the proof")


ENCODERS: dict[str, Callable[..., Any]] = {
    "is float64, float32 was promised": lambda right, rows: {name: array.astype(np.float64) for name, array in right.items()},
    "was promised": lambda right, rows: {name: array[:, :-1] for name, array in right.items()},
    "encode fills": lambda right, rows: {"other": next(iter(right.values()))},
    "other arrays the second time": lambda right, rows: {
        name: array + np.float32(np.random.default_rng().random()) for name, array in right.items()
    },
    "depends on the rows beside it": lambda right, rows: {name: array * np.float32(len(rows)) for name, array in right.items()},
    "there is no `collect`": lambda right, rows: {name: np.repeat(array, 2, axis=0) for name, array in right.items()},
}


@pytest.mark.parametrize("sentence", ENCODERS)
def test_encoders(sentence: str) -> None:
    class Broken(CharacterEncoding):
        def encode(self, rows: Table, **options: Any) -> Any:
            found = super().encode(rows)
            return dataclasses.replace(found, arrays=ENCODERS[sentence](found.arrays, rows))

    encoder = but(CharacterEncoder, open=lambda self, folder, config: Broken(64, 3))
    finds(lambda: check_encoder(encoder, {}), sentence)


class Lettered:
    """Rows have a length here: a code a letter, cut at 12."""

    max_length, inputs = 12, (Tensor("letters", "int64", ("batch", "length")),)

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        lengths = np.array([min(12, len(text)) for text in rows["text"]], np.int64)
        letters = np.zeros((len(rows), max(pad_to or 0, int(lengths.max(initial=0)))), np.int64)
        for row, text in enumerate(rows["text"]):
            letters[row, : lengths[row]] = [*map(ord, text[:12])]
        return Encoded({"letters": letters}, lengths, np.array([len(text) > 12 for text in rows["text"]], np.bool_))

    def resized(self, rows: Table, length: int) -> Table:
        return rows.with_columns({"text": ["a" * length] * len(rows)})


LETTERED: dict[str, dict[str, Any]] = {
    "it lacks resized. The rule: autoft.interfaces.encoder.Encoding.resized": {"resized": property()},
    r"letters has shape \(12, 8\) where rows of 8 units were to be filled up to 11 \(pad_to\)": {
        "encode": lambda self, rows, pad_to=None, offsets=False: Lettered().encode(rows),
    },
    "lengths tell of 9 units, letters has room for 8": {
        "encode": lambda self, rows, **options: longer(Lettered().encode(rows, **options)),
    },
    "letters of a row changes as it is filled up": {
        "encode": lambda self, rows, pad_to=None, offsets=False: shifted(Lettered().encode(rows, pad_to=pad_to), pad_to),
    },
    "Encoding.encode raised KeyError: 'body', asked to encode 12 rows .line": {"encode": lambda self, rows, **options: rows["body"]},
}  # fmt: skip


def longer(encoded: Encoded) -> Encoded:
    return dataclasses.replace(encoded, lengths=encoded.lengths + 1)


def shifted(encoded: Encoded, pad_to: int | None) -> Encoded:
    return dataclasses.replace(encoded, arrays={"letters": encoded.arrays["letters"] + (pad_to is not None)})


SHORT = Table({"text": [f"letter {chr(97 + n)}"[: 5 + n] for n in range(12)]})
"""Eight letters at most."""


@pytest.mark.parametrize("sentence", LETTERED)
def test_encoders_whose_rows_have_a_length(sentence: str) -> None:
    lettered = but(CharacterEncoder, open=lambda self, folder, config: Lettered())
    check_encoder(lettered, rows=SHORT)
    encoding = but(Lettered, **LETTERED[sentence])
    finds(lambda: check_encoder(but(CharacterEncoder, open=lambda self, folder, config: encoding), rows=SHORT), sentence)


def test_what_is_wrong_with_its_encoder_is_no_fault_of_the_proof() -> None:
    bare = but(centroid.HashedWords, resized=property())
    encoder = but(CharacterEncoder, name=centroid.HashedWords.name, open=lambda self, folder, config: bare)
    plugin = SimpleNamespace(__name__="bare", autoft_register_encoders=hookimpl(lambda: [encoder]))
    finds(lambda: check_model(centroid.NearestCentroid(), plugin=plugin), "it lacks resized. The rule: autoft.interfaces.encoder")


def test_an_encoder_that_does_not_miss_its_files() -> None:
    finds(lambda: check_encoder(CharacterEncoder(), {}, {"vocabulary.json": b"{}"}), "open took a folder without its files")


READERS: dict[str, dict[str, Any]] = {
    "suffixes is '.sqlite'": {"suffixes": ".sqlite"},
    "takes a file of no format": {"matches": lambda self, path: True},
    "does not take sample.sqlite": {"matches": lambda self, path: False},
    "read raised ValueError": {"read": lambda self, path: int("x")},
    "does not name the file": {"read": lambda self, path: (_ for _ in ()).throw(DataError("no"))},
    "finds no rows": {"read": lambda self, path: Table({"text": []}, str(path))},
    "has no origin": {"read": lambda self, path: Table({"text": ["a"]})},
    "gives the columns": {"read": lambda self, path: Table({"words": ["a"]}, str(path))},
    "read changes sample.sqlite": {"read": lambda self, path: (path.write_bytes(b"x" * 9), Table({"text": ["a"]}, str(path)))[1]},
}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """An SQLite file of one row."""
    import sqlite3

    path = tmp_path / "sample.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE one (text TEXT)")
    connection.execute("INSERT INTO one VALUES ('a')")
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("sentence", READERS)
def test_readers(sentence: str, sample: Path) -> None:
    finds(lambda: check_reader(but(SqliteReader, **READERS[sentence]), sample, ["text"]), sentence)


def test_a_reader_is_told_which_one_takes_its_files_before_it(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def package(reader: Any) -> Loaded:
        def autoft_register_readers() -> list[Any]:
            return [reader]

        return Loaded(reader.name, f"{reader.name} 1.0", SimpleNamespace(autoft_register_readers=hookimpl(autoft_register_readers)))

    own = SqliteReader()
    monkeypatch.setattr("autoft.catalog.load_installed", lambda: [package(but(SqliteReader, name="greedy")), package(own)])
    finds(lambda: check_reader(own, sample, ["text"]), "greedy takes sample.sqlite before it")


TRACKERS: dict[str, Callable[..., Any]] = {
    "event raised SystemExit: 3": lambda self, event: sys.exit(3),
    "event raised AttributeError": lambda self, event: event.trial,
    "it prints 'heard": lambda self, event: print("heard"),  # noqa: T201
    "it changes 'run.json'|it changes \\['run.json'\\]": lambda self, event: (self._path.parent / self._run / "run.json").write_text("{}"),
}


@pytest.mark.parametrize("sentence", TRACKERS)
def test_trackers(sentence: str) -> None:
    finds(lambda: check_tracker(but(CsvTracker, event=TRACKERS[sentence])), sentence)


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (lambda self: "the database is away", "check returns 'the database is away': one that cannot work raises"),
        (lambda self: 1 / 0, "check raised ZeroDivisionError"),
    ],
)
def test_a_tracker_that_says_in_another_way_that_it_cannot_work(check: Callable[..., Any], sentence: str) -> None:
    finds(lambda: check_tracker(but(CsvTracker, check=check)), sentence)


def away(self: Any) -> None:
    raise SettingsError("the database is away")


def test_a_tracker_may_say_that_it_cannot_work_here() -> None:
    check_tracker(but(CsvTracker, check=away))


def hooks(**functions: Any) -> Any:
    return SimpleNamespace(**{f"autoft_{name}": hookimpl(function) for name, function in functions.items()})


def test_hooks_of_events_are_called_with_all_that_runs_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    found = check_hooks(hooks(run_resumed=lambda event: heard.append(event.run_id), run_failed=lambda event: heard.append(event.reason)))
    assert found == ("autoft_run_resumed", "autoft_run_failed")
    assert heard == ["checked-2", "no trial gave a model"]
    assert check_hooks(tracker_plugin) == ()
    with pytest.raises(ContractBroken, match=r"autoft_trial_finished raised AttributeError: .* in a run it would hear no more") as caught:
        check_hooks(hooks(trial_finished=lambda event: event.score))
    assert caught.value.home == "autoft.hookspecs.Hooks.autoft_trial_finished"
    assert (ROOT / caught.value.page).is_file()
    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "0.1")
    with pytest.raises(ContractBroken, match=r"autoft_run_started did not return within 0.1 s"):
        check_hooks(hooks(run_started=lambda event: threading.Event().wait(60)))


def test_hooks_write_into_the_folder_of_a_run_and_leave_nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(event: Any) -> None:
        assert Path(event.folder).is_absolute()
        (Path(event.folder) / "note.txt").write_text(event.run_id)
        (Path(event.folder).parent / f"beside-{event.run_id}.txt").write_text(event.run_id)
        Path("record.txt").write_text(event.run_id)
        written.append(Path(event.folder) / "note.txt")

    written: list[Path] = []
    monkeypatch.chdir(tmp_path)
    assert check_hooks(hooks(run_started=started, run_resumed=started)) == ("autoft_run_started", "autoft_run_resumed")
    assert [path.parent.name for path in written] == ["checked-1", "checked-2"]
    assert not any(path.exists() for path in written)
    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == tmp_path


def tuner(change: Callable[[Any, Any], Any]) -> Any:
    """A random search whose events are changed on their way: what is None is not told."""

    def search(self: Any, request: Any, on_event: Any) -> None:
        def hear(event: Any) -> None:
            for told in change(event, request):
                on_event(told)

        RandomTuner.search(self, request, hear)

    return but(RandomTuner, search=search)


def wrong_point(event: Any, request: Any) -> list[Any]:
    return [event.model_copy(update={"hyperparameters": {"other": 1}}) if isinstance(event, TrialFinished) else event]


def no_end(event: Any, request: Any) -> list[Any]:
    return [] if isinstance(event, TrialFinished) and event.trial == 2 else [event]


def two_ends(event: Any, request: Any) -> list[Any]:
    return [event, event] if isinstance(event, TrialFinished) else [event]


def fine(event: Any, request: Any) -> list[Any]:
    return [event.model_copy(update={"status": "done"}) if isinstance(event, TrialFinished) else event]


TUNERS = {"the trials \\[2\\] have no end": no_end, "told of after its end": two_ends, "trial . has \\['other'\\]": wrong_point}
TUNERS["failed, and is told as done"] = fine


@pytest.mark.parametrize("sentence", TUNERS)
def test_tuners(sentence: str) -> None:
    finds(lambda: check_tuner(tuner(TUNERS[sentence])), sentence)


def test_a_tuner_that_forgets_what_had_ended() -> None:
    def search(self: Any, request: Any, on_event: Any) -> None:
        RandomTuner.search(self, dataclasses.replace(request, history=()), on_event)

    finds(lambda: check_tuner(but(RandomTuner, search=search)), "had ended before the run was resumed, and is told of again")


def test_a_tuner_that_forgets_what_had_failed() -> None:
    """It takes the default of the model that fails once more, after the run was resumed."""

    def search(self: Any, request: Any, on_event: Any) -> None:
        started = request.history and TrialStarted(trial=4, candidate="failing", hyperparameters={"kind": "a"})
        history = (*request.history, started) if started else ()
        RandomTuner.search(self, dataclasses.replace(request, history=history), on_event)

    finds(lambda: check_tuner(but(RandomTuner, search=search)), "has the hyperparameters with which trial 3 failed before")


@pytest.mark.parametrize("memory", [0, 1], ids=["nothing", "what it tried last"])
def test_a_tuner_that_forgets_what_it_has_tried(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    """Other than the default, which it proposes first."""

    def forgetful(space: Any, seed: int, tried: Any) -> Any:
        return point(space, seed, tried[len(tried) - memory :] if tried else [])

    monkeypatch.setattr("autoft.scaffold.templates.tuner.plugin.point", forgetful)
    finds(lambda: check_tuner(RandomTuner()), r"it tries hyperparameters again that have failed: \{'kind': '.'\}")


def test_a_tuner_in_a_space_that_is_used_up_goes_to_others_then_ends() -> None:
    """Of a search of six trials, two could be of the model that has but two points; of one of fifty over that model alone there are two."""
    found: list[list[str]] = []

    def search(self: Any, request: Any, on_event: Any) -> None:
        names: list[str] = []
        found.append(names)

        def hear(event: Any) -> None:
            names.extend([event.candidate] if isinstance(event, TrialStarted) else [])
            on_event(event)

        RandomTuner.search(self, request, hear)

    check_tuner(but(RandomTuner, search=search))
    assert found[0] == ["linear", "failing", "linear", "failing", "linear", "linear"]
    assert ["failing", "failing"] in found


def test_a_tuner_that_gives_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(self: Any, request: Any, on_event: Any) -> None:
        with contextlib.suppress(Exception):
            threading.Event().wait(60)

    monkeypatch.setattr("autoft.testing.tuners.SILENT_SECONDS", 0.2)
    finds(lambda: check_tuner(but(RandomTuner, search=search)), "search gave no sign for 0.2 s")


def test_a_tuner_that_decides_what_is_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    def halting(*arguments: Any, **named: Any) -> Any:
        return run_trial(*arguments, **{**named, "listen": lambda event: "halt"})

    monkeypatch.setattr("autoft.scaffold.templates.tuner.plugin.run_trial", halting)
    finds(lambda: check_tuner(RandomTuner()), 'is failed .TypeError: the tuner\'s `listen` answered \'halt\'; a Decision is "go" or "stop"')


def untold(self: Any, program: Any, problem: Any, folder: Path) -> Exported:
    (folder / "notes.txt").write_text("more")
    return OrtExporter.export(self, program, problem, folder)


def meddling(self: Any, program: Any, problem: Any, folder: Path) -> Exported:
    (folder / "vocabulary.json").write_text("{}")
    return OrtExporter.export(self, program, problem, folder)


EXPORTERS: dict[str, dict[str, Any]] = {
    "leaves \\['notes.txt'\\]": {"export": untold},
    "changes \\['vocabulary.json'\\]": {"export": meddling},
    "which is not there": {"export": lambda self, *_: Exported(("absent.bin",), {})},
    "says no to the model": {"supports": lambda self, program, problem: "it is a Tuesday"},
    "converts is 'absent'": {"converts": "absent"},
}


@pytest.mark.parametrize("sentence", EXPORTERS)
def test_exporters(sentence: str) -> None:
    finds(lambda: check_exporter(but(OrtExporter, **EXPORTERS[sentence])), sentence)


def test_every_kind_has_a_home_that_is_there() -> None:
    from importlib import import_module

    for home in HOMES.values():
        module, name = home.split(".")
        assert hasattr(import_module(f"autoft.interfaces.{module}"), name)


def test_what_is_broken_survives_a_process() -> None:
    broken = ContractBroken("a rule", "a home", "a page")
    assert str(pickle.loads(pickle.dumps(broken))) == str(broken) == "a rule. The rule: a home; a page"


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([[1.0, 2.0]], [[1.0, 2.5]], 0.5),
        ([[1.0, 0.0]], [[1.0]], 0.0),
        ([[1.0, 3.0]], [[1.0]], None),
        ([["a"]], [["a"]], 0.0),
        ([["a"]], [["b"]], None),
        ([1.0, 2.0], [1.0], None),
    ],
)
def test_the_difference_of_outputs(one: list[Any], other: list[Any], apart: float | None) -> None:
    assert difference(np.array(one), np.array(other)) == apart


def test_the_checks_need_neither_pytest_nor_torch() -> None:
    heavy = ("pytest", "torch", "transformers", "ray", "sklearn", "onnx")
    code = f"import sys, autoft.testing; sys.stdout.write(' '.join({{*{heavy!r}}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
