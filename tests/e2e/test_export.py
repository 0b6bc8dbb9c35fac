"""Further formats of a finished run, and limits that change the winner, through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import autoft as package
from autoft.errors import BundleError, DataError, ExportError, InputError, PluginError
from autoft.interfaces.result import Result
from autoft.runtime.bundle import open_bundle
from support import autoft, result_of, reviews

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, bert_tiny: str) -> Path:
    """A real source, fine-tuned and refitted."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "shop.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in reviews()))
    autoft("run", "shop.csv", "--models", f"full:{bert_tiny}", "--trials", "1", "--concurrency", "1", "--output", "out", cwd=folder)
    assert result_of(folder / "out")["best"]["candidate"] == f"full:{bert_tiny}"
    return folder / "out"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(finished.parent, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "out" / "run.json").read_text())
    facts["directory"] = str(tmp_path / "run")
    (tmp_path / "run" / "out" / "run.json").write_text(json.dumps(facts))
    return tmp_path / "run" / "out"


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


def test_a_trimmed_vocabulary(run: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import pipeline

    texts = [text for text, _ in reviews(40)]
    before, whole = open_bundle(run / "bundle"), package.load(run / "bundle").predict(texts)
    names = ("--to", "onnx,onnx-int8", "--max-loss", "100")
    told = json.loads(autoft("export", run, "--trim-vocabulary", *names, "--json", cwd=run).stdout)
    assert list(told["formats"]) == ["onnx", "onnx-int8"]
    assert told["trimmed"]["kept"] < 8000 < told["trimmed"]["of"] == 30522
    after = open_bundle(run / "bundle")
    trimmed = after.manifest.trimmed
    assert trimmed is not None
    assert trimmed.model_dump() == told["trimmed"]
    assert (trimmed.share, trimmed.loss["weights"]) == (0.0, "trial")
    assert after.formats["onnx"].loss is None  # held to the trimmed model's answers at full strictness
    assert after.formats["onnx"].proof["max_difference"] < 1e-4
    assert after.formats["onnx"].bytes < before.formats["onnx"].bytes / 2
    assert after.formats["onnx-int8"].loss["spent"] == max(0.0, trimmed.loss["points"])
    assert after.manifest.figures == before.manifest.figures
    assert json.loads((run / "bundle" / "config.json").read_text())["vocab_size"] == trimmed.kept
    assert f"{trimmed.kept:,} of 30,522 tokens were kept" in (run / "bundle" / "README.md").read_text()
    assert f"vocabulary: {trimmed.kept:,} of 30,522 tokens" in autoft("export", run, cwd=run).stdout
    assert not [*run.glob("*.new"), *run.glob("judged-*")]

    # The run's own texts have all their tokens, and others are written by pieces.
    served = package.load(run / "bundle", format="onnx")
    for one, two in zip(whole, served.predict(texts), strict=True):
        assert (one["label"], one["score"]) == (two["label"], pytest.approx(two["score"], abs=1e-4))
    strange = "the kaleidoscope is magnificent"
    tokens = Tokenizer.from_file(str(run / "bundle" / "tokenizer.json")).encode(strange).tokens
    assert "[UNK]" not in tokens
    assert "".join(tokens[1:-1]).replace("##", "") == strange.replace(" ", "")

    # The folder of the model goes with it.
    ask = pipeline("text-classification", model=str(run / "model"))
    for one, two in zip(served.predict([*texts, strange]), ask([*texts, strange]), strict=True):
        assert (one["label"], one["score"]) == (two["label"], pytest.approx(two["score"], abs=1e-4))

    # A further format is one of the trimmed model; trimmed again, it is the whole model that is.
    assert list(package.export(run, ["onnx-fp16"], max_loss=100).formats) == ["onnx-fp16", "onnx", "onnx-int8"]
    again = package.export(run, trim_vocabulary=True, max_loss=100)
    assert again.trimmed == trimmed
    assert list(again.formats) == ["onnx-fp16", "onnx", "onnx-int8"]


def test_a_vocabulary_that_costs_too_much_leaves_all_as_it_was(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from autoft_plugins.models.transformer import trimming

    before = {path: path.read_bytes() for folder in ("bundle", "model") for path in (run / folder).rglob("*") if path.is_file()}
    sliced = trimming._sliced

    def damaged(*arguments: object) -> object:
        small = sliced(*arguments)  # type: ignore[arg-type]
        torch.nn.init.zeros_(small.get_input_embeddings().weight)
        return small

    monkeypatch.setattr(trimming, "_sliced", damaged)
    with pytest.raises(ExportError, match=r"is not trimmed: a vocabulary of [\d,]+ of 30,522 tokens costs"):
        package.export(run, trim_vocabulary=True)
    assert {path: path.read_bytes() for folder in ("bundle", "model") for path in (run / folder).rglob("*") if path.is_file()} == before
    assert not [*run.glob("*.new"), *run.glob("model.whole")]


def test_other_rows_are_refused(run: Path) -> None:
    with (run.parent / "shop.csv").open("a") as file:
        file.write("one more is great,good\n")
    with pytest.raises(DataError, match="has changed since the run began"):
        package.export(run, ["onnx-int8"])
    (run.parent / "shop.csv").unlink()
    with pytest.raises(InputError):
        package.export(run, ["onnx-int8"])


def test_limits_change_the_winner(finished: Path, tmp_path: Path, bert_tiny: str) -> None:
    """bert-tiny wins without them (`finished`); its 4.4 million weights do not fit into 4 MB, and the baseline's do."""
    shutil.copy(finished.parent / "shop.csv", tmp_path)
    names = f"full:{bert_tiny},linear"
    arguments = ("--models", names, "--trials", "2", "--concurrency", "1", "--max-latency", "500ms")
    done = autoft("run", "shop.csv", *arguments, "--max-size", "5.5MB", "--output", "out", "--json", cwd=tmp_path)
    result = Result.model_validate_json(done.stdout)
    assert result.limits is not None
    assert result.limits.met
    tried = {(one.candidate, one.format): one for one in result.limits.options}
    assert tried[f"full:{bert_tiny}", "onnx"].times_over > 1
    assert {name for name, _ in tried} == {f"full:{bert_tiny}", "linear"}
    within = [one for one in tried.values() if one.times_over <= 1]
    assert (result.best.candidate, result.formats[0].name) in {(one.candidate, one.format) for one in within}
    assert result.best.candidate != f"full:{bert_tiny}" or result.formats[0].name != "onnx"
    size = sum(path.stat().st_size for path in (tmp_path / "out" / "bundle").rglob("*") if path.suffix in (".onnx", ".json"))
    assert size < 5_700_000
    assert "within --max-latency 500 ms and --max-size 5.5 MB" in result.verdict
    assert "Within your limits" in (tmp_path / "out" / "report.html").read_text()
