"""All that can be said of a plugin before anybody uses it. `autoft plugins check` runs this in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from autoft import afresh
from autoft.catalog import Catalog, PluginRecord
from autoft.data.table import Table
from autoft.errors import AutoftError, DataError, PluginError
from autoft.interfaces.encoder import EncoderSpec
from autoft.interfaces.model import FitData, Program
from autoft.interfaces.source import Source
from autoft.interfaces.tuner import PluginFile
from autoft.plugins import BUILT_IN, Loaded, load_installed, load_plugin_file, read_plugin_file
from autoft.testing.contract import ContractBroken

Status = Literal["passed", "failed", "not checked"]
KINDS = ("task", "model", "exporter", "tuner", "encoder", "reader", "tracker")
"""Those that have a contract check."""
HEAVY = ("torch", "transformers", "tensorflow", "jax", "ray", "datasets", "sklearn", "pandas", "onnx")
"""What no module of a plugin imports as it is loaded: the server loads it too."""
TRAIN = (*HEAVY, "onnxscript", "optuna", "accelerate", "safetensors", "huggingface_hub", "psutil", "scipy")
"""What only the `train` extra brings, and a server does without."""
SLOW_SECONDS = 1.0
"""From which on importing a plugin is told as slow: every command waits for it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    status: Status
    detail: str = ""


@dataclass(frozen=True)
class Subject:
    """The plugin that is checked: `module` gives `record.gives`. `data` is a file of the user's, of its kind, or None."""

    loaded: Loaded
    record: PluginRecord
    seconds: float
    heavy: tuple[str, ...]
    file: PluginFile | None
    data: Path | None


def check_plugin(name: str, file: Path | None = None, data: Path | None = None, *, ray: bool = True) -> Iterator[Finding]:
    """What there is to say of the installed plugin `name`, an entry point or its package, or of the one in `file`; one after another.

    `data` is rows, or a file, of the kind that it is for. With `ray` a trial of its model runs on a worker of Ray, where that is installed.
    Raises PluginError where no plugin has that name.
    """
    subject = _found(name, file, data)
    record = subject.record
    if record.failure:
        yield Finding("loads", "failed", record.failure)
        if subject.loaded.plugin is None:
            return
    else:
        yield Finding("loads", "passed", f"{record.name} ({record.origin}) gives {_gives(record)}")
    if record.gives:
        taken = _taken_names(subject.loaded, record)
        yield Finding("names are free", "failed" if taken else "passed", taken or ", ".join(given.name for given in record.gives))
    yield _imports(subject)
    yield _licence(subject)
    yield from _hooks(subject)
    if not record.gives:
        return
    with tempfile.TemporaryDirectory() as place:
        used = cache(lambda: _used(subject, Path(place)))
        yield from _contracts(subject, used)
        yield _rebuilt(subject)
        yield from _in_ray(subject) if ray else ()
        yield from _encodes_afresh(subject, used, Path(place))
    yield from _without_torch(subject)


def _found(name: str, file: Path | None, data: Path | None) -> Subject:
    if file is not None:
        return _file(file, data)
    found: list[Subject] = []
    known: list[str] = []
    entries = iter(load_installed())
    while True:
        before, started = set(sys.modules), time.perf_counter()
        installed = next(entries, None)
        if installed is None:
            break
        seconds = time.perf_counter() - started
        package = installed.distribution.name if installed.distribution else ""
        known.append(installed.name)
        if name in (installed.name, package):
            found.append(Subject(installed, _record(installed), seconds, _heavy(before), None, data))
    if not found:
        is_path = name.endswith(".py") or Path(name).is_file()
        hint = f"autoft plugins check --plugin {shlex.quote(name)}" if is_path else "autoft plugins lists them with their packages"
        raise PluginError(f"there is no installed plugin {name!r}; known: {', '.join(known)}", hint=hint)
    if len(found) > 1:
        names = ", ".join(one.loaded.name for one in found)
        raise PluginError(f"{name} has several plugins: {names}", hint=f"name one: autoft plugins check {found[0].loaded.name}")
    return found[0]


