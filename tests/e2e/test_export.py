"""Further formats of a finished run, and limits that change the winner, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import autoft as package
from autoft.errors import BundleError, DataError, ExportError, InputError, PluginError
from autoft.interfaces.events import EVENTS
from autoft.interfaces.result import Result
from autoft.runtime.bundle import open_bundle
from support import autoft, moved, result_of, reviews

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, bert_tiny: str) -> Path:
    """A finished run, its winner refitted."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "shop.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in reviews(800)))
    autoft("run", "shop.csv", "--models", f"full:{bert_tiny}", "--trials", "1", "--concurrency", "1", "--output", "out", cwd=folder)
    assert result_of(folder / "out")["refit"]
    return folder / "out"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return moved(finished, tmp_path / "run")


def test_a_format_is_added_judged_and_served(run: Path) -> None:
    before = open_bundle(run / "bundle").manifest
    done = autoft("export", run, "--to", "onnx-int8-static,onnx-int8", "--max-loss", "100", "--json", cwd=run)
    told = json.loads(done.stdout)
    assert list(told["formats"]) == ["onnx-int8-static", "onnx-int8", "onnx"]
    bundle = open_bundle(run / "bundle")
    assert bundle.manifest.exporter == "onnx-int8-static"
    assert bundle.manifest.figures == before.figures
    assert {path.name for path in (run / "bundle" / "onnx").iterdir()} == {"model.onnx", "model_quantized.onnx", "model_int8.onnx"}
    for name in ("onnx-int8", "onnx-int8-static"):
        record = bundle.formats[name]
        assert record.loss["weights"] == "trial"  # not the refitted ones, which have seen these rows
        assert record.loss["rows"] == before.proof["of_rows"]
        assert record.proof["rounding"]
        assert record.bytes < bundle.formats["onnx"].bytes / 2
        answer = json.loads(autoft("predict", run, "the camera is great", "--json", "--format", name, cwd=run).stdout)
        assert answer["label"] in ("good", "bad")
    texts = [text for text, _ in reviews(40)]
    exact = package.load(run / "bundle", format="onnx").predict(texts)
    served = package.load(run / "bundle").predict(texts)
    assert sum(a["label"] == b["label"] for a, b in zip(exact, served, strict=True)) >= 38
    assert any(abs(a["score"] - b["score"]) > 1e-6 for a, b in zip(exact, served, strict=True))
    assert EVENTS.validate_json((run / "events.jsonl").read_text().splitlines()[-1]).event == "bundle_exported"
    card = (run / "bundle" / "README.md").read_text()
    assert "| onnx-int8-static |" in card
    assert "The exported graph rounds" in card
    assert not list(run.glob("bundle.*"))
    assert not list(run.glob("judged-*"))


def test_only_leaves_the_others_out_and_lists(run: Path) -> None:
    autoft("export", run, "--to", "onnx-int8", "--max-loss", "100", "--only", cwd=run)
    assert [path.name for path in (run / "bundle" / "onnx").iterdir()] == ["model_quantized.onnx"]
    shown = autoft("export", run, cwd=run).stdout
    assert "onnx-int8 " in shown
    assert "served" in shown
    assert "onnx-fp16: " in shown
    with pytest.raises(BundleError, match="has no format 'onnx'; it has onnx-int8"):
        package.load(run / "bundle", format="onnx")


