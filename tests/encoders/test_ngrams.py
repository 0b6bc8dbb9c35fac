from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft_plugins.encoders.ngrams import NgramEncoder, NgramEncoding, Vocabulary, character_grams, learn, normalise, word_grams

TEXTS = ["Good screen, good price", "bad screen", "the price is bad", "ﬁne price", "电池很好,屏幕不好", "屏幕很好", ""]


@pytest.fixture
def encoding():
    return NgramEncoding(learn(TEXTS, minimum=1))


def terms_of(encoding, text):
    vocabulary = encoding.vocabulary
    names = ("<padding>", *vocabulary.words, *vocabulary.characters)
    ids, values = encoding.features(text)
    return {names[k]: float(v) for k, v in zip(ids, values, strict=True)}


def test_words_and_characters_within_words():
    assert list(word_grams("do not buy", (1, 2))) == ["do", "not", "buy", "do not", "not buy"]
    assert list(character_grams("ab", (2, 4))) == [" a", "ab", "b ", " ab", "ab ", " ab "]
    assert list(character_grams("a", (5, 5))) == []


def test_scripts_without_spaces_have_a_word_a_character():
    assert list(word_grams("很好 ok", (1, 2))) == ["很", "好", "ok", "很 好", "好 ok"]


def test_marks_of_other_scripts_stay_in_their_word():
    assert list(word_grams("हिन्दी don't", (1, 1))) == ["हिन्दी", "don't"]


@pytest.mark.parametrize(("one", "other"), [("ﬁne", "FINE"), ("Ｇｏｏｄ", "good"), ("Straße", "STRASSE"), ("e\u0301te", "ÉTE")])
def test_compatibility_forms_and_case_are_one(one, other):
    assert normalise(one) == normalise(other)


def test_each_block_has_unit_length(encoding):
    ids, values = encoding.features("good screen, good price")
    words = ids <= len(encoding.vocabulary.words)
    assert np.linalg.norm(values[words]) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(values[~words]) == pytest.approx(1, abs=1e-6)
    assert values.dtype == np.float32
    assert (np.diff(ids) > 0).all()


def test_weights_are_those_of_tf_idf_by_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["a a b c", "a b b", "c d", "d d d a"]
    encoding = NgramEncoding(learn(texts, word_sizes=(1, 2), character_sizes=(9, 9), minimum=1))
    vectorizer = TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), sublinear_tf=True)
    expected = vectorizer.fit_transform(texts).toarray()
    for row, text in enumerate(texts):
        given = terms_of(encoding, text)
        known = {term: expected[row, k] for term, k in vectorizer.vocabulary_.items() if expected[row, k]}
        assert given == pytest.approx(known, abs=1e-6)


def test_what_training_counted_is_what_serving_counts(tmp_path, encoding):
    (tmp_path / "vocabulary.json").write_bytes(encoding.vocabulary.to_json())
    served = NgramEncoder().open(tmp_path, {"role": "text"})
    assert json.loads((tmp_path / "vocabulary.json").read_text())["version"] == 1
    for text in (*TEXTS, "unknown words only: zzz", "屏幕 good", "\ud800 lone surrogate", "x" * 5000):
        for here, there in zip(encoding.features(text), served.features(text), strict=True):
            assert np.array_equal(here, there)
    rows = Table({"text": TEXTS})
    for name, array in encoding.encode(rows).arrays.items():
        assert np.array_equal(array, served.encode(rows).arrays[name])