def _file(path: Path, data: Path | None) -> Subject:
    """The plugin in a file; one that does not load is a finding like any other."""
    before, started = set(sys.modules), time.perf_counter()
    try:
        file = read_plugin_file(path)
    except PluginError as error:
        loaded = Loaded(path.name, f"file {path.name}", None, error.message)
        return Subject(loaded, _record(loaded), 0.0, (), None, data)
    seconds = time.perf_counter() - started
    loaded = Loaded(file.name, f"file {file.name} ({file.sha256[:8]})", load_plugin_file(file))
    return Subject(loaded, _record(loaded), seconds, _heavy(before), file, data)


def _record(loaded: Loaded) -> PluginRecord:
    return Catalog.of([loaded]).plugins[0]


def _taken_names(loaded: Loaded, alone: PluginRecord) -> str | None:
    """What is wrong with it beside all others, where it gives less then."""
    others = [one for one in load_installed() if (one.name, one.origin) != (loaded.name, loaded.origin)]
    beside = Catalog.of([*others, loaded]).plugins[-1]
    return None if beside.gives == alone.gives else beside.failure


def _heavy(before: set[str]) -> tuple[str, ...]:
    return tuple(name for name in HEAVY if name in sys.modules and name not in before)


def _gives(record: PluginRecord) -> str:
    return ", ".join(f"{given.kind} {given.name}" for given in record.gives) or "hooks of events only"


def _imports(subject: Subject) -> Finding:
    told = f"{subject.seconds:.2f} s"
    if subject.heavy:
        what = f"{told}; it imports {', '.join(subject.heavy)} as it is loaded: move that into the methods, since the server loads it too"
        return Finding("import", "failed", what)
    if subject.seconds > SLOW_SECONDS:
        return Finding("import", "passed", f"{told}: slow, and every command waits for it")
    return Finding("import", "passed", told)


def _licence(subject: Subject) -> Finding:
    if subject.file is not None:
        line = next((line for line in subject.file.text.splitlines() if "SPDX-License-Identifier:" in line), None)
        if line is None:
            return Finding("licence", "failed", "the file states none: # SPDX-License-Identifier: Apache-2.0, for instance")
        return Finding("licence", "passed", line.partition("SPDX-License-Identifier:")[2].strip())
    metadata: Any = subject.loaded.distribution.metadata if subject.loaded.distribution else {}
    stated = metadata.get("License-Expression") or metadata.get("License")
    classifiers = [line for line in (metadata.get_all("Classifier") or []) if line.startswith("License ::")] if metadata else []
    if not stated and not classifiers:
        return Finding("licence", "failed", 'its package states none: license = "Apache-2.0" in pyproject.toml, for instance')
    return Finding("licence", "passed", str(stated or classifiers[0].rpartition("::")[2]).strip().partition("\n")[0])


def _hooks(subject: Subject) -> Iterator[Finding]:
    """Those that carry events, where it has some."""
    from autoft.testing import check_hooks

    try:
        called = check_hooks(subject.loaded.plugin)
    except ContractBroken as broken:
        yield Finding("hooks of events", "failed", str(broken))
    else:
        if called:
            yield Finding("hooks of events", "passed", ", ".join(called))


@dataclass(frozen=True)
class Used:
    """What a model of the plugin that has learned opens an encoder with, and the rows that it learned from."""

    model: str
    spec: EncoderSpec
    rows: Table


Uses = Callable[[], dict[str, Used]]
"""By the name of the encoder. A model learns for that, once, when it is asked."""


