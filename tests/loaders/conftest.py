"""A bundle for each row of the table, learned from the data of its task's page; and the loaders, each in a process that is asked."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import autoft
from autoft import sources
from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, Encoding
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.exporter import Exporter, Session
from autoft.interfaces.model import Candidate, FitData, Program, TrialSpec
from autoft.interfaces.source import Source
from autoft.runtime.bundle import FormatRecord, write_manifest
from autoft.runtime.predictor import Predictor
from autoft.settings import Settings
from autoft.steps.bundle import Chosen, build, decoder_for
from autoft.steps.formats import Judged, sampled
from autoft.steps.manifest import manifest_of
from autoft.steps.understand import Understood, understand
from autoft.trial import run_trial
from loader_claims import ROWS, Row
from worked_examples import DOCS, read

HERE = Path(__file__).parent
EXTRA = ("Café naïve, 12.50!", "and it works")
"""Beside rows of the data: letters that a tokenizer may take apart."""
ROUNDED = ("onnx-int8", "onnx-int8-static", "onnx-int8-small")
EPOCHS = {"token-classification": 12, "seq2seq": 2}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """One process makes the bundle of a row, for all tests of it."""
    from xdist.scheduler import LoadScopeScheduling

    class ByRow(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return max((row.name for row in ROWS if nodeid.endswith(f"{row.name}]")), key=len, default=nodeid)

    return ByRow(config, log)


@dataclass
class Made:
    """A run's `folder` with `bundle/` and `model/`, and the inputs that all are asked, a text or a list of two each."""

    row: Row
    folder: Path
    understood: Understood
    catalog: Catalog
    inputs: tuple[Any, ...]
    _predictors: dict[str, Predictor]

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def rows(self) -> list[Table]:
        """The inputs as the task gives them to the encoder, one at a time: what an int8 graph answers depends on its neighbours."""
        task, problem = self.understood.task, self.understood.problem
        return [task.check_inputs(problem, [record]) for record in self.records()]

    def records(self) -> list[dict[str, str]]:
        """The inputs by role."""
        roles = self.understood.problem.inputs
        return [dict(zip(roles, [one] if isinstance(one, str) else one, strict=True)) for one in self.inputs]

    def answers(self, name: str = "onnx") -> list[dict[str, Any]]:
        """autoft's own in the format `name`."""
        if name not in self._predictors:
            self._predictors[name] = autoft.load(self.bundle, threads=1, format=name)
        return [self._predictors[name].predict([record])[0] for record in self.records()]

    @cached_property
    def encoding(self) -> Encoding:
        record = json.loads((self.bundle / "autoft.json").read_text(encoding="utf-8"))["encoder"]
        return self.catalog.encoder(record["name"]).open(self.bundle, record["config"])

    def session(self, name: str = "onnx") -> Session:
        return self.catalog.exporter(name).open(self.bundle, 1)

    def arrays(self) -> list[Arrays]:
        """What the graph takes, an input at a time."""
        return [self.encoding.encode(row).arrays for row in self.rows()]

    def logits(self, name: str = "onnx") -> list[np.ndarray]:
        """Of the graph as autoft runs it; of words: of each token."""
        session = self.session(name)
        return [session.run(arrays)["logits"] for arrays in self.arrays()]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, bert_tiny: Source, tiny_source: Callable[[str], Source]) -> Callable[[Row], Made]:
    """`made(row)`: its bundle, in all formats that go with it; made once a process."""
    known: dict[str, Made] = {}
    home = tmp_path_factory.mktemp("loaders")

    def get(row: Row) -> Made:
        if row.name not in known:
            (home / row.name).mkdir()
            source = tiny_source("t5") if row.task == "seq2seq" else bert_tiny
            known[row.name] = _make(row, home / row.name, source)
        return known[row.name]

    return get


@pytest.fixture(scope="session")
def bert_tiny() -> Source:
    """Real weights with a published tokenizer, fetched once into the cache."""
    return sources.fetch(Catalog.build().sources["bert-tiny"])


def _rounded(exporter: Exporter, program: Program, understood: Understood, folder: Path) -> FormatRecord:
    """A format as it is written, whatever its rounding costs: that is the gate's business."""
    exported = exporter.export(program, understood.problem, folder)
    return FormatRecord(files=exported.files, bytes=0, details=exported.details)