def test_a_chunk_without_end_is_counted_alike_and_within_bounds(monkeypatch):
    import tracemalloc

    from autoft_plugins.encoders import ngrams

    generator = np.random.default_rng(0)
    blob = "".join(generator.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), size=300_000))
    tracemalloc.start()
    encoding = NgramEncoding(learn([f"good {blob}", f"bad {blob}"], word_sizes=(9, 9)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6
    assert encoding.vocabulary.words == ()
    assert 4000 < len(encoding.vocabulary) <= 4 * (ngrams._LONGEST_CHUNK + 2) + 20
    # Each term that was learned is found again, and what lies behind the end of the chunk is not.
    assert len(encoding.features(f"good bad {blob}")[0]) == len(encoding.vocabulary)
    assert np.array_equal(encoding.features(blob)[0], encoding.features(blob[: ngrams._LONGEST_CHUNK])[0])
    monkeypatch.setattr(ngrams, "_REMEMBERED", 2)
    again = learn(TEXTS, minimum=1)
    monkeypatch.undo()
    assert again.to_json() == learn(TEXTS, minimum=1).to_json()


def test_arrays_are_padded_with_the_reserved_id(encoding):
    encoded = encoding.encode(Table({"text": ["good price", "", None]}), pad_to=200)
    ids, values = encoded.arrays["ids"], encoded.arrays["values"]
    assert ids.shape == values.shape == (3, 200)
    assert ids.dtype == np.int64
    assert (ids[1:] == 0).all()
    assert (values[1:] == 0).all()
    assert (ids[0, encoded.lengths[0] :] == 0).all()
    assert (ids[0, : encoded.lengths[0]] > 0).all()
    assert not encoded.truncated.any()
    assert encoding.encode(Table({"text": []})).arrays["ids"].shape == (0, 1)


def test_sparse_rows_hold_the_same(encoding):
    ids, values, starts = encoding.sparse(Table({"text": TEXTS}))
    for row, text in enumerate(TEXTS):
        here, there = slice(starts[row], starts[row + 1]), encoding.features(text)
        assert np.array_equal(ids[here], there[0])
        assert np.array_equal(values[here], there[1])


def test_the_rarest_terms_fall_to_the_limit():
    vocabulary = learn(["a b", "a c", "a b d"], word_sizes=(1, 1), character_sizes=(9, 9), minimum=1, limit=2)
    assert vocabulary.words == ("a", "b")
    assert learn(["a b", "a c"], word_sizes=(1, 1), character_sizes=(9, 9), minimum=2).words == ("a",)


def test_several_threads_count_alike(encoding):
    expected = [encoding.features(text) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        for k, (ids, values) in enumerate(pool.map(encoding.features, TEXTS * 50)):
            assert np.array_equal(ids, expected[k % len(TEXTS)][0])
            assert np.array_equal(values, expected[k % len(TEXTS)][1])


def test_five_thousand_short_texts_take_seconds():
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefghijklmnop"), size=generator.integers(2, 9))) for _ in range(3000)]
    texts = [" ".join(generator.choice(words, size=15)) for _ in range(5000)]
    started = time.process_time()
    encoding = NgramEncoding(learn(texts))
    encoding.sparse(Table({"text": texts}))
    assert time.process_time() - started < 15


def test_a_missing_or_damaged_vocabulary_is_said(tmp_path):
    with pytest.raises(BundleError, match=r"no vocabulary\.json"):
        NgramEncoder().open(tmp_path, {})
    good = json.loads(learn(TEXTS, minimum=1).to_json())
    for damage in ({"version": 2}, {"idf": good["idf"][1:]}, {"idf": [None] * len(good["idf"])}, {"word_sizes": [1]}, {"words": None}):
        (tmp_path / "vocabulary.json").write_text(json.dumps(good | damage))
        with pytest.raises(BundleError, match=r"cannot read .*vocabulary\.json"):
            NgramEncoder().open(tmp_path, {})
    (tmp_path / "vocabulary.json").write_text("[1")
    with pytest.raises(BundleError):
        NgramEncoder().open(tmp_path, {})


def test_a_vocabulary_goes_through_json():
    vocabulary = learn(TEXTS, minimum=1)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again.words == vocabulary.words
    assert again.characters == vocabulary.characters
    assert np.array_equal(again.idf, vocabulary.idf)
