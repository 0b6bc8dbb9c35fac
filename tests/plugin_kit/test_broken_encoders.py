"""Encoders with one thing wrong: the check finds it, and says which rule it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import autoft.scaffold.templates.model.plugin as centroid
from autoft.data.table import Table
from autoft.hookspecs import hookimpl
from autoft.interfaces.encoder import Encoded, Tensor
from autoft.scaffold.templates.encoder.plugin import CharacterEncoder, CharacterEncoding
from autoft.testing import check_encoder, check_model
from broken import but, finds

ENCODERS: dict[str, Callable[..., Any]] = {
    "is float64, float32 was promised": lambda right, rows: {name: array.astype(np.float64) for name, array in right.items()},
    "was promised": lambda right, rows: {name: array[:, :-1] for name, array in right.items()},
    "encode fills": lambda right, rows: {"other": next(iter(right.values()))},
    "other arrays the second time": lambda right, rows: {
        name: array + np.float32(np.random.default_rng().random()) for name, array in right.items()
    },
    "depends on the rows beside it": lambda right, rows: {name: array * np.float32(len(rows)) for name, array in right.items()},
    "there is no `collect`": lambda right, rows: {name: np.repeat(array, 2, axis=0) for name, array in right.items()},
}


@pytest.mark.parametrize("sentence", ENCODERS)
def test_encoders(sentence: str) -> None:
    class Broken(CharacterEncoding):
        def encode(self, rows: Table, **options: Any) -> Any:
            found = super().encode(rows)
            return dataclasses.replace(found, arrays=ENCODERS[sentence](found.arrays, rows))

    encoder = but(CharacterEncoder, open=lambda self, folder, config: Broken(64, 3))
    finds(lambda: check_encoder(encoder, {}), sentence)


class Lettered:
    """Rows have a length here: a code a letter, cut at 12."""

    max_length, inputs = 12, (Tensor("letters", "int64", ("batch", "length")),)

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        lengths = np.array([min(12, len(text)) for text in rows["text"]], np.int64)
        letters = np.zeros((len(rows), max(pad_to or 0, int(lengths.max(initial=0)))), np.int64)
        for row, text in enumerate(rows["text"]):
            letters[row, : lengths[row]] = [*map(ord, text[:12])]
        return Encoded({"letters": letters}, lengths, np.array([len(text) > 12 for text in rows["text"]], np.bool_))

    def resized(self, rows: Table, length: int) -> Table:
        return rows.with_columns({"text": ["a" * length] * len(rows)})


LETTERED: dict[str, dict[str, Any]] = {
    "it lacks resized. The rule: autoft.interfaces.encoder.Encoding.resized": {"resized": property()},
    r"letters has shape \(12, 8\) where rows of 8 units were to be filled up to 11 \(pad_to\)": {
        "encode": lambda self, rows, pad_to=None, offsets=False: Lettered().encode(rows),
    },
    "lengths tell of 9 units, letters has room for 8": {
        "encode": lambda self, rows, **options: longer(Lettered().encode(rows, **options)),
    },
    "letters of a row changes as it is filled up": {
        "encode": lambda self, rows, pad_to=None, offsets=False: shifted(Lettered().encode(rows, pad_to=pad_to), pad_to),
    },
    "Encoding.encode raised KeyError: 'body', asked to encode 12 rows .line": {"encode": lambda self, rows, **options: rows["body"]},
}  # fmt: skip


def longer(encoded: Encoded) -> Encoded:
    return dataclasses.replace(encoded, lengths=encoded.lengths + 1)


def shifted(encoded: Encoded, pad_to: int | None) -> Encoded:
    return dataclasses.replace(encoded, arrays={"letters": encoded.arrays["letters"] + (pad_to is not None)})


SHORT = Table({"text": [f"letter {chr(97 + n)}"[: 5 + n] for n in range(12)]})
"""Eight letters at most."""


@pytest.mark.parametrize("sentence", LETTERED)
def test_encoders_whose_rows_have_a_length(sentence: str) -> None:
    lettered = but(CharacterEncoder, open=lambda self, folder, config: Lettered())
    check_encoder(lettered, rows=SHORT)
    encoding = but(Lettered, **LETTERED[sentence])
    finds(lambda: check_encoder(but(CharacterEncoder, open=lambda self, folder, config: encoding), rows=SHORT), sentence)


def test_what_is_wrong_with_its_encoder_is_no_fault_of_the_proof() -> None:
    bare = but(centroid.HashedWords, resized=property())
    encoder = but(CharacterEncoder, name=centroid.HashedWords.name, open=lambda self, folder, config: bare)
    plugin = SimpleNamespace(__name__="bare", autoft_register_encoders=hookimpl(lambda: [encoder]))
    finds(lambda: check_model(centroid.NearestCentroid(), plugin=plugin), "it lacks resized. The rule: autoft.interfaces.encoder")


def test_an_encoder_that_does_not_miss_its_files() -> None:
    finds(lambda: check_encoder(CharacterEncoder(), {}, {"vocabulary.json": b"{}"}), "open took a folder without its files")
