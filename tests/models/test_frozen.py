from __future__ import annotations

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import SHARED, Candidate, Limits, TrialSpec
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full

TEXTS = Table({"text": ["good", "the screen is awful", "very " * 60, ""]})


def spec_of(source, **changes):
    return TrialSpec(1, Candidate("frozen", source), {"C": 1.0} | changes, 3)


@pytest.mark.parametrize("architecture", ["bert", "mpnet", "modernbert"])
def test_fit_save_load_same_answers(architecture, tiny_source, text_data, listening, tmp_path):
    import torch

    data, report = text_data(rows=40), listening()
    fitted = Frozen().fit(spec_of(tiny_source(architecture)), data, report)
    assert report.progress == [1.0]
    folder = tmp_path / "model"
    folder.mkdir()
    fitted.save(folder)
    again = Frozen().load(folder)
    answers = fitted.outputs(TEXTS)["logits"]
    np.testing.assert_allclose(again.outputs(TEXTS)["logits"], answers, atol=1e-6)
    (part,) = again.program().parts
    with torch.no_grad():
        made = part.graph(**{name: torch.from_numpy(value) for name, value in part.example.items()})
    assert made["logits"].shape == (2, 2)
    assert [tensor.name for tensor in part.outputs] == ["logits"]


def test_features_are_computed_once(tiny_source, text_data, listening, monkeypatch):
    from autoft_plugins.models.transformer import feature_cache

    data = text_data(rows=40)
    source = tiny_source("bert")
    Frozen().fit(spec_of(source), data, listening())
    monkeypatch.setattr(feature_cache, "body", lambda _: pytest.fail("the features were computed again"))
    Frozen().fit(spec_of(source, C=0.1), data, listening())
    assert not [path for path in data.cache.iterdir() if "." in path.name], "something was left aside"


def test_the_features_are_what_its_trials_share(tiny_source, text_data):
    data, limits = text_data(rows=40), Limits(memory=1 << 40, threads=1, gpus=0, seconds=None, flops=1e9)
    frozen, full = (model.candidates(data.problem, [tiny_source("bert")], limits, data.rows)[0] for model in (Frozen(), Full()))
    assert frozen.shared == frozen.flops > 0
    assert full.flops > full.shared == 0


def test_it_tells_what_the_features_took(tiny_source, text_data, listening, monkeypatch):
    """Further trials find them in the cache."""
    from autoft_plugins.models import frozen

    report, times = listening(), iter([10.0, 17.0])
    monkeypatch.setattr(frozen, "monotonic", lambda: next(times))
    Frozen().fit(spec_of(tiny_source("bert")), text_data(rows=40), report)
    assert report.measures == [{SHARED: 7.0}]


def test_one_class_to_learn_from_is_refused(tiny_source, text_data, listening):
    from dataclasses import replace

    data = text_data(rows=20)
    data = replace(data, targets=np.zeros(20, np.int64))
    with pytest.raises(TrialError, match="one class"):
        Frozen().fit(spec_of(tiny_source("bert")), data, listening())


def test_weights_lift_the_rare_class(tiny_source, text_data, listening):
    data = text_data(rows=60, uneven=True)
    plain, weighted = listening(), listening()
    Frozen().fit(spec_of(tiny_source("bert"), balance="none", C=0.001), data, plain)
    Frozen().fit(spec_of(tiny_source("bert"), balance="weights", C=0.001), data, weighted)
    gain = [float((r.outputs[0]["logits"][:, 1] - r.outputs[0]["logits"][:, 0]).mean()) for r in (plain, weighted)]
    assert gain[1] > gain[0]


def test_another_tokenizer_over_the_same_weights_is_another_cache(tiny_source, text_data, listening, tmp_path):
    import json
    import shutil
    from dataclasses import replace

    from autoft_plugins.models.transformer.anatomy import anatomy

    data, source = text_data(rows=40), tiny_source("bert")
    folder = tmp_path / "source"
    shutil.copytree(source.folder, folder)
    source = replace(source, folder=folder)
    assert anatomy(source).positions == 64
    first = Frozen().fit(spec_of(source), data, listening()).head.weight
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["good"], vocabulary["bad"] = vocabulary["bad"], vocabulary["good"]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 48}))
    assert anatomy(source).positions == 48
    assert not np.array_equal(Frozen().fit(spec_of(source), data, listening()).head.weight, first)
    assert len(list(data.cache.glob("tokens-*"))) == len(list(data.cache.glob("features-*"))) == 2


def test_a_slow_tokenizer_is_converted_into_the_cache_folder(tiny_source, tmp_path, monkeypatch):
    import shutil
    from dataclasses import replace

    from autoft.errors import SourceError
    from autoft_plugins.models.transformer.anatomy import tokenizer_path

    folder = tmp_path / "source"
    shutil.copytree(tiny_source("bert").folder, folder)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"]) + "\n")
    source = replace(tiny_source("bert"), folder=folder)
    monkeypatch.setenv("AUTOFT_CACHE", str(tmp_path / "cache"))
    first = tokenizer_path(source)
    assert first.is_relative_to(tmp_path / "cache")
    assert '"good"' in first.read_text()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bad"]) + "\n")
    assert '"bad"' in tokenizer_path(source).read_text()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(SourceError, match="cannot be written"):
        tokenizer_path(source)


def test_only_the_weights_that_count_are_read_and_copied(tiny_source, text_data, listening, tmp_path):
    import shutil
    from dataclasses import replace

    from autoft_plugins.models.transformer.anatomy import anatomy

    folder = tmp_path / "source"
    shutil.copytree(tiny_source("bert").folder, folder)
    own = anatomy(tiny_source("bert")).parameters
    (folder / "adapter.safetensors").write_bytes(b"not these")
    source = replace(tiny_source("bert"), folder=folder, sha256="other")
    assert anatomy(source).parameters == own
    fitted = Frozen().fit(spec_of(source), text_data(rows=20), listening())
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").glob("*.safetensors")] == ["model.safetensors"]
