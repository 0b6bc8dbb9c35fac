"""What a reader has to keep."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.reader import Reader
from autoft.testing.contract import Contract

NOT_A_FILE = b"\x00\xff\x13 nothing that any format begins with \x00" * 3


def check_reader(reader: Reader, sample: Path | None = None, columns: Sequence[str] | None = None) -> None:
    """Hold `reader` to `autoft.interfaces.reader.Reader`. `sample` is a file of its kind; without one only what it refuses is looked
    at. `columns` are all that it has to read of it, by their names, in their order; None for any.

    Raises ContractBroken.
    """
    contract = Contract.of("reader", reader)
    told = isinstance(reader.suffixes, tuple) and all(isinstance(suffix, str) and suffix for suffix in reader.suffixes)
    contract.holds(told, f"suffixes is {reader.suffixes!r}: a tuple of endings as the user sees them, e.g. ('.csv',)", "suffixes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _check_refusals(contract, reader, folder)
        if sample is not None:
            _check_sample(contract, reader, sample, columns)
            _check_order(contract, reader, sample)
            _check_damage(contract, reader, sample, folder)


def _check_refusals(contract: Contract, reader: Reader, folder: Path) -> None:
    other = folder / "data.of-no-format"
    other.write_bytes(NOT_A_FILE)
    with contract.asking("matches", "about a file of no format"):
        contract.holds(reader.matches(other) is False, "matches takes a file of no format that it knows", "matches")
    for suffix in reader.suffixes:
        damaged = folder / f"damaged{suffix}"
        if not suffix.startswith(".") or "/" in suffix or damaged.exists():
            continue  # a kind of folder, told in words
        damaged.write_bytes(NOT_A_FILE)
        _read_or_refuse(contract, reader, damaged, f"a file that ends in {suffix} and holds something else")


def _read_or_refuse(contract: Contract, reader: Reader, path: Path, what: str) -> None:
    """A table, or DataError: nothing else may come of a file that somebody gives."""
    if not reader.matches(path):
        return
    try:
        table = reader.read(path)
    except DataError as error:
        contract.holds(path.name in str(error), f"its error about {what} does not name the file: {error}", "read")
    except Exception as error:
        contract.broken(f"read raised {type(error).__name__}: {error}, where DataError is the answer to {what}", "read")
    else:
        contract.holds(isinstance(table, Table), f"read gave {type(table).__name__}, not a Table", "read")


def _check_sample(contract: Contract, reader: Reader, sample: Path, columns: Sequence[str] | None) -> None:
    with contract.asking("matches", f"about {sample.name}"):
        contract.holds(reader.matches(sample) is True, f"matches does not take {sample.name}", "matches")
    before = _digest(sample)
    with contract.asking("read", f"to read {sample.name}"):
        table, again = reader.read(sample), reader.read(sample)
    contract.holds(isinstance(table, Table), f"read gave {type(table).__name__}, not a Table", "read")
    contract.holds(len(table) > 0, f"read finds no rows in {sample.name}", "read")
    contract.holds(all(isinstance(name, str) for name in table.names), f"the columns {table.names} are not all texts", "read")
    contract.holds(table.sha256() == again.sha256(), "read gives other rows the second time", "read")
    contract.holds(bool(table.origin), "its table has no origin: messages name the file by it", "read")
    wanted = columns is None or list(table.names) == list(columns)
    contract.holds(wanted, f"read gives the columns {list(table.names)}, not {list(columns or ())}", "read")
    contract.holds(_digest(sample) == before, f"read changes {sample.name}", "read")


def _check_order(contract: Contract, reader: Reader, sample: Path) -> None:
    """Where it is installed: no reader that is asked before it takes what it is for."""
    readers = Catalog.build(kinds=("readers",)).readers
    known = next((name for name, one in readers.items() if type(one) is type(reader) and name == reader.name), None)
    before = list(readers.values())[: list(readers).index(known)] if known else []
    first = next((other.name for other in before if other.matches(sample)), None)
    contract.holds(first is None, f"{first} takes {sample.name} before it, and is the one that reads it", "matches")


def _check_damage(contract: Contract, reader: Reader, sample: Path, folder: Path) -> None:
    if sample.is_dir():
        return
    cut = folder / f"cut-{sample.name}"
    shutil.copyfile(sample, cut)
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    _read_or_refuse(contract, reader, cut, "a file of which the second half is gone")


def _digest(path: Path) -> str:
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()
