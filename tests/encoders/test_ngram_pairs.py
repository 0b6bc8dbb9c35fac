from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft_plugins.encoders.ngram_pairs import PairEncoder, PairEncoding, PairVocabulary, learn_pairs
from autoft_plugins.encoders.ngrams import learn

PAIRS = [
    ("a dog runs in the park", "a cat runs in the park"),
    ("nobody runs", "a dog runs"),
    ("A dog sleeps", "a dog sleeps"),
    ("the dog sleeps", "the cat sleeps"),
    ("", "a dog"),
    ("", ""),
    ("狗在跑", "猫在跑"),
]


@pytest.fixture
def encoding():
    ngrams = learn([text for pair in PAIRS for text in pair], character_sizes=(2, 3), minimum=1)
    return PairEncoding(learn_pairs(PAIRS, ngrams, minimum=2, limit=100))


def blocks_of(encoding, first, second):
    """The names of the features by block."""
    ngrams = encoding.vocabulary.ngrams
    terms, words = [*ngrams.words, *ngrams.characters], list(ngrams.words)
    names = [("", "")]
    for block, members in (("first", terms), ("second", terms), ("both", words), ("only first", words), ("only second", words)):
        names += [(block, member) for member in members]
    names += [("swap", swap) for swap in encoding.vocabulary.swaps]
    found: dict[str, dict] = {}
    ids, values = encoding.features(first, second)
    for k, value in zip(ids.tolist(), values.tolist(), strict=True):
        block, name = names[k] if k < len(names) else ("knots", k - len(names))
        found.setdefault(block, {})[name] = value
    return found


def test_what_is_shared_and_what_stands_in_one_text_only(encoding):
    found = blocks_of(encoding, "a dog runs", "a cat runs")
    assert set(found["both"]) == {"a", "runs"}
    assert set(found["only first"]) == {"dog", "a dog", "dog runs"}
    assert set(found["only second"]) == {"cat", "a cat", "cat runs"}
    assert "dog" in found["first"]
    assert "dog" not in found["second"]
    assert list(found["swap"]) == [("dog", "cat")]


def test_swaps_have_a_direction(encoding):
    assert encoding.vocabulary.swaps == (("dog", "cat"),)
    assert "swap" not in blocks_of(encoding, "a cat runs", "a dog runs")


def knots_of(encoding, first, second):
    """The numbers that the knots stand for, (measures,)."""
    knots = np.zeros((8, 9))
    for k, value in blocks_of(encoding, first, second)["knots"].items():
        knots[divmod(k, 9)] = value
    np.testing.assert_allclose(knots.sum(axis=1), 1, atol=1e-6)
    return knots @ np.arange(9) / 8


def test_numbers_tell_how_far_texts_overlap(encoding):
    np.testing.assert_allclose(knots_of(encoding, "A dog sleeps", "a DOG sleeps"), 1, atol=1e-6)
    np.testing.assert_allclose(knots_of(encoding, "", ""), 1, atol=1e-6)
    apart = knots_of(encoding, "nobody", "dog cat")
    np.testing.assert_allclose(apart, [0, 0, 0, 0, 0, 0.5, 0.5, 1 / 3], atol=1e-6)
    part = knots_of(encoding, "a dog", "a dog sleeps in the park")
    assert part[0] == pytest.approx(1)  # the second says all that the first does
    assert 0 < part[1] < 1
    assert knots_of(encoding, "", "a dog")[0] == pytest.approx(1)


def test_a_word_that_is_not_known_counts_as_a_rare_one(encoding):
    same, other = (knots_of(encoding, "the zebra", f"the {word}") for word in ("zebra", "okapi"))
    assert same[2] == pytest.approx(1)
    assert other[2] < 0.5


def test_blocks_have_unit_length_and_half_of_it_alone(encoding):
    ids, values = encoding.features("a dog runs in the park", "nobody runs")
    words, terms = len(encoding.vocabulary.ngrams.words), len(encoding.vocabulary.ngrams)
    own_words = (ids >= 1) & (ids <= words)
    assert np.linalg.norm(values[own_words]) == pytest.approx(0.5, abs=1e-6)
    both = (ids > 2 * terms) & (ids <= 2 * terms + words)
    assert np.linalg.norm(values[both]) == pytest.approx(1, abs=1e-6)
    assert ids.max() < encoding.size
    assert len(set(ids.tolist())) == len(ids)
    assert values.dtype == np.float32


def test_what_training_counted_is_what_serving_counts(tmp_path, encoding):
    (tmp_path / "vocabulary.json").write_bytes(encoding.vocabulary_json())
    served = PairEncoder().open(tmp_path, json.loads(json.dumps(encoding.config)))
    assert served.size == encoding.size
    rows = Table({"text": [one for one, _ in PAIRS] + [None], "text_pair": [two for _, two in PAIRS] + ["\ud800 a dog"]})
    here, there = encoding.encode(rows, pad_to=70), served.encode(rows, pad_to=70)
    for name, array in here.arrays.items():
        assert array.shape[1] >= 70
        assert np.array_equal(array, there.arrays[name])
    ids, values, starts = served.sparse(rows)
    for row in range(len(rows)):
        length = here.lengths[row]
        assert np.array_equal(here.arrays["ids"][row, :length], ids[starts[row] : starts[row + 1]])
        assert np.array_equal(here.arrays["values"][row, :length], values[starts[row] : starts[row + 1]])
    assert served.encode(rows.take([])).arrays["ids"].shape == (0, 1)


def test_several_threads_count_alike(encoding):
    expected = [encoding.features(*pair) for pair in PAIRS]
    with ThreadPoolExecutor(4) as pool:
        for k, (ids, values) in enumerate(pool.map(lambda pair: encoding.features(*pair), PAIRS * 20)):
            assert np.array_equal(ids, expected[k % len(PAIRS)][0])
            assert np.array_equal(values, expected[k % len(PAIRS)][1])


def test_a_missing_or_damaged_vocabulary_is_said(tmp_path, encoding):
    config = {"roles": ["text", "text_pair"]}
    with pytest.raises(BundleError, match=r"no vocabulary\.json"):
        PairEncoder().open(tmp_path, config)
    good = json.loads(encoding.vocabulary_json())
    for damage in ({"version": 2}, {"ngrams": {}}, {"swaps": [["one"]]}, {"swaps": None}):
        (tmp_path / "vocabulary.json").write_text(json.dumps(good | damage))
        with pytest.raises(BundleError, match=r"cannot read .*vocabulary\.json"):
            PairEncoder().open(tmp_path, config)


def test_a_vocabulary_goes_through_json(encoding):
    again = PairVocabulary.from_json(encoding.vocabulary.to_json())
    assert again.swaps == encoding.vocabulary.swaps
    assert again.to_json() == encoding.vocabulary.to_json()
