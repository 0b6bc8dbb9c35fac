"""Texts tokenised once a source and shared, memory-mapped, by all trials of a run."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.source import Source
from autoft_plugins.encoders.tokens import TokenEncoding, open_tokenizer
from autoft_plugins.models.transformer.anatomy import tokenizer_path, tokenizer_sha256

_BLOCK = 4096

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class TokenisedRows:
    """`ids` of all rows one after another; row i is ids[starts[i]:starts[i + 1]]."""

    ids: Ids
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens a row, shape (n,)."""
        return np.diff(self.starts)

    def padded(self, rows: npt.NDArray[np.int64], pad: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """ids and attention mask of `rows`, both (rows, longest), padded on the right."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        columns = np.arange(max(1, int(lengths.max(initial=1))))
        mask = columns < lengths[:, None]
        places = np.where(mask, self.starts[rows][:, None] + columns, 0)
        return np.where(mask, self.ids[places], pad).astype(np.int64), mask.astype(np.int64)


def tokenise(encoding: TokenEncoding, rows: Table) -> TokenisedRows:
    """All rows, in blocks so that the memory stays small."""
    parts: list[Ids] = []
    lengths: list[int] = []
    for start in range(0, len(rows), _BLOCK):
        for tokens in encoding.tokenize(rows.take(range(start, min(start + _BLOCK, len(rows))))):
            parts.append(np.array(tokens.ids, dtype=np.int32))
            lengths.append(len(parts[-1]))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return TokenisedRows(np.concatenate(parts) if parts else np.zeros(0, np.int32), starts)


def tokenised(source: Source, rows: Table, config: dict[str, Any], cache: Path) -> TokenisedRows:
    """The rows in the tokens of a source, from the cache where another trial has been before."""
    what = f"{source.sha256}:{tokenizer_sha256(source)}:{config['max_length']}:{rows.sha256()}"
    key = hashlib.sha256(what.encode()).hexdigest()[:24]

    def write(folder: Path) -> None:
        encoding = TokenEncoding(open_tokenizer(tokenizer_path(source), int(config["max_length"])), config)
        made = tokenise(encoding, rows)
        np.save(folder / "ids.npy", made.ids)
        np.save(folder / "starts.npy", made.starts)

    folder = written_once(cache / f"tokens-{key}", write)
    return TokenisedRows(np.load(folder / "ids.npy", mmap_mode="r"), np.load(folder / "starts.npy"))


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
