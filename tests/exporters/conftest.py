"""Fitted models, exported and ready to be proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.encoder import Encoding
from autoft.interfaces.exporter import Session
from autoft.interfaces.model import Candidate, FitData, Fitted, Program, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.proof import Proof, prove
from autoft_exporters.onnx_fp32 import OnnxFp32
from autoft_plugins.encoders import ENCODERS
from autoft_plugins.models.full import Full
from autoft_plugins.models.linear import Linear
from autoft_plugins.tasks import TASKS


@dataclass
class Exportation:
    """A fitted model, its program, and the folder it was exported to."""

    fitted: Fitted
    program: Program
    problem: Problem
    rows: Table
    folder: Path

    def session(self) -> Session:
        return OnnxFp32().open(self.folder, 1)

    def encoding(self, folder: Path | None = None) -> Encoding:
        encoder = next(item for item in ENCODERS if item.name == self.program.encoder.name)
        return encoder.open(folder or self.folder, self.program.encoder.config)

    def prove(self, *, session: Session | None = None, encoding: Encoding | None = None, **options: Any) -> Proof:
        task = next(item for item in TASKS if item.name == self.problem.task)
        return prove(self.fitted, session or self.session(), encoding or self.encoding(), task, self.problem, self.rows, **options)


def export(fitted: Fitted, data: FitData, folder: Path) -> Exportation:
    program = fitted.program()
    folder.mkdir(exist_ok=True)
    for name, content in program.encoder.files.items():
        (folder / name).write_bytes(content)
    OnnxFp32().export(program, data.problem, folder)
    return Exportation(fitted, program, data.problem, data.rows, folder)


@pytest.fixture
def export_bundle() -> Callable[[Fitted, FitData, Path], Exportation]:
    """Exports a fitted model into a folder."""
    return export


@pytest.fixture
def exported_linear(text_data, listening, tmp_path) -> Exportation:
    data, model, candidate = text_data(rows=60), Linear(), Candidate("linear")
    spec = TrialSpec(1, candidate, model.space(candidate, data.problem, 45).default, 0)
    return export(model.fit(spec, data, listening()), data, tmp_path / "bundle")


@pytest.fixture
def exported_full(tiny_source, text_data, listening, tmp_path) -> Callable[[str], Exportation]:
    """Two steps of training, saved, loaded and exported."""

    def make(architecture: str) -> Exportation:
        import torch

        data, model = text_data(rows=40), Full()
        candidate = Candidate("full", tiny_source(architecture))
        chosen = {**model.space(candidate, data.problem, 30).default, "batch_size": 16}
        fitted: Any = model.fit(TrialSpec(1, candidate, chosen, 7), data, listening(stop_after=2))
        with torch.no_grad():
            for weight in fitted.model.parameters():
                if weight.dim() > 1:
                    weight.mul_(6.0)  # as drawn, all texts get nearly the same answer, and so would a wrong export
        fitted.save(saved := _folder(tmp_path / "saved"))
        loaded = model.load(saved)
        before, after = fitted.outputs(data.rows)["logits"], loaded.outputs(data.rows)["logits"]
        np.testing.assert_allclose(after, before, atol=1e-6)
        assert before.std(axis=0).max() > 1e-2
        return export(loaded, data, tmp_path / "bundle")

    return make


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
