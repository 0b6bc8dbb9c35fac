"""Texts tokenised once a source and shared, memory-mapped, by all trials of a run."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.source import Source
from autoft_plugins.encoders.tokens import TokenEncoding, open_tokenizer
from autoft_plugins.models.transformer.anatomy import tokenizer_path, tokenizer_sha256

_BLOCK = 4096

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class TokenisedRows:
    """`ids` of all rows one after another; row i is ids[starts[i]:starts[i + 1]]. `types` beside them tell the first text from the
    second, None where the model takes none. `fill` are the values of `input_ids` and `token_type_ids` behind the end of a row."""

    ids: Ids
    starts: npt.NDArray[np.int64]
    types: npt.NDArray[np.int8] | None = None
    fill: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens a row, shape (n,)."""
        return np.diff(self.starts)

    def of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The numbers of the tokens of `rows`, one row after another."""
        lengths = self.lengths[rows]
        numbers: npt.NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(self.starts[rows] - (np.cumsum(lengths) - lengths), lengths)
        return numbers

    def numbered(self) -> TokenisedRows:
        """The same with the number of each token in place of its id."""
        return replace(self, ids=np.arange(len(self.ids), dtype=np.int32), fill=(0, self.fill[1]))

    def used(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The ids that come in `rows`, sorted, each once."""
        if not len(rows):
            return np.zeros(0, np.int64)
        return np.unique(np.concatenate([self.ids[self.starts[i] : self.starts[i + 1]] for i in rows])).astype(np.int64)

    def distinct(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Those of `rows` whose ids differ, each once, and for each of `rows` its place among them."""
        seen: dict[bytes, int] = {}
        places = [seen.setdefault(self.ids[self.starts[i] : self.starts[i + 1]].tobytes(), len(seen)) for i in rows]
        _, first = np.unique(np.array(places, dtype=np.int64), return_index=True)
        return rows[first], np.array(places, dtype=np.int64)

    def inputs(self, rows: npt.NDArray[np.int64]) -> Arrays:
        """The model's inputs for `rows`, as the encoder gives them: int64 (rows, longest), padded on the right."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        columns = np.arange(max(1, int(lengths.max(initial=1))))
        mask = columns < lengths[:, None]
        places = np.where(mask, self.starts[rows][:, None] + columns, 0)
        arrays = {"input_ids": np.where(mask, self.ids[places], self.fill[0]).astype(np.int64), "attention_mask": mask.astype(np.int64)}
        if self.types is not None:
            arrays["token_type_ids"] = np.where(mask, self.types[places], self.fill[1]).astype(np.int64)
        return arrays


def tokenise(encoding: TokenEncoding, rows: Table) -> TokenisedRows:
    """All rows, in blocks so that the memory stays small."""
    ids: list[Ids] = []
    types: list[npt.NDArray[np.int8]] = []
    for start in range(0, len(rows), _BLOCK):
        for tokens in encoding.tokenize(rows.take(range(start, min(start + _BLOCK, len(rows))))):
            ids.append(np.array(tokens.ids, dtype=np.int32))
            if encoding.has_types:
                types.append(np.array(tokens.type_ids, dtype=np.int8))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
    joined_types = np.concatenate(types or [np.zeros(0, np.int8)]) if encoding.has_types else None
    return TokenisedRows(np.concatenate(ids or [np.zeros(0, np.int32)]), starts, joined_types, encoding.fill)


def tokenised(source: Source, rows: Table, config: Mapping[str, Any], cache: Path) -> TokenisedRows:
    """The rows in the tokens of a source, from the cache where another trial has been before."""
    what = f"{source.sha256}:{tokenizer_sha256(source)}:{json.dumps(config, sort_keys=True)}:{rows.sha256()}"
    key = hashlib.sha256(what.encode()).hexdigest()[:24]
    encoding = TokenEncoding(open_tokenizer(tokenizer_path(source), int(config["max_length"])), config)

    def write(folder: Path) -> None:
        made = tokenise(encoding, rows)
        np.save(folder / "ids.npy", made.ids)
        np.save(folder / "starts.npy", made.starts)
        if made.types is not None:
            np.save(folder / "types.npy", made.types)

    folder = written_once(cache / f"tokens-{key}", write)
    types = np.load(folder / "types.npy", mmap_mode="r") if encoding.has_types else None
    return TokenisedRows(np.load(folder / "ids.npy", mmap_mode="r"), np.load(folder / "starts.npy"), types, encoding.fill)


def written_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """`folder`, filled by `write` if it is not there: written aside, then renamed, since several trials may do so at once."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        write(aside)
        aside.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder
