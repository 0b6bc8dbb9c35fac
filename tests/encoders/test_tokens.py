from __future__ import annotations

import json

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft_plugins.encoders.tokens import TokenEncoder
from autoft_plugins.models.transformer.encoding import encoder_spec, save_encoder, token_config

TEXTS = ["good", "The screen is AWFUL, and the sound is weak.", "very " * 60, "", "日 fine"]
ROWS = Table({"text": TEXTS})


@pytest.fixture
def bundle(tiny_source, tmp_path):
    source = tiny_source("bert")
    spec = encoder_spec(source, token_config(source, 16, "text"))
    save_encoder(spec, tmp_path)
    return tmp_path, spec


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert"])
def test_ids_equal_the_librarys_on_short_and_long_texts(architecture, tiny_source, tmp_path):
    from transformers import AutoTokenizer

    source = tiny_source(architecture)
    spec = encoder_spec(source, token_config(source, 16, "text"))
    save_encoder(spec, tmp_path)
    encoded = TokenEncoder().open(tmp_path, spec.config).encode(ROWS)
    for folder in (source.folder, tmp_path):
        expected = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, truncation=True, max_length=16, return_tensors="np")
        for name in encoded.arrays:
            if name in expected:
                np.testing.assert_array_equal(encoded.arrays[name], expected[name])


def test_the_tokenised_rows_of_training_hold_the_same_ids(bundle, tiny_source, tmp_path):
    from autoft_plugins.models.transformer.tokenization import tokenised

    folder, spec = bundle
    arrays = TokenEncoder().open(folder, spec.config).encode(ROWS).arrays
    for _ in range(2):
        tokens = tokenised(tiny_source("bert"), ROWS, dict(spec.config), tmp_path / "cache")
        ids, mask = tokens.padded(np.arange(len(TEXTS)), 1)
        np.testing.assert_array_equal(ids, arrays["input_ids"])
        np.testing.assert_array_equal(mask, arrays["attention_mask"])


def test_padding_truncation_unknown_and_offsets(bundle):
    folder, spec = bundle
    encoding = TokenEncoder().open(folder, spec.config)
    encoded = encoding.encode(ROWS, offsets=True)
    assert encoding.max_length == 16
    assert [tensor.name for tensor in encoding.inputs] == list(encoded.arrays) == ["input_ids", "attention_mask", "token_type_ids"]
    assert {array.shape for array in encoded.arrays.values()} == {(5, 16)}
    assert {array.dtype for array in encoded.arrays.values()} == {np.dtype(np.int64)}
    assert encoded.truncated.tolist() == [False, False, True, False, False]
    assert encoded.lengths.tolist() == encoded.arrays["attention_mask"].sum(1).tolist()
    assert encoded.unknown.tolist() == [0, 1, 0, 0, 1]  # the comma and the character
    assert (encoded.arrays["input_ids"][0, encoded.lengths[0] :] == 1).all()
    start, end = encoded.offsets[1][3]
    assert TEXTS[1][start:end] == "is"
    assert encoding.encode(ROWS.take([0])).arrays["input_ids"].shape == (1, 3)
    assert encoding.encode(ROWS.take([0]), pad_to=9).arrays["input_ids"].shape == (1, 9)
    assert encoding.encode(ROWS.take([1]), pad_to=2).arrays["input_ids"].shape[1] > 2


@pytest.mark.parametrize("length", [2, 3, 7, 16])
def test_resized_rows_have_the_length(bundle, length):
    folder, spec = bundle
    encoding = TokenEncoder().open(folder, spec.config)
    resized = encoding.resized(ROWS.take([0, 1, 2]), length)
    assert encoding.encode(resized).lengths.tolist() == [length] * 3


def test_a_missing_or_broken_file_is_a_bundle_error(tmp_path, bundle):
    _, spec = bundle
    with pytest.raises(BundleError, match="is missing"):
        TokenEncoder().open(tmp_path / "nowhere", spec.config)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0"}))
    with pytest.raises(BundleError, match="no tokenizer"):
        TokenEncoder().open(tmp_path, spec.config)
