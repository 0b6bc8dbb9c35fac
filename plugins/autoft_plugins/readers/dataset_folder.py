"""A folder that `datasets` wrote with `save_to_disk`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.arrow import with_class_names
from autoft_plugins.readers.libraries import need


class DatasetFolder:
    """A Dataset, or of a DatasetDict the split `train` (else its first), which is said."""

    name = "datasets"
    summary = "folders written by datasets' save_to_disk"
    suffixes: tuple[str, ...] = ()

    def matches(self, path: Path) -> bool:
        return path.is_dir() and ((path / "dataset_dict.json").is_file() or (path / "state.json").is_file())

    def read(self, path: Path) -> Table:
        datasets = need("datasets", path)
        datasets.disable_progress_bars()
        try:
            found = datasets.load_from_disk(str(path))
        except Exception as error:
            # The library raises whatever its parsers raise: a damaged folder is the user's to mend, not a bug.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{path} is a damaged data set: {reason}", hint="write it again with save_to_disk") from error
        notes: tuple[str, ...] = ()
        if isinstance(found, datasets.DatasetDict):
            if not found:
                raise DataError(f"{path} is a data set without splits", hint="write it again with save_to_disk")
            split = "train" if "train" in found else next(iter(found))
            notes = (_note(path, split, [name for name in found if name != split]),)
            found = found[split]
        if not found.num_rows:
            raise DataError(f"{path} holds no rows", hint="give a data set with a row for each example")
        return _table(path, datasets, found, notes)


def _note(path: Path, split: str, others: list[str]) -> str:
    if not others:
        return f"{path.name}: the split {split!r} is read"
    flags = [f"--{role} {path / name}" for role in ("validation", "test") for name in others if name == role]
    use = f" ({' '.join(flags)} would use them)" if flags else ""
    return f"{path.name}: the split {split!r} is read, {', '.join(map(repr, others))} not{use}"


def _table(path: Path, datasets: Any, found: Any, notes: tuple[str, ...]) -> Table:
    names = {name: list(one.names) for name, one in found.features.items() if isinstance(one, datasets.ClassLabel)}
    if found._indices is not None:
        found = found.flatten_indices()
    columns = {name: found.data.column(name).to_pylist() for name in found.column_names}
    return Table(with_class_names(columns, names), str(path), notes)
