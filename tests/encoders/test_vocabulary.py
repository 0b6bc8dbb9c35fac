"""Tokenizers with fewer tokens: kept texts keep their tokens, other words are written by pieces."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from autoft.errors import ExportError
from autoft_plugins.encoders.vocabulary import kept_ids, places_of, renumbered_settings, tokens_of, trimmed_tokenizer

KEPT = ["the screen is awful", "great phone .", ""]
UNSEEN = ["superb", "very nice sound", "screens"]


def whole(source):
    """The tokenizer of a source, without padding and truncation."""
    tokenizer = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def content_of(tokenizer):
    return json.loads(tokenizer.to_str())


def used_in(tokenizer, texts):
    return {number for text in texts for number in tokenizer.encode(text).ids}


def trimmed(tokenizer, texts, share=0.0):
    content = content_of(tokenizer)
    kept = kept_ids(content, used_in(tokenizer, texts), share)
    return trimmed_tokenizer(content, kept), places_of(kept)


def word_pieces(vocabulary):
    """Numbered as they come, `[UNK]` first."""
    tokenizer = Tokenizer(models.WordPiece({token: place for place, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


@pytest.mark.parametrize("architecture", ["bert", "t5"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_kept_texts_have_the_same_tokens_under_their_new_ids(architecture, share, tiny_source):
    before = whole(tiny_source(architecture))
    after, places = trimmed(before, KEPT, share)
    assert after.get_vocab_size() == len(places) < before.get_vocab_size()
    for text in [*KEPT, ("the phone", "is great")]:
        one, two = (tokenizer.encode(*text) if isinstance(text, tuple) else tokenizer.encode(text) for tokenizer in (before, after))
        assert two.ids == [places[number] for number in one.ids]
        assert (two.tokens, two.type_ids, two.offsets) == (one.tokens, one.type_ids, one.offsets)


@pytest.mark.parametrize(("architecture", "unknown"), [("bert", "[UNK]"), ("t5", "<unk>")])
def test_words_without_a_token_are_written_by_pieces(architecture, unknown, tiny_source):
    after, _ = trimmed(whole(tiny_source(architecture)), KEPT)
    assert after.token_to_id("superb") is after.token_to_id("▁superb") is None
    for text in UNSEEN:
        encoded = after.encode(text, add_special_tokens=False)
        tokens = encoded.tokens
        assert after.token_to_id(unknown) not in encoded.ids
        assert "".join(tokens).replace("##", "").replace("▁", "") == text.replace(" ", "")
    assert after.token_to_id(unknown) in after.encode("日").ids


def test_special_tokens_stay_and_are_put_around_texts(tiny_source):
    before = whole(tiny_source("bert"))
    after, places = trimmed(before, KEPT)
    assert after.encode("great", "phone").tokens == ["[CLS]", "great", "[SEP]", "phone", "[SEP]"]
    for token in ("[UNK]", "[PAD]", "[CLS]", "[SEP]"):
        assert after.token_to_id(token) == places[before.token_to_id(token)]
    assert json.loads(after.to_str())["model"]["unk_token"] == "[UNK]"


def test_the_other_processors_of_special_tokens():
    tokenizer = word_pieces(["[UNK]", "never", "good", "a", "</s>", "<s>"])
    tokenizer.add_special_tokens(["<s>", "</s>"])
    for processor in (processors.RobertaProcessing(("</s>", 4), ("<s>", 5)), processors.BertProcessing(("</s>", 4), ("<s>", 5))):
        tokenizer.post_processor = processors.Sequence([processor])
        after, places = trimmed(tokenizer, ["good"])
        assert 1 not in places
        assert after.encode("good", "a").tokens == tokenizer.encode("good", "a").tokens
        assert after.encode("good").ids == [places[5], places[2], places[4]]


def test_added_tokens_behind_the_vocabulary_stay(tiny_source):
    for architecture in ("bert", "t5"):
        tokenizer = whole(tiny_source(architecture))
        tokenizer.add_special_tokens(["<mask>"])
        tokenizer.add_tokens(["product-42"])
        after, places = trimmed(tokenizer, KEPT)
        text = "great <mask> product-42"
        assert after.encode(text).tokens == tokenizer.encode(text).tokens
        assert {"<mask>", "product-42"} < set(after.encode(text).tokens)
        assert after.token_to_id("product-42") == len(places) - 1


def test_a_share_of_the_others_stays_the_most_frequent():
    words = ["[UNK]", "[unused0]", "often", "seldom", "used", "rare", "rarer"]
    tokenizer = word_pieces(words)
    assert [words[number] for number in kept_ids(content_of(tokenizer), {4}, 0.0)] == ["[UNK]", "used"]
    assert [words[number] for number in kept_ids(content_of(tokenizer), {4}, 0.4)] == ["[UNK]", "often", "seldom", "used"]
    assert len(kept_ids(content_of(tokenizer), {4}, 1.0)) == len(words)
    scored = Tokenizer(models.Unigram([("<unk>", 0.0), ("lowest", -9.0), ("rare", -5.0), ("often", -2.0), ("x", -7.0)], unk_id=0))
    assert kept_ids(content_of(scored), set(), 0.0) == [0, 1, 4]  # what is unknown is scored by the lowest
    assert kept_ids(content_of(scored), set(), 0.5) == [0, 1, 3, 4]


def test_pieces_of_other_scripts_go_and_their_letters_stay():
    words = ["[UNK]", "cat", "кот", "##ing", "##ами", "я", "##я", "猫", "dog"]
    content = content_of(word_pieces(words))
    assert [words[number] for number in kept_ids(content, {1}, 0.0)] == ["[UNK]", "cat", "##ing", "я", "##я", "猫"]
    assert [words[number] for number in kept_ids(content, {2}, 0.0)] == ["[UNK]", "кот", "##ами", "я", "##я", "猫"]
    assert [words[number] for number in kept_ids(content, {1}, 0.5)][-1] == "dog"  # before "кот", though it stands behind it


def test_bytes_stay_where_letters_fall_back_to_them():
    pieces = [("<unk>", 0.0), ("▁the", -1.0), ("▁cat", -2.0), *[(f"<0x{byte:02X}>", -9.0) for byte in range(256)]]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    after, places = trimmed(tokenizer, ["the"])
    assert len(places) == 258
    assert after.encode("cat").tokens == ["<0xE2>", "<0x96>", "<0x81>", "<0x63>", "<0x61>", "<0x74>"]


def test_the_settings_name_added_tokens_by_their_new_ids():
    settings = {"model_max_length": 24, "added_tokens_decoder": {"7": {"content": "[CLS]"}, "9": {"content": "gone"}}}
    made = renumbered_settings(settings, {7: 2})
    assert made == {"model_max_length": 24, "added_tokens_decoder": {"2": {"content": "[CLS]"}}}
    assert renumbered_settings({"pad_token": "[PAD]"}, {7: 2}) == {"pad_token": "[PAD]"}


def test_what_cannot_be_trimmed_is_refused(tiny_source):
    merged = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    with pytest.raises(ExportError, match="a BPE vocabulary cannot be trimmed: its tokens are merged out of one another"):
        tokens_of(content_of(merged))
    content = content_of(whole(tiny_source("bert")))
    content["added_tokens"][-1]["id"] = 5  # a word's: the library would number it otherwise, and would not say so
    with pytest.raises(ExportError, match="would get the number of another one"):
        trimmed_tokenizer(content, kept_ids(content, {1}, 0.0))
