"""Texts in overlapping windows of tokens, and the words that are read in each; shared by all trials of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.source import Source
from autoft_plugins.encoders.tokens import open_tokenizer
from autoft_plugins.encoders.words import Places, WordEncoding
from autoft_plugins.models.transformer.anatomy import tokenizer_path, tokenizer_sha256
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.tokenization import TokenisedRows, written_once

Ints = npt.NDArray[np.int64]
Tagger = Callable[[Mapping[str, Tensor]], Tensor]
"""Inputs of windows, the `places` of their words among them, to the scores of the words: (windows, most words, tags)."""

_BLOCK = 4096


@dataclass(frozen=True)
class WindowedRows:
    """`tokens` of all windows, the rows `owners` (windows,) they are of, and where the words stand in them."""

    tokens: TokenisedRows
    owners: Ints
    places: Places

    @cached_property
    def _firsts(self) -> Ints:
        """Where the words of each window begin in `places`, and where the last ones end: (windows + 1,)."""
        return np.searchsorted(self.places.windows, np.arange(len(self.owners) + 1))

    @property
    def word_counts(self) -> Ints:
        """Words that are read in each window, (windows,)."""
        return np.diff(self._firsts)

    def of_rows(self, rows: Ints) -> Ints:
        """The windows of some rows."""
        return np.flatnonzero(np.isin(self.owners, rows))

    def by_window(self, values: npt.NDArray[Any], windows: Ints, fill: float) -> npt.NDArray[Any]:
        """Values of words, (k,) or (k, n), side by side: (windows, most words) or (windows, most words, n), `fill` behind the last."""
        firsts, counts = self._firsts[windows], self.word_counts[windows]
        columns = np.arange(max(1, int(counts.max(initial=1))))
        mask = columns < counts[:, None]
        shown = mask.reshape(*mask.shape, *[1] * (values.ndim - 1))
        return np.where(shown, values[np.where(mask, firsts[:, None] + columns, 0)] if len(values) else fill, fill)

    def inputs(self, windows: Ints) -> Arrays:
        """What a model takes, and `places` (windows, most words): the token at which each word is read."""
        return {**self.tokens.inputs(windows), "places": self.by_window(self.places.tokens, windows, 0)}

    def outputs(self, tagger: Tagger, run: Runner, rows: Ints, tags: int) -> Arrays | None:
        """`logits` (rows, most words, tags) as the encoder's `collect` gives them, zeros behind the last word; None once told to stop."""
        windows = self.of_rows(rows)
        made = run(lambda inputs: {"logits": tagger(inputs)}, lambda units: self.inputs(windows[units]), self.tokens.lengths[windows])
        if made is None:
            return None
        new_rows, new_windows = np.full(len(self.places.counts), -1), np.zeros(len(self.owners), np.int64)
        new_rows[rows], new_windows[windows] = np.arange(len(rows)), np.arange(len(windows))
        own = np.flatnonzero(new_rows[self.places.rows] >= 0)
        of = self.places
        slots = own - self._firsts[of.windows[own]]
        some = Places(new_rows[of.rows[own]], of.words[own], new_windows[of.windows[own]], slots, of.counts[rows])
        return {"logits": some.gather(made.get("logits", np.zeros((0, 1, tags), np.float32)))}


def windowed(encoding: WordEncoding, rows: Table) -> WindowedRows:
    """All rows, in blocks so that the memory stays small."""
    ids: list[npt.NDArray[np.int32]] = []
    owners: list[Ints] = []
    places: list[Places] = []
    for start in range(0, len(rows), _BLOCK):
        found = encoding.windows(rows.take(range(start, min(start + _BLOCK, len(rows)))))
        places.append(replace(found.places, rows=found.places.rows + start, windows=found.places.windows + len(ids)))
        owners.append(found.owners + start)
        ids += [np.array(window.ids, np.int32) for window in found.tokens]
    starts = np.concatenate([[0], np.cumsum([len(window) for window in ids])]).astype(np.int64)
    whole = np.concatenate(ids or [np.zeros(0, np.int32)])
    types = _types(len(whole)) if encoding.has_types else None
    nothing = np.zeros(0, np.int64)
    columns = {one.name: np.concatenate([getattr(place, one.name) for place in places] or [nothing]) for one in fields(Places)}
    return WindowedRows(TokenisedRows(whole, starts, types, encoding.fill), np.concatenate(owners or [nothing]), Places(**columns))


def cached_windows(source: Source, rows: Table, config: Mapping[str, Any], cache: Path) -> WindowedRows:
    """The rows in windows of a source's tokens, from the cache where another trial has been before."""
    what = f"{source.sha256}:{tokenizer_sha256(source)}:{json.dumps(config, sort_keys=True)}:{rows.sha256()}"
    key = hashlib.sha256(what.encode()).hexdigest()[:24]

    def write(folder: Path) -> None:
        made = windowed(WordEncoding(open_tokenizer(tokenizer_path(source), None), config), rows)
        places = {f"place_{one.name}": getattr(made.places, one.name) for one in fields(Places)}
        arrays: Arrays = {"ids": made.tokens.ids, "starts": made.tokens.starts, "owners": made.owners, **places}
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)

    folder = written_once(cache / f"windows-{key}", write)

    def stored(name: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r")
        return array

    ids = stored("ids")
    types = _types(len(ids)) if "token_type_ids" in config["inputs"] else None
    tokens = TokenisedRows(ids, np.load(folder / "starts.npy"), types, (int(config["pad_id"]), int(config["pad_type_id"])))
    return WindowedRows(tokens, stored("owners"), Places(**{one.name: stored(f"place_{one.name}") for one in fields(Places)}))


def _types(tokens: int) -> npt.NDArray[np.int8]:
    """One text a window: its types are all the same, and those that fill it up are never looked at."""
    return np.broadcast_to(np.zeros((), np.int8), tokens)
