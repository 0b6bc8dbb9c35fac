"""Words in overlapping windows: each is read once, where it has most context, and nothing is cut off."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.encoder import Encoder
from autoft_plugins.encoders.words import SURE, WordEncoder, WordEncoding
from autoft_plugins.models.transformer.encoding import encoder_spec, save_encoder, token_config
from autoft_plugins.tasks.words import words_in

LONG = " ".join(f"the phone is good {word}" for word in ("superb", "awful", "zebra", "cable") * 12)
CONFIG = {"inputs": ["input_ids", "attention_mask"], "pad_id": 0, "pad_type_id": 0, "unknown_id": None}
TEXTS = ["The screen was superb.", LONG, "", "good \u200b\u0007 bad"]


def rows_of(texts: list[str]) -> Table:
    return Table({"text": texts, "words": [words_in(text) for text in texts]})


@pytest.fixture(params=["bert", "roberta", "distilbert"])
def encoding(request, tiny_source, tmp_path) -> WordEncoding:
    source = tiny_source(request.param)
    spec = encoder_spec(source, token_config(source, 16, ("text",)), "words")
    save_encoder(spec, tmp_path)
    opened = WordEncoder().open(tmp_path, spec.config)
    assert isinstance(opened, WordEncoding)
    return opened


def test_it_is_an_encoder():
    assert isinstance(WordEncoder(), Encoder)


def test_windows_are_the_librarys_and_every_word_is_read_at_its_first_token(encoding):
    rows = rows_of(TEXTS)
    found = encoding.windows(rows)
    assert max(len(window.ids) for window in found.tokens) <= 16
    assert (np.diff(found.places.windows) >= 0).all()
    seen = {}
    places = found.places
    for row, word, window, token in zip(places.rows, places.words, places.windows, places.tokens, strict=True):
        start, end = rows["words"][row][word]
        own = found.tokens[window]
        assert found.owners[window] == row
        assert not own.special_tokens_mask[token]
        assert own.offsets[token][0] == start, "the first token, not one in the middle"
        assert own.offsets[token][1] <= end
        seen[int(row), int(word)] = min(token, len(own.ids) - 1 - token)
    assert [len(row) for row in rows["words"]] == [5, 240, 0, 4]
    assert len(seen) == 5 + 240 + 2, "the two odd characters have no token"
    inner = [context for (row, word), context in seen.items() if row == 1 and 15 < word < 225]
    assert min(inner) >= 1


def test_each_word_has_as_much_context_as_any_window_gives(encoding):
    rows = rows_of([LONG])
    found = encoding.windows(rows)
    starts = {}
    for number, window in enumerate(found.tokens):
        for token, ((start, _), special) in enumerate(zip(window.offsets, window.special_tokens_mask, strict=True)):
            if not special:
                starts.setdefault(start, {})[number] = min(token, len(window.ids) - 1 - token)
    for word, window in zip(found.places.words, found.places.windows, strict=True):
        choices = starts[rows["words"][0][word][0]]
        assert choices[window] == max(choices.values())


def every_window(encoding: WordEncoding, windows, words) -> tuple[list[int], list[int], list[int]]:
    """What `_find` gives, from each word's context in each window."""
    found: tuple[list[int], list[int], list[int]] = ([], [], [])
    for word, (start, end) in enumerate(words):
        best = None
        for number, window in enumerate(windows):
            inner = [k for k, special in enumerate(window.special_tokens_mask) if not special]
            place = next((k for k in inner if window.offsets[k][1] > start), None)
            if place is None or window.offsets[place][0] >= end or (number and place == inner[0] and window.offsets[place][0] > start):
                continue
            context = min(place - inner[0], inner[-1] - place)
            if best is None or context > best[0]:
                best = (context, number, place)
        if best is not None:
            for column, value in zip(found, (word, *best[1:]), strict=True):
                column.append(value)
    return found


def test_random_texts_are_read_where_a_look_at_every_window_says(encoding):
    generator = np.random.default_rng(5)
    known = ["good", "zebra", "unbelievable", "superb", "phone", "\u0007", "a", "cablecablecable"]
    for length in (5, 6, 7, 9, 16):
        encoding = WordEncoding(encoding._whole, {**CONFIG, "max_length": length})
        texts = [" ".join(generator.choice(known, generator.integers(0, 60))) for _ in range(12)]
        rows = rows_of(texts)
        found = encoding.windows(rows)
        for row in range(len(texts)):
            own = np.flatnonzero(found.owners == row)
            expected = every_window(encoding, [found.tokens[k] for k in own], rows["words"][row])
            mine = found.places.rows == row
            made = (found.places.words[mine], found.places.windows[mine] - own[0], found.places.tokens[mine])
            assert [column.tolist() for column in made] == list(expected)


def test_the_memory_of_a_long_text_does_not_grow_with_its_square(encoding):
    encoding = WordEncoding(encoding._whole, {**CONFIG, "max_length": 6})
    rows = rows_of(["good " * 6000])
    tracemalloc.start()
    try:
        found = encoding.windows(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.tokens) >= 1500
    assert len(found.places.words) == 6000
    assert peak < 8 << 20


def test_outputs_of_windows_become_outputs_of_words(encoding):
    rows = rows_of(TEXTS)
    encoded = encoding.encode(rows, pad_to=12)
    windows, width = encoded.arrays["input_ids"].shape
    assert windows > len(TEXTS)
    assert set(encoded.arrays) == {tensor.name for tensor in encoding.inputs}
    assert not encoded.truncated.any()
    logits = np.zeros((windows, width, 3), np.float32)
    logits[:, :, 1] = encoded.arrays["input_ids"] + 1
    made = encoded.by_row({"logits": logits})["logits"]
    assert made.shape == (4, 240, 3)
    assert (made[0, :5, 1] > 0).all()
    assert (made[1, :, 1] > 0).all()
    assert not made[0, 5:].any()
    assert not made[2].any()
    assert made[3, 1].tolist() == [SURE, 0, 0]
    alone = encoding.encode(rows_of(TEXTS[:1]))
    np.testing.assert_array_equal(alone.arrays["input_ids"][0], encoded.arrays["input_ids"][0, : alone.arrays["input_ids"].shape[1]])


@pytest.mark.parametrize("length", [1, 7, 16])
def test_resized_rows_have_the_length_and_their_words(encoding, length):
    resized = encoding.resized(rows_of(TEXTS[:2]), length)
    encoded = encoding.encode(resized)
    assert (encoded.lengths == max(2, length)).all()
    for text, words in zip(resized["text"], resized["words"], strict=True):
        assert bool(words) == bool(text)
        for start, end in words:
            assert 0 <= start < end <= len(text)
            assert " " not in text[start:end]


def test_a_long_row_goes_through_the_graph_in_pieces(encoding, monkeypatch):
    encoded = encoding.encode(rows_of(TEXTS))
    windows, width = encoded.arrays["input_ids"].shape
    asked = []

    def run(arrays):
        asked.append(len(arrays["input_ids"]))
        return {"logits": np.repeat(arrays["input_ids"][:, :, None], 3, axis=2).astype(np.float32)}

    whole = encoded.answered(run)["logits"]
    assert asked == [windows]
    monkeypatch.setattr("autoft.interfaces.encoder.MOST_CELLS", 5 * width)
    np.testing.assert_array_equal(encoded.answered(run)["logits"], whole)
    assert sum(asked) == 2 * windows
    assert max(asked[1:]) == 5
