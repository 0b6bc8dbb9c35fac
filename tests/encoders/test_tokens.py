from __future__ import annotations

import json
import shutil
from dataclasses import replace

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
    spec = encoder_spec(source, token_config(source, 16, ("text",)))
    save_encoder(spec, tmp_path)
    return tmp_path, spec


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert"])
def test_ids_equal_the_librarys_on_short_and_long_texts(architecture, tiny_source, tmp_path):
    from transformers import AutoTokenizer

    source = tiny_source(architecture)
    spec = encoder_spec(source, token_config(source, 16, ("text",)))
    save_encoder(spec, tmp_path)
    encoded = TokenEncoder().open(tmp_path, spec.config).encode(ROWS)
    for folder in (source.folder, tmp_path):
        expected = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, truncation=True, max_length=16, return_tensors="np")
        for name in encoded.arrays:
            if name in expected:
                np.testing.assert_array_equal(encoded.arrays[name], expected[name])
    assert set(expected) == set(encoded.arrays), "other loaders are told which inputs the graph takes"


def test_other_loaders_can_fill_up_rows_of_a_source_that_does_not_say_by_what(tiny_source, tmp_path):
    from transformers import AutoTokenizer

    source = tiny_source("bert")
    bare = replace(source, folder=tmp_path / "bare")
    shutil.copytree(source.folder, bare.folder)
    (bare.folder / "tokenizer_config.json").unlink()
    spec = encoder_spec(bare, token_config(bare, 16, ("text",)))
    (tmp_path / "saved").mkdir()
    save_encoder(spec, tmp_path / "saved")
    assert json.loads(spec.files["tokenizer_config.json"])["pad_token"] == "[PAD]"
    shutil.copy(source.folder / "config.json", tmp_path / "saved")
    found = AutoTokenizer.from_pretrained(tmp_path / "saved")(TEXTS, padding=True, truncation=True, return_tensors="np")
    for name, array in TokenEncoder().open(tmp_path / "saved", spec.config).encode(ROWS).arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_tokenised_rows_of_training_hold_the_same_ids(bundle, tiny_source, tmp_path):
    from autoft_plugins.models.transformer.tokenization import tokenised

    folder, spec = bundle
    arrays = TokenEncoder().open(folder, spec.config).encode(ROWS).arrays
    for _ in range(2):
        tokens = tokenised(tiny_source("bert"), ROWS, dict(spec.config), tmp_path / "cache")
        given = tokens.inputs(np.arange(len(TEXTS)))
        assert list(given) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(given[name], array)


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


SECOND = ["the case is fine", "so", "very " * 9, "good", "very " * 70]
PAIRS = Table({"text": TEXTS, "text_pair": SECOND})


@pytest.fixture(params=["bert", "roberta"])
def pair_source(request, tiny_source):
    return tiny_source(request.param)


@pytest.mark.parametrize("length", [8, 15, 16])
def test_ids_and_types_of_pairs_equal_the_librarys(length, pair_source, tmp_path):
    from transformers import AutoTokenizer

    from autoft_plugins.models.transformer.tokenization import tokenised

    spec = encoder_spec(pair_source, token_config(pair_source, length, ("text", "text_pair")))
    save_encoder(spec, tmp_path)
    encoding = TokenEncoder().open(tmp_path, spec.config)
    encoded = encoding.encode(PAIRS)
    expected = AutoTokenizer.from_pretrained(tmp_path)(
        TEXTS, SECOND, padding=True, truncation=True, return_tensors="np", return_token_type_ids=True
    )
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if pair_source.name == "tiny-bert" else [])]
    assert list(encoded.arrays) == names
    whole = AutoTokenizer.from_pretrained(pair_source.folder, model_max_length=10_000)(TEXTS, SECOND)["input_ids"]
    assert encoded.truncated.tolist() == [len(ids) > length for ids in whole]
    trained = tokenised(pair_source, PAIRS, spec.config, tmp_path / "cache").inputs(np.arange(len(PAIRS)))
    for name in names:
        np.testing.assert_array_equal(encoded.arrays[name], expected[name])
        np.testing.assert_array_equal(trained[name], expected[name])


def test_what_of_a_pair_is_cut_is_what_the_library_cuts():
    from tokenizers import Tokenizer, models, pre_tokenizers

    from autoft_plugins.encoders.tokens import longest_first

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    for room in range(1, 8):
        tokenizer.enable_truncation(room)
        for first in range(9):
            for second in range(9):
                row = tokenizer.encode("a " * first, "b " * second)
                assert longest_first(first, second, room) == (row.ids.count(0), row.ids.count(1)), (first, second, room)


def test_two_very_long_texts_take_no_longer_than_their_tokens(pair_source, tmp_path):
    from time import process_time

    spec = encoder_spec(pair_source, token_config(pair_source, 16, ("text", "text_pair")))
    save_encoder(spec, tmp_path)
    encoding = TokenEncoder().open(tmp_path, spec.config)
    started = process_time()
    encoded = encoding.encode(Table({"text": ["very " * 5_000], "text_pair": ["good " * 5_000]}))
    assert process_time() - started < 2
    assert encoded.arrays["input_ids"].shape == (1, 16)


@pytest.mark.parametrize("length", [4, 7, 16])
def test_resized_pairs_have_the_length(length, pair_source, tmp_path):
    spec = encoder_spec(pair_source, token_config(pair_source, 16, ("text", "text_pair")))
    save_encoder(spec, tmp_path)
    encoding = TokenEncoder().open(tmp_path, spec.config)
    resized = encoding.resized(PAIRS.take([0, 1, 2]), length)
    assert encoding.encode(resized).lengths.tolist() == [length] * 3
    assert all(resized["text_pair"]) is (length - encoding.specials > 1)


def test_more_than_two_fields_are_refused(bundle):
    folder, spec = bundle
    with pytest.raises(ValueError, match="one text or two"):
        TokenEncoder().open(folder, {**spec.config, "fields": ["a", "b", "c"]})
