"""Other processes: how they start, what memory they take, the fitted model beside the bundle."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from autoft.benching import lines
from autoft.benching.bench import bench
from autoft.benching.children import Child, FittedTurn, Starts, fitted_model
from autoft.benching.questions import made
from autoft.data.table import Table
from autoft.errors import AutoftError
from autoft.runtime.bundle import Provenance
from small_bundle import make_bundle

ROWS = Table({"text": ["great", "awful", "fine"]})
TOY = Path(__file__).with_name("toy_torch.py")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_start_is_measured_from_outside_and_its_stages_from_within(bundle: Path) -> None:
    starts = Starts(bundle, (), None, 1, ROWS)
    turns = [starts.turn(0.0), starts.turn(0.0)]
    found = starts.figures(turns)
    assert [len(turn) for turn in turns] == [1, 1]
    assert found.n == 2
    assert 0 < found.answering < found.opening < found.seconds
    assert found.low <= found.seconds <= found.high


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_memory_grows_as_the_bundle_is_opened(bundle: Path) -> None:
    found = Starts(bundle, (), None, 1, ROWS).memory()
    assert found is not None
    assert 2**20 < found.started < found.opened <= found.answered <= found.peak
    assert found.rows == 3


def test_a_system_that_does_not_tell_gives_no_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lines, "_STATUS", tmp_path / "absent")
    assert lines.resident() is None
    (tmp_path / "odd").write_text("VmRSS: much\n")
    monkeypatch.setattr(lines, "_STATUS", tmp_path / "odd")
    assert lines.resident() is None


def test_a_process_that_fails_says_why(bundle: Path) -> None:
    (bundle / "onnx" / "model.onnx").write_bytes(b"")
    with pytest.raises(AutoftError, match=r"model\.onnx was changed"):
        Starts(bundle, (), None, 1, ROWS).turn(0.0)


def test_rows_that_are_no_json_are_refused(bundle: Path) -> None:
    with pytest.raises(AutoftError, match="cannot be handed to another process"):
        Starts(bundle, (), None, 1, Table({"text": [object()]})).turn(0.0)


def test_no_process_is_left_behind(bundle: Path) -> None:
    order = {"bundle": str(bundle), "plugins": [], "exporter": None, "threads": 1, "rows": {"text": ["great"]}, "load": False}
    child = Child("autoft.benching.started", order)
    process = child._process.pid
    assert alive(process)

    def left() -> None:
        with child:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        left()
    assert not alive(process)


def test_a_module_in_the_working_directory_is_not_taken_for_ours(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    assert len(Starts(bundle, (), None, 1, ROWS).turn(0.0)) == 1


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weight.json").write_text("[[1.0, 0.0], [0.0, 9.0]]")
    return folder


def test_the_fitted_model_answers_in_a_process_of_its_own(bundle: Path, model: Path) -> None:
    with fitted_model(bundle, "toy:small", model, [TOY], 1, ROWS, ROWS) as child:
        assert child.hear()["torch"].split(".")[0].isdecimal()
        few, many = FittedTurn(child, "few").turn(0.001), FittedTurn(child, "many").turn(0.0)
        assert all(seconds > 0 for seconds in (*few, *many))
        assert len(many) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="tells the threads of a process by /proc")
def test_a_model_that_does_not_use_torch_says_so(bundle: Path, model: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.py"
    text = TOY.read_text().replace("import torch\n", "").replace("torch.tensor", "np.array").replace(").numpy()", ")")
    plain.write_text(text)
    with fitted_model(bundle, "toy", model, [plain], 1, ROWS, ROWS) as child:
        assert child.hear() == {"torch": None}


def run_of(folder: Path, candidate: str) -> Path:
    return make_bundle(folder / "bundle", provenance=Provenance(candidate=candidate))


def test_beside_pytorch_the_same_rows_with_as_many_threads(tmp_path: Path, model: Path) -> None:
    found = bench(run_of(tmp_path, "toy"), made, plugin_files=[TOY], model=model, seconds=1)
    assert found.beside is not None
    assert found.beside.threads == found.machine.cores
    own = next(one for one in found.throughput if (one.sessions, one.threads, one.batch) == (1, found.machine.cores, found.beside.batch))
    assert found.beside.rate.rows == own.rows
    assert found.beside.faster == pytest.approx(own.rows_per_second / found.beside.rate.rows_per_second)
    lone = next(one for one in found.latency if one.threads == found.machine.cores)
    assert found.beside.quicker == pytest.approx(found.beside.latency.p50_ms / lone.p50_ms)
    assert not [note for note in found.notes if "PyTorch" in note]


def test_why_there_is_nothing_beside_it(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run_of(tmp_path, "toy")
    (model / "weight.json").write_text("{")
    found = bench(folder, made, plugin_files=[TOY], model=model, seconds=1)
    assert found.beside is None
    assert [
        note for note in found.notes if note.startswith(f"no comparison with PyTorch: the model in {model} did not answer: json.decoder")
    ]
    monkeypatch.setattr("autoft.benching.bench.find_spec", lambda name: None)
    found = bench(folder, made, model=model, seconds=1)
    assert "no comparison with PyTorch: torch is not installed here" in found.notes
    found = bench(folder, made, seconds=1)
    assert "no comparison with PyTorch: the fitted model is not at hand: give the run that left the bundle" in found.notes
    assert json.loads((folder / "autoft.json").read_text())["advice"]["threads"] >= 1
