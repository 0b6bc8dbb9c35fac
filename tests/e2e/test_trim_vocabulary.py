"""A smaller vocabulary of a finished run, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import autoft as package
from autoft.errors import ExportError
from autoft.interfaces.events import EVENTS
from autoft.runtime.bundle import open_bundle
from support import autoft, moved, result_of, reviews

pytestmark = [pytest.mark.ray, pytest.mark.slow]

RUN = """
import sys
import autoft, autoft.workflow
autoft.workflow.fit_baseline = lambda *_: None
autoft.run("shop.csv", models=[sys.argv[1]], trials=1, concurrency=1, output="out")
"""
"""Without the baseline, which may win on such rows, and has no vocabulary."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, bert_tiny: str) -> Path:
    """A real source, fine-tuned, with validation rows enough not to be cross-validated, and refitted."""
    folder = tmp_path_factory.mktemp("trim")
    (folder / "shop.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in reviews(600)))
    command = [sys.executable, "-c", RUN, f"full:{bert_tiny}"]
    subprocess.run(command, cwd=folder, env=dict(os.environ), check=True, capture_output=True, timeout=300)
    result = result_of(folder / "out")
    assert (result["best"]["candidate"], result["refit"]) == (f"full:{bert_tiny}", True)
    return folder / "out"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return moved(finished, tmp_path / "run")


def test_a_trimmed_vocabulary(run: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import pipeline

    with np.load(run / "data" / "splits.npz") as parts:
        texts = [reviews(600)[row][0] for row in (*parts["train"][:20], *parts["validation"][:20])]
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
    assert EVENTS.validate_json((run / "events.jsonl").read_text().splitlines()[-1]).event == "bundle_exported"
    assert not [*run.glob("*.new"), *run.glob("judged-*")]

    # The texts that were learned from have all their tokens, and others are written by pieces.
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