def _contracts(subject: Subject, used: Uses) -> Iterator[Finding]:
    kept: set[str] = set()
    for given in subject.record.gives:
        check = f"contract of {given.kind} {given.name}"
        if given.kind not in KINDS:
            yield Finding(check, "not checked", f"there is no contract check of a {given.kind}; its members are there")
            continue
        try:
            reason = _held(subject, given.kind, given.name)
        except ContractBroken as broken:
            yield Finding(check, "failed", str(broken))
        except (Exception, SystemExit) as error:
            yield Finding(check, "failed", f"{type(error).__name__}: {error}")
        else:
            if given.kind == "model" and reason is None:
                kept.add(given.name)
            use = used().get(given.name) if given.kind == "encoder" and reason else None
            if use is not None and use.model in kept:
                yield Finding(check, "passed", f"by the contract of model {use.model}, with what that opens it with")
            else:
                yield Finding(check, "not checked" if reason else "passed", reason or "")


def _held(subject: Subject, kind: str, name: str) -> str | None:
    """None where the contract was checked, else why not in whole. Raises ContractBroken."""
    from autoft import testing

    one = _object(subject, kind, name)
    plugin = subject.loaded.plugin
    checks: dict[str, Callable[[], str | None]] = {
        "task": lambda: _task(one, _table(subject)),
        "model": lambda: _model(subject, one),
        "exporter": lambda: testing.check_exporter(one, table=_table(subject), plugin=plugin),
        "tuner": lambda: testing.check_tuner(one),
        "encoder": lambda: _encoder(one),
        "reader": lambda: _reader(subject, one),
        "tracker": lambda: testing.check_tracker(one),
    }
    return checks[kind]()


def _object(subject: Subject, kind: str, name: str) -> Any:
    return getattr(Catalog.of([subject.loaded]), f"{kind}s")[name]


def _table(subject: Subject) -> Any:
    if subject.data is None:
        return None
    from autoft.data.reading import read_table
    from autoft.testing.learning import catalog_with

    return read_table(subject.data, list(catalog_with(subject.loaded.plugin).readers.values()))


def _task(task: Any, table: Any) -> str | None:
    from autoft.testing import check_task
    from autoft.testing.tasks import taken_by

    if table is None and not taken_by(task):
        return "it takes none of the tiny tables: give rows of its kind with --data"
    check_task(task, table)
    return None


def _model(subject: Subject, model: Any) -> str | None:
    """With a tiny source at hand."""
    from autoft.testing import check_model, make_source

    with tempfile.TemporaryDirectory() as name:
        sources = [make_source(Path(name) / "tiny-bert")]
        taken = _taken(subject, model, sources, Path(name))
        if taken is None:
            return "it has no candidate for any of the tiny tables: give rows of its kind with --data"
        check_model(model, taken[0], sources=sources, plugin=subject.loaded.plugin)
    return None


def _taken(subject: Subject, model: Any, sources: Sequence[Source], folder: Path) -> tuple[Table, FitData] | None:
    """The user's data, reviews, or the first tiny table for which the model has a candidate, and what is learned from it."""
    from autoft.testing.learning import LIMITS, best_task, catalog_with, fit_data
    from autoft.testing.samples import TABLES

    catalog, given = catalog_with(subject.loaded.plugin), _table(subject)
    for table in [given] if given is not None else [make() for make in TABLES.values()]:
        try:
            data = fit_data(best_task(catalog, table), table, folder)
        except DataError:
            continue
        if model.candidates(data.problem, sources, LIMITS, data.rows):
            return table, data
    return None


def _encoder(encoder: Any) -> str | None:
    from autoft.testing import check_encoder

    try:
        check_encoder(encoder, {})
    except ContractBroken as broken:
        if isinstance(broken.__cause__, KeyError | DataError | AutoftError):
            return "it needs what a model gives it (config, files, other rows than texts): call check_encoder(encoder, config, files, rows)"
        raise
    return None


def _reader(subject: Subject, reader: Any) -> str | None:
    from autoft.testing import check_reader

    given = subject.data if subject.data is not None and reader.matches(subject.data) else None
    check_reader(reader, given)
    return None if given else "what it refuses was looked at, what it reads was not: give a file of its kind with --data"