def test_what_fails_leaves_the_old_bundle_whole(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in (run / "bundle").rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("autoft_exporters.onnx_int8.OnnxInt8._convert", full)
        with pytest.raises(ExportError, match="No space left"):
            package.export(run, ["onnx-int8"])
    with monkeypatch.context() as patch:
        patch.setattr("autoft.steps.further.write_manifest", full)
        with pytest.raises(ExportError, match="No space left"):
            package.export(run, ["onnx-int8"], max_loss=100)
    with pytest.raises(PluginError, match="did you mean"):
        package.export(run, ["onnx-int9"])
    assert {path: path.read_bytes() for path in (run / "bundle").rglob("*") if path.is_file()} == before
    assert not list(run.glob("bundle.*"))


def test_other_rows_are_refused(run: Path) -> None:
    with (run.parent / "shop.csv").open("a") as file:
        file.write("one more is great,good\n")
    with pytest.raises(DataError, match="has changed since the run began"):
        package.export(run, ["onnx-int8"])
    (run.parent / "shop.csv").unlink()
    with pytest.raises(InputError):
        package.export(run, ["onnx-int8"])


TWO_SPEEDS = """
class Slow(Softmax):
    name = "slow"

    def fit(self, spec, data, report):
        line = super().fit(spec, data, report)
        return SlowLine(line.problem, line.config, line.weight)

    def load(self, folder):
        line = super().load(folder)
        return SlowLine(line.problem, line.config, line.weight)


class SlowLine(Line):
    def program(self):
        from onnx import helper, numpy_helper

        program = super().program()
        (part,) = program.parts
        graph = part.graph.graph
        graph.node[0].output[0] = "line"
        graph.initializer.append(numpy_helper.from_array(np.full((1400, 1400), 1e-3, np.float32), "large"))
        graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
        graph.node.extend([
            helper.make_node("ReduceMean", ["features"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "nothing"], ["naught"]),
            helper.make_node("Add", ["large", "naught"], ["same"]),
            helper.make_node("MatMul", ["same", "same"], ["product"]),
            helper.make_node("ReduceMean", ["product"], ["its_mean"], keepdims=0),
            helper.make_node("Mul", ["its_mean", "nothing"], ["naught_too"]),
            helper.make_node("Add", ["line", "naught_too"], ["logits"]),
        ])
        return program


class Quick(Softmax):
    name = "quick"

    def fit(self, spec, data, report):
        from dataclasses import replace

        blind = Table({"features": [[first, 0.0] for first, _ in data.rows["features"]]})
        return super().fit(spec, replace(data, rows=blind), report)


@autoft.hookimpl
def autoft_register_models():
    return [Slow(), Quick()]
"""


def test_limits_change_the_winner(tmp_path: Path) -> None:
    """One model sees both columns and multiplies large matrices for nothing, the other sees one column and is quick."""
    example = (ROOT / "examples" / "numeric_plugin.py").read_text()
    own = "@autoft.hookimpl\ndef autoft_register_models():\n    return [Softmax()]\n"
    assert own in example
    (tmp_path / "two_speeds.py").write_text(example.replace(own, TWO_SPEEDS))
    rows = np.random.default_rng(0).normal(size=(400, 2))
    lines = [f"{x:.4f},{y:.4f},{'high' if x + y > 0 else 'low'}" for x, y in rows if abs(x + y) > 0.2]
    (tmp_path / "points.csv").write_text("\n".join(["x,y,side", *lines]) + "\n")
    arguments = ("run", "points.csv", "--plugin", "two_speeds.py", "--task", "numeric-classification", "--models", "slow,quick")
    arguments += ("--trials", "2", "--concurrency", "1", "--json")
    free = Result.model_validate_json(autoft(*arguments, "--output", "free", cwd=tmp_path).stdout)
    assert free.best.candidate == "slow"
    assert free.limits is None
    held = Result.model_validate_json(autoft(*arguments, "--output", "held", "--max-latency", "12ms", cwd=tmp_path).stdout)
    assert held.limits is not None
    assert held.limits.met
    assert held.best.candidate == "quick"
    assert held.best.test["accuracy"] < free.best.test["accuracy"]
    tried = {(one.candidate, one.format): one for one in held.limits.options}
    assert tried["slow", "onnx"].times_over > 1 >= tried["quick", held.formats[0].name].times_over
    assert tried["slow", "onnx"].front
    assert "within --max-latency 12 ms" in held.verdict
    assert "Within your limits" in (tmp_path / "held" / "report.html").read_text()
