"""What a plugin gives in other processes: a worker of the search, a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from autoft import afresh
from autoft.catalog import KINDS, Catalog
from autoft.data.table import Table
from autoft.errors import PluginError
from autoft.interfaces.encoder import EncoderSpec
from autoft.interfaces.model import Program
from autoft.interfaces.tuner import PluginFile
from autoft.plugins import BUILT_IN
from autoft.testing.checkup.contracts import held_encoder, held_task
from autoft.testing.checkup.subject import HEAVY, Finding, Subject, object_of, table_of
from autoft.testing.checkup.use import Uses

TRAIN = (*HEAVY, "onnxscript", "optuna", "accelerate", "safetensors", "huggingface_hub", "psutil", "scipy")
"""What only the `train` extra brings, and a server does without."""
CHILD = """
import json, sys
blocked = set(json.loads(sys.argv[1]))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
if blocked:
    sys.meta_path.insert(0, Absent())
from autoft.testing.checkup.elsewhere import rebuild
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
            held_task(catalog.task(given.name), None)
        elif given.kind == "encoder":
            held_encoder(catalog.encoder(given.name))
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


def rebuilt(subject: Subject) -> Finding:
    """A worker has no object of the run: it builds its own by name."""
    found, failure = _child(subject, tuple(KINDS))
    expected = [f"{given.kind} {given.name}" for given in subject.record.gives]
    if failure or found != expected:
        return Finding("rebuilt in a worker", "failed", failure or f"another process finds {', '.join(found) or 'nothing'}")
    return Finding("rebuilt in a worker", "passed", "by its names in another process")


def in_ray(subject: Subject) -> Iterator[Finding]:
    """A trial of its first model, where it has one."""
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
    model, table = catalog.model(name), table_of(subject)
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


def without_torch(subject: Subject) -> Iterator[Finding]:
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


def encodes_afresh(subject: Subject, used: Uses, folder: Path) -> Iterator[Finding]:
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


def _other_encoding(subject: Subject, spec: EncoderSpec, rows: Table | None, folder: Path) -> str | None:
    from autoft.steps.formats import write_encoder
    from autoft.testing import reviews

    folder.mkdir()
    write_encoder(Program((), spec, {}), folder)
    encoding = object_of(subject, "encoder", spec.name).open(folder, dict(spec.config))
    texts = Table({"text": reviews(afresh.ROWS)["text"]}) if rows is None else rows
    return afresh.difference(spec.name, spec.config, folder, encoding, texts, (subject.file,) if subject.file else ())