CHILD = """
import json, sys
blocked = set(json.loads(sys.argv[1]))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
if blocked:
    sys.meta_path.insert(0, Absent())
from autoft.testing.checkup import rebuild
print("\\n" + json.dumps(rebuild(json.loads(sys.argv[2]))))
"""
"""Another process, which has the plugin by its name, or by the text of its file, alone."""


def rebuild(told: dict[str, Any]) -> list[str]:
    """In that process: the kinds that are `told`, from the catalog built anew; "kind name" of all that this plugin gives. Tasks and
    encoders are held to their contracts there where `told` says so, as far as that goes without data: they run in production."""
    files = [PluginFile(**told["file"])] if told["file"] else []
    catalog = Catalog.build(files, kinds=told["kinds"])
    record = next(one for one in catalog.plugins if one.name == told["name"] and (files or one.origin == told["origin"]))
    if record.failure:
        raise PluginError(record.failure)
    for given in record.gives if told["hold"] else ():
        if given.kind == "task":
            _task(catalog.task(given.name), None)
        elif given.kind == "encoder":
            _encoder(catalog.encoder(given.name))
    return [f"{given.kind} {given.name}" for given in record.gives]


def _child(subject: Subject, kinds: tuple[str, ...], blocked: tuple[str, ...] = (), *, hold: bool = False) -> tuple[list[str], str]:
    """What the plugin gives there, and why it failed."""
    file = asdict(subject.file) if subject.file else None
    told = {"name": subject.record.name, "origin": subject.record.origin, "kinds": kinds, "file": file, "hold": hold}
    command = [sys.executable, "-c", CHILD, json.dumps(blocked), json.dumps(told)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    if done.returncode:
        return [], (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1]), ""


def _rebuilt(subject: Subject) -> Finding:
    """A worker has no object of the run: it builds its own by name."""
    from autoft.catalog import KINDS as ALL

    found, failure = _child(subject, tuple(ALL))
    expected = [f"{given.kind} {given.name}" for given in subject.record.gives]
    if failure or found != expected:
        return Finding("rebuilt in a worker", "failed", failure or f"another process finds {', '.join(found) or 'nothing'}")
    return Finding("rebuilt in a worker", "passed", "by its names in another process")


def _in_ray(subject: Subject) -> Iterator[Finding]:
    models = [given.name for given in subject.record.gives if given.kind == "model"]
    if not models:
        return
    check = f"a trial of {models[0]} on a worker of Ray"
    if find_spec("ray") is None:
        yield Finding(check, "not checked", "Ray is not installed: pip install 'autoft[train]'")
        return
    try:
        reason = _trial(subject, models[0])
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    yield Finding(check, "failed" if reason else "passed", reason or "")


def _trial(subject: Subject, name: str) -> str | None:
    """Why a search of one trial by the tuner `ray` did not end well."""
    from autoft.interfaces.events import TrialFinished
    from autoft.interfaces.tuner import SearchRequest
    from autoft.testing import make_source, reviews
    from autoft.testing.learning import LIMITS, best_task, catalog_with, fit_data

    catalog = catalog_with(subject.loaded.plugin)
    model, table = catalog.model(name), _table(subject)
    table = reviews() if table is None else table
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "trials").mkdir()
        data = fit_data(best_task(catalog, table), table, folder)
        candidates = model.candidates(data.problem, [make_source(folder / "tiny-bert")], LIMITS, data.rows)[:1]
        if not candidates:
            return "it has no candidate for the rows: give rows of its kind with --data"
        spaces = {one.name: model.space(one, data.problem, len(data.train)) for one in candidates}
        files = (subject.file,) if subject.file else ()
        request = SearchRequest(
            data, candidates, spaces, frozenset(spaces), folder, files, seed=1, deadline=None, trials=1, gpu_hours=None, concurrency=1,
            stop_file=folder / "stop",
        )  # fmt: skip
        ends: list[TrialFinished] = []
        catalog.tuner("ray").search(request, lambda event: ends.append(event) if isinstance(event, TrialFinished) else None)
    if not ends:
        return "the trial has no end"
    return None if ends[0].status == "done" else f"it {ends[0].status}: {ends[0].reason}"


