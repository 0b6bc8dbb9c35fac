"""An encoding made afresh: by the encoder's name in another process, under another hash seed, as the server makes it.

What an encoder gives there has to be what the model learned from. One that asks Python's `hash()` of a text, the order of a set or an `id`
is right in the process that trains, and in no other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.catalog import Catalog, PluginRecord
from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, Encoded, Encoding
from autoft.interfaces.tuner import PluginFile
from autoft.plugins import BUILT_IN

ROWS = 20
"""As many rows at most are encoded again."""
SECONDS = 120
_SEEDS = ("1", "2")
_RULE = "An encoding is the same in every process; hash() of a text and the order of a set are not, zlib.crc32 and sorted() are"


class NotComparableError(Exception):
    """There is no row that another process could be given."""


def is_rebuilt(giver: PluginRecord | None, files: Sequence[PluginFile]) -> bool:
    """Whether another process finds what this plugin gives, and it is not built in: those that are keep a test."""
    if giver is None or giver.origin == BUILT_IN:
        return False
    return bool(giver.requirement) or any(file.name == giver.name for file in files)


def difference(
    name: str, config: Mapping[str, Any], folder: Path, encoding: Encoding, rows: Table, files: Sequence[PluginFile] = ()
) -> str | None:
    """Why the encoder `name`, which was opened as `encoding` from `folder`, cannot be served: a sentence that names it and a row of the
    first `ROWS` of `rows` that another process encodes otherwise. None where all are the same.

    `files` are the one-file plugins that may give it. Raises NotComparableError where rows hold what JSON does not.
    """
    rows = _plain(rows.take(range(min(ROWS, len(rows)))))
    here = _encoded(encoding, rows)
    with tempfile.TemporaryDirectory() as space:
        request, answer = Path(space) / "request.json", Path(space) / "encoded.npz"
        told: dict[str, Any] = {"encoder": name, "config": dict(config), "folder": str(folder.resolve()), "rows": dict(rows.columns)}
        told |= {"files": [asdict(file) for file in files], "output": str(answer)}
        request.write_text(json.dumps(told), encoding="utf-8")
        fault = _asked(request)
        if fault:
            return f"the encoder {name!r} fails in another process: {fault}"
        with np.load(answer, allow_pickle=False) as arrays:
            there = dict(arrays.items())
    for place, found in here.items():
        others = {key.partition("/")[2]: array for key, array in there.items() if key.startswith(f"{place}/")}
        changed = next((key for key in found if key not in others or not _alike(found[key], others[key])), None)
        if changed is not None:
            return f"the encoder {name!r} gives row {rows.number(place)} other {changed} in another process. {_RULE}"
    return None


def _plain(rows: Table) -> Table:
    """As JSON gives them back: both processes are asked about the very same rows."""
    try:
        columns = json.loads(json.dumps({key: list(values) for key, values in rows.columns.items()}, default=_listed))
    except (TypeError, ValueError) as error:
        raise NotComparableError(f"its rows hold what JSON does not: {error}") from error
    return rows.with_columns(columns)


def _encoded(encoding: Encoding, rows: Table) -> dict[int, Arrays]:
    """By place; each row alone, so that what differs has a number."""
    try:
        return {place: _named(encoding.encode(rows.take([place]))) for place in range(len(rows))}
    except Exception as error:  # the proof tells what is wrong with the rows as they are
        raise NotComparableError(f"it does not take its rows as JSON gives them back ({type(error).__name__}: {error})") from error


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} in a row")


def _named(encoded: Encoded) -> Arrays:
    """All that is compared, in words for a message."""
    arrays = {f"values of the input {key!r}": array for key, array in encoded.arrays.items()}
    return {**arrays, "lengths": encoded.lengths, "marks of what was cut (truncated)": encoded.truncated}


def _alike(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    if one.shape != other.shape or (one.dtype.kind != other.dtype.kind and not one.dtype.hasobject):
        return False
    if one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True))
    return bool(np.array_equal(one.astype(np.str_) if one.dtype.hasobject else one, other))


def _asked(request: Path) -> str:
    """Why the other process failed; nothing where it did not."""
    seed = next(seed for seed in _SEEDS if seed != os.environ.get("PYTHONHASHSEED"))
    # The very modules that are found here, and no others: the working folder may hold a file by the name of a package.
    path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    env = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-P", "-m", "autoft.afresh", str(request)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=env, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"it does not answer within {SECONDS} s"
    return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1] if done.returncode else ""


def main() -> None:
    """`python -m autoft.afresh REQUEST`: into the file that it names, the arrays of each row."""
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    catalog = Catalog.build([PluginFile(**file) for file in told["files"]], kinds=("encoders",))
    encoding = catalog.encoder(told["encoder"]).open(Path(told["folder"]), told["config"])
    found: dict[str, Any] = {}
    for place, arrays in _encoded(encoding, Table(told["rows"])).items():
        for key, array in arrays.items():
            found[f"{place}/{key}"] = array.astype(np.str_) if array.dtype.hasobject else array
    np.savez(told["output"], **found)


if __name__ == "__main__":
    main()
