from __future__ import annotations

import json

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft_plugins.encoders.word_features import (
    FeatureNames,
    WordFeatureEncoder,
    WordFeatureEncoding,
    features_at,
    learn_features,
    shape,
    words_of,
)

SENTENCES = [["APC2", "causes", "colon", "cancer"], ["Cancer", "of", "the", "colon", "."], [], ["colon"]]


def table_of(sentences):
    texts, spans = [], []
    for words in sentences:
        starts = np.cumsum([0, *(len(word) + 1 for word in words)]).tolist()
        spans.append([(start, start + len(word)) for start, word in zip(starts, words, strict=False)])
        texts.append(" ".join(words))
    return Table({"text": texts, "words": spans})


@pytest.fixture
def encoding():
    return WordFeatureEncoding(learn_features(SENTENCES, minimum=1, limit=1000))


def names_of(encoding, sentence, at):
    ids, values = encoding.units(table_of([sentence]))[at]
    assert (values == 1).all()
    return {encoding.vocabulary.names[k - 1] for k in ids}


def test_words_are_parts_of_the_text_as_it_is():
    rows = Table({"text": ["A  b-c", "很好"], "words": [[(0, 1), (3, 4), (4, 5), (5, 6)], [(0, 1), (1, 2)]]})
    assert words_of(rows) == [["A", "b", "-", "c"], ["很", "好"]]
    assert words_of(table_of(SENTENCES)) == SENTENCES


@pytest.mark.parametrize(("word", "expected"), [("APC2", "AA0"), ("Cancer", "Aaa"), ("3.14", "0.00"), ("BRCA-1", "AA-0"), ("很好", "xx")])
def test_the_shape_of_a_word(word, expected):
    assert shape(word) == expected


def test_a_word_tells_of_itself_and_of_its_neighbours():
    own = set(features_at(0, "Colon"))
    assert {"0 word colon", "0 shape Aaa", "0 prefix col", "0 suffix olon"} <= own
    assert set(features_at(-1, "Colon")) == {"-1 word colon", "-1 shape Aaa", "-1 suffix lon"}


def test_the_neighbourhood_of_each_word(encoding):
    first = names_of(encoding, SENTENCES[0], 0)
    assert {"0 word apc2", "0 shape AA0", "1 word causes", "2 word colon", "-1 edge", "-2 edge", "after apc2 causes"} <= first
    last = names_of(encoding, SENTENCES[0], 3)
    assert {"0 word cancer", "-1 word colon", "-2 word causes", "1 edge", "2 edge", "before colon cancer"} <= last
    assert "0 word apc2" not in last


def test_only_features_that_are_known_count(encoding):
    found = names_of(encoding, ["unheard", "colon"], 0)
    assert "0 word unheard" not in found
    assert {"1 word colon", "-1 edge"} <= found


def test_the_rarest_features_fall_to_the_limit():
    every = learn_features(SENTENCES, minimum=1, limit=1000)
    frequent = learn_features(SENTENCES, minimum=3, limit=1000)
    assert set(frequent.names) < set(every.names)
    assert "0 word colon" in frequent.names
    assert "0 word apc2" not in frequent.names
    assert len(learn_features(SENTENCES, minimum=1, limit=5).names) == 5


def test_outputs_of_words_become_those_of_rows(encoding):
    rows = table_of(SENTENCES)
    encoded = encoding.encode(rows)
    assert encoded.arrays["ids"].shape == encoded.arrays["values"].shape
    assert encoded.arrays["ids"].shape[0] == 10
    assert encoded.lengths.tolist() == [4, 5, 0, 1]
    logits = encoded.by_row({"logits": np.arange(20, dtype=np.float32).reshape(10, 2) + 1})["logits"]
    assert logits.shape == (4, 5, 2)
    np.testing.assert_array_equal(logits[0, :4, 0], [1, 3, 5, 7])
    np.testing.assert_array_equal(logits[1, :, 1], [10, 12, 14, 16, 18])
    np.testing.assert_array_equal(logits[3, 0], [19, 20])
    assert not logits[0, 4:].any()
    assert not logits[2].any()
    nothing = encoding.encode(rows.take([2]))
    assert nothing.by_row({"logits": np.zeros((0, 2), np.float32)})["logits"].shape == (1, 0, 2)


def test_a_batch_does_not_change_a_row(encoding):
    rows = table_of(SENTENCES)
    whole = encoding.encode(rows)
    alone = encoding.encode(rows.take([1]))
    width = alone.arrays["ids"].shape[1]
    np.testing.assert_array_equal(whole.arrays["ids"][4:9, :width], alone.arrays["ids"])
    assert not whole.arrays["ids"][4:9, width:].any()


def test_what_training_saw_is_what_serving_sees(tmp_path, encoding, monkeypatch):
    from autoft_plugins.encoders import word_features

    (tmp_path / "vocabulary.json").write_bytes(encoding.vocabulary_json())
    rows = table_of([*SENTENCES, ["x" * 5000, "colon"], ["COLON", "\ud800"]])
    here = encoding.encode(rows)
    monkeypatch.setattr(word_features, "_REMEMBERED", 2)
    there = WordFeatureEncoder().open(tmp_path, {}).encode(rows)
    for name, array in here.arrays.items():
        assert np.array_equal(array, there.arrays[name])


def test_a_missing_or_damaged_vocabulary_is_said(tmp_path, encoding):
    with pytest.raises(BundleError, match=r"no vocabulary\.json"):
        WordFeatureEncoder().open(tmp_path, {})
    for content in ('{"version": 2, "features": []}', '{"version": 1}', "[1"):
        (tmp_path / "vocabulary.json").write_text(content)
        with pytest.raises(BundleError, match=r"cannot read .*vocabulary\.json"):
            WordFeatureEncoder().open(tmp_path, {})
    assert FeatureNames.from_json(encoding.vocabulary_json()) == encoding.vocabulary
    assert json.loads(encoding.vocabulary_json())["version"] == 1