def _without_torch(subject: Subject) -> Iterator[Finding]:
    """What answers in production does so without the packages of the `train` extra."""
    answering = tuple(given for given in subject.record.gives if given.kind in ("task", "encoder", "exporter"))
    if not answering:
        return
    found, failure = _child(subject, ("tasks", "encoders", "exporters"), TRAIN, hold=True)
    expected = [f"{given.kind} {given.name}" for given in answering]
    lost = [one for one in expected if one not in found]
    if failure or lost:
        yield Finding("serves without torch", "failed", failure or f"there is no {', '.join(lost)} without the train extra")
    else:
        yield Finding("serves without torch", "passed", ", ".join(expected))


def _encodes_afresh(subject: Subject, used: Uses, folder: Path) -> Iterator[Finding]:
    """What its encoders give has to be the same in a server, which is another process. Each is opened with what a model of the plugin gives
    it, or with nothing."""
    names = [given.name for given in subject.record.gives if given.kind == "encoder"]
    if not names or subject.record.origin == BUILT_IN:
        return
    for number, name in enumerate(names):
        check = f"encoder {name} in another process"
        use = used().get(name)
        spec, rows = (use.spec, use.rows) if use else (EncoderSpec(name, {}), None)
        try:
            fault = _other_encoding(subject, spec, rows, folder / f"encoder-{number}")
        except afresh.NotComparableError as error:
            yield Finding(check, "not checked", str(error))
        except Exception as error:
            needs = "no model of the plugin says what it is opened with, and without that"
            yield Finding(check, "not checked", f"{needs} there is {type(error).__name__}: {error}")
        else:
            yield Finding(check, "failed" if fault else "passed", fault or "the same arrays under another hash seed")


def _used(subject: Subject, folder: Path) -> dict[str, Used]:
    """By the name of the encoder. A model that fails is told of elsewhere."""
    from autoft.testing import make_source
    from autoft.testing.learning import LIMITS, Told, default_trial

    found: dict[str, Used] = {}
    for given in subject.record.gives:
        if given.kind != "model":
            continue
        space = folder / f"model-{given.name}"
        try:
            model, sources = _object(subject, "model", given.name), [make_source(space / "tiny-bert")]
            taken = _taken(subject, model, sources, space)
            if taken is not None:
                data = taken[1]
                candidate = model.candidates(data.problem, sources, LIMITS, data.rows)[0]
                spec = model.fit(default_trial(model, candidate, data), data, Told()).program().encoder
                found.setdefault(spec.name, Used(given.name, spec, data.rows))
        except Exception:
            continue
    return found


def _other_encoding(subject: Subject, spec: EncoderSpec, rows: Table | None, folder: Path) -> str | None:
    from autoft.steps.formats import write_encoder
    from autoft.testing import reviews

    folder.mkdir()
    write_encoder(Program((), spec, {}), folder)
    encoding = _object(subject, "encoder", spec.name).open(folder, dict(spec.config))
    texts = Table({"text": reviews(afresh.ROWS)["text"]}) if rows is None else rows
    return afresh.difference(spec.name, spec.config, folder, encoding, texts, (subject.file,) if subject.file else ())


def main() -> None:
    """`python -m autoft.testing.checkup REQUEST`: JSON lines of findings into the file that the request names; a plugin may print."""
    told = json.loads(sys.argv[1])
    with Path(told["output"]).open("w", encoding="utf-8") as output:
        try:
            path = {key: Path(told[key]) if told[key] else None for key in ("file", "data")}
            for finding in check_plugin(told["name"], path["file"], path["data"], ray=told["ray"]):
                output.write(json.dumps(asdict(finding)) + "\n")
                output.flush()
        except AutoftError as error:
            output.write(json.dumps({"error": error.message, "hint": error.hint}) + "\n")


if __name__ == "__main__":
    main()