def _make(row: Row, folder: Path, source: Source) -> Made:
    example = read(DOCS / "tasks" / f"{row.task}.md")
    with contextlib.chdir(folder):
        example.write_data()
        settings = Settings(data=Path(example.commands[0].words[2]).absolute())
    catalog = Catalog.build()
    understood = understand(settings, catalog)
    model, candidate = catalog.model(row.plugin), Candidate(row.plugin, None if row.plugin == "linear" else source)
    held = understood.validated[:40]
    data = FitData(understood.problem, understood.rows, understood.targets, understood.splits.train, held, folder / "cache")
    chosen = dict(model.space(candidate, data.problem, len(data.train)).default)
    if row.plugin in ("full", "contrastive"):
        chosen |= {"epochs": EPOCHS.get(row.task, 3), "batch_size": 16}
    chosen |= {"crf": row.crf} if "crf" in chosen else {}
    outcome = run_trial(TrialSpec(1, candidate, chosen, 1), data, model, understood.task, folder / "trial")
    assert outcome.fitted is not None, outcome.reason
    fitted = outcome.fitted
    decoder = decoder_for(fitted, understood, folder / "trial" / "validation.npz")
    judged = Judged(fitted, decoder, unseen=False)
    bundle = folder / "bundle"
    built = build(fitted, decoder, understood, catalog, ["onnx"], bundle, 1, judged=lambda: judged, max_loss=0.5, say=print)
    program = sampled(built.program, understood, catalog.encoder(built.program.encoder.name).open(bundle, built.program.encoder.config))
    rounded = [one for one in map(catalog.exporter, ROUNDED) if one.supports(program, understood.problem) is None]
    built = replace(built, formats=built.formats | {one.name: _rounded(one, program, understood, bundle) for one in rounded})
    (folder / "model").mkdir()
    fitted.save(folder / "model")
    told = {name: getattr(outcome, name) for name in ("status", "progress", "metrics", "value", "seconds")}
    trial = TrialFinished(trial=1, candidate=candidate.name, hyperparameters=chosen, **told)
    journal = SimpleNamespace(run_id=row.name)
    bench: Any = SimpleNamespace(understood=understood, candidates={candidate.name: candidate}, journal=journal, catalog=catalog)
    write_manifest(folder / "bundle", manifest_of(settings, bench, built, Chosen(trial)))
    rows = understood.rows.take(understood.splits.test[:5])
    columns = [rows[role] for role in understood.problem.inputs]
    pairs = [list(texts) for texts in zip(*columns, strict=True)] + [[text, "and another one"] for text in EXTRA]
    inputs = tuple(pairs if row.pairs else [first for first, *_ in pairs])
    return Made(row, folder, understood, catalog, inputs, {})


class Asked:
    """A loader in a process of its own, which answers a line of JSON with another."""

    def __init__(self, name: str, *command: str | Path) -> None:
        self._name, self._said = name, tempfile.TemporaryFile("w+")  # noqa: SIM115
        environment = {**os.environ, "MLFLOW_TRACKING_URI": f"file:{tempfile.gettempdir()}/mlruns"}
        self._process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=environment
        )

    def __call__(self, **request: Any) -> dict[str, Any]:
        """What it says, which may be {"error": ...}."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request, default=str) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._said.seek(0)
            pytest.fail(f"{self._name} ended:\n{self._said.read()[-4000:]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def answers(self, **request: Any) -> list[Any]:
        said = self(**request)
        assert "error" not in said, said["error"]
        answers: list[Any] = said["answers"]
        return answers

    def close(self) -> None:
        self._process.communicate(timeout=30)
        self._said.close()


@pytest.fixture(scope="session")
def home() -> Path:
    """Where tests/loaders/install.sh has put the loaders."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = Path(os.environ.get("AUTOFT_LOADERS", cache / "autoft-loaders"))
    absent = [name for name in ("js", "mlflow", "mlflow-server", "optimum") if not (folder / name / ".made").is_file()]
    assert not absent, f"{folder} lacks {', '.join(absent)}: make loaders"
    return folder


def _asked(name: str, *command: str | Path) -> Iterator[Asked]:
    asked = Asked(name, *command)
    yield asked
    asked.close()


@pytest.fixture(scope="session")
def js(home: Path) -> Iterator[Asked]:
    yield from _asked("transformers.js", "node", HERE / "ask.mjs", home / "js")


@pytest.fixture(scope="session")
def mlflow(home: Path) -> Iterator[Asked]:
    yield from _asked("mlflow", home / "mlflow" / "bin" / "python", HERE / "ask_mlflow.py")


@pytest.fixture(scope="session")
def optimum(home: Path) -> Iterator[Asked]:
    yield from _asked("optimum", home / "optimum" / "bin" / "python", HERE / "ask_optimum.py")
