"""A one-file plugin for bundles made by hand: encoders simple enough that a graph of a few nodes answers sensibly."""

from __future__ import annotations

import numpy as np

import autoft
from autoft.interfaces.encoder import Encoded, Tensor


class _Toy:
    max_length = None

    def open(self, folder, config):
        return self

    def resized(self, rows, length):
        return rows


class Overlap(_Toy):
    """`shared` (n, 1) float32: the share of words that two texts have in common."""

    name = "overlap"
    summary = "how many words two texts share"
    inputs = (Tensor("shared", "float32", ("batch", 1)),)

    def encode(self, rows, *, pad_to=None, offsets=False):
        words = [({*one.lower().split()}, {*other.lower().split()}) for one, other in zip(rows["text"], rows["text_pair"], strict=True)]
        shared = np.array([[len(one & other) / max(1, len(one | other))] for one, other in words], np.float32).reshape(-1, 1)
        return Encoded({"shared": shared}, np.ones(len(rows), np.int64), np.zeros(len(rows), bool))


class Capitals(_Toy):
    """`capitals` (n, words, 3) float32: whether a word begins with a capital, whether the one before it does, and 1 for a word."""

    name = "capitals"
    summary = "words with a capital"
    inputs = (Tensor("capitals", "float32", ("batch", "words", 3)),)

    def encode(self, rows, *, pad_to=None, offsets=False):
        longest = max([1, *map(len, rows["words"])])
        features = np.zeros((len(rows), longest, 3), np.float32)
        for row, (text, words) in enumerate(zip(rows["text"], rows["words"], strict=True)):
            for place, (start, _) in enumerate(words):
                before = words[place - 1][0] if place else len(text)  # a word of a list may be empty
                features[row, place] = text[start : start + 1].isupper(), text[before : before + 1].isupper(), 1
        return Encoded({"capitals": features}, np.array([len(words) for words in rows["words"]]), np.zeros(len(rows), bool))


@autoft.hookimpl
def autoft_register_encoders():
    return [Overlap(), Capitals()]
