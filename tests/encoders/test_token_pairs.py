"""Two texts a row, each in the tokens it has on its own."""

from __future__ import annotations

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft_plugins.encoders import ENCODERS
from autoft_plugins.encoders.token_pairs import TokenPairEncoder
from autoft_plugins.encoders.tokens import TokenEncoder
from autoft_plugins.models.transformer.encoding import encoder_spec, save_encoder, token_config

FIRST = ["good", "The screen is AWFUL, and the sound is weak.", "very " * 60, "", "日 fine"]
SECOND = ["the case is fine", "so", "very " * 9, "good", None]
ROWS = Table({"text": FIRST, "text_pair": SECOND, "note": list("abcde")}, "a.csv")


@pytest.fixture(params=["bert", "roberta"])
def bundle(request, tiny_source, tmp_path):
    source = tiny_source(request.param)
    spec = encoder_spec(source, token_config(source, 16, ("text", "text_pair")), "token-pairs")
    save_encoder(spec, tmp_path)
    return tmp_path, spec


@pytest.fixture
def encoding(bundle):
    folder, spec = bundle
    (encoder,) = [item for item in ENCODERS if item.name == spec.name]
    return encoder.open(folder, spec.config)


def test_ids_are_those_of_each_text_on_its_own(bundle, encoding):
    folder, spec = bundle
    encoded = encoding.encode(ROWS)
    assert list(encoded.arrays) == spec.config["inputs"]
    assert {array.shape for array in encoded.arrays.values()} == {(5, 2, 16)}
    assert {array.dtype for array in encoded.arrays.values()} == {np.dtype(np.int64)}
    for side, name in enumerate(("text", "text_pair")):
        own = TokenEncoder().open(folder, {**spec.config, "fields": [name]}).encode(ROWS, pad_to=16)
        for key, array in own.arrays.items():
            np.testing.assert_array_equal(encoded.arrays[key][:, side], array)
    if "token_type_ids" in encoded.arrays:
        assert not encoded.arrays["token_type_ids"].any(), "neither text is the second one of a pair"


def test_what_is_counted_is_that_of_both_texts(encoding):
    encoded = encoding.encode(ROWS, offsets=True)
    assert encoding.max_length == 16
    assert [tensor.axes for tensor in encoding.inputs] == [("batch", 2, "length")] * len(encoding.inputs)
    assert encoded.lengths.tolist() == encoded.arrays["attention_mask"].sum(2).max(1).tolist()
    assert encoded.truncated.tolist() == [False, False, True, False, False]
    assert encoded.unknown.tolist() == [0, 1, 0, 0, 1]  # the comma and the character
    start, end = encoded.offsets[0][4]
    assert SECOND[0][start:end] == "the"
    assert encoding.encode(ROWS.take([0])).arrays["input_ids"].shape == (1, 2, 6)
    assert encoding.encode(ROWS.take([0]), pad_to=9).arrays["input_ids"].shape == (1, 2, 9)
    assert encoding.encode(ROWS.take([1]), pad_to=2).arrays["input_ids"].shape[2] > 2
    assert encoding.encode(ROWS.take([])).arrays["input_ids"].shape == (0, 2, 1)


@pytest.mark.parametrize("length", [2, 3, 7, 16])
def test_both_texts_of_resized_rows_have_the_length(encoding, length):
    resized = encoding.resized(ROWS.take([0, 1, 2]), length)
    assert encoding.encode(resized).arrays["attention_mask"].sum(2).tolist() == [[length] * 2] * 3
    assert (resized.origin, resized["note"], resized.number(2)) == ("a.csv", ["a", "b", "c"], 3)


def test_a_missing_file_and_other_than_two_fields_are_refused(bundle):
    folder, spec = bundle
    with pytest.raises(BundleError, match="is missing"):
        TokenPairEncoder().open(folder / "nowhere", spec.config)
    with pytest.raises(ValueError, match="two texts, not of 1"):
        TokenPairEncoder().open(folder, {**spec.config, "fields": ["text"]})
