"""What the benchmarks share: the data folder, real sources, rows that are measured once."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoft.catalog import Catalog
    from autoft.interfaces.encoder import Arrays
    from autoft.interfaces.task import Decoder
    from autoft.steps.understand import Understood


def data_folder() -> Path:
    """The folder of data sets, given by BENCH_DATA."""
    folder = os.environ.get("BENCH_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("BENCH_DATA must name the folder of benchmark data (product_reviews.train.csv, emotion.train.csv, ...)")
    return Path(folder)


def read(name: str) -> tuple[list[str], list[str]]:
    """Texts and labels of one file of the data folder."""
    with (data_folder() / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    text, label = (next(n for n in names if n in rows[0]) for names in (("text", "review"), ("label", "category")))
    return [row[text] for row in rows], [row[label] for row in rows]


def parts(name: str, folder: Path, rows: int | None = None) -> tuple[Path, Path]:
    """Training and test file of a data set of the data folder, or of an example of autoft, split into `folder`; with `rows` as many are
    drawn of the training file, always the same."""
    train, test = _whole(name, folder)
    return (train if rows is None else _drawn(train, rows, folder)), test


def _whole(name: str, folder: Path) -> tuple[Path, Path]:
    from autoft import examples

    if name not in examples.EXAMPLES:
        train = next(iter(data_folder().glob(f"{name}.train.*")), None)
        if train is None:
            sys.exit(f"there is no {name}.train.csv or .jsonl in {data_folder()}, and no example of that name")
        return train, train.with_name(train.name.replace(".train.", ".test."))
    with examples.write(name, folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    found = folder / f"{name}.train.csv", folder / f"{name}.test.csv"
    for path, chosen in zip(found, ([r for i, r in enumerate(rows) if i % 5], rows[::5]), strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *chosen])
    return found


def drawn(many: int, rows: int) -> list[int]:
    """`rows` row numbers of `many`, the same ones each time, ascending."""
    return sorted(random.Random(0).sample(range(many), rows))


def _drawn(path: Path, rows: int, folder: Path) -> Path:
    """So many rows of a file, in the file's order."""
    target = folder / f"drawn-{path.name}"
    with path.open(encoding="utf-8", newline="") as source, target.open("w", encoding="utf-8", newline="") as part:
        if path.suffix == ".csv":
            header, *found = csv.reader(source)
            csv.writer(part).writerows([header, *(found[number] for number in drawn(len(found), rows))])
        else:
            lines = list(source)
            part.writelines(lines[number] for number in drawn(len(lines), rows))
    return target


def understood(name: str, folder: Path, seed: int, catalog: Catalog, rows: int | None = None) -> Understood:
    """A data set as `autoft run` understands its files: the same task, rows and split."""
    from autoft.settings import Settings
    from autoft.steps.understand import understand

    train, test = parts(name, folder, rows)
    return understand(Settings(data=train, test=test, seed=seed), catalog)


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines; none where there is no file yet."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def known(file: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """The row of a file of JSON lines that holds `key`, where there is one."""
    return next((row for row in rows_of(file) if key.items() <= row.items()), None)


def code() -> str:
    """The commit that is measured, with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+"]
    return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False).stdout.strip()


def once(file: Path, key: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row of a file of JSON lines that holds `key`; measured and appended, with the commit, where there is none."""
    row = known(file, key)
    if row is None:
        commit = code()  # before it is measured: what is committed meanwhile is not in it
        row = key | {"code": commit} | measure()
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
    return row


def scored(data: Understood, outputs: Arrays, decoder: Decoder | None = None) -> dict[str, float]:
    """The task's figures of outputs for the test rows."""
    from autoft.interfaces.task import Decoder

    decided = data.task.decide(data.problem, decoder or Decoder(), outputs)
    return data.task.score(data.problem, data.targets[data.splits.test], decided)


def figures(metrics: dict[str, float]) -> str:
    """Each by its name."""
    return " ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def over_seeds(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    spread = stdev(values) if len(values) > 1 else 0.0
    return f"{mean(values):.4f} +- {spread:.4f} over {len(values)} seeds"


def source(name: str):
    """A pretrained source, fetched if need be."""
    from autoft import sources
    from autoft.catalog import Catalog

    return sources.resolve(name, Catalog.build().sources, offline=False)


def real_tokens(folder: Path, texts: list[str], limit: int = 128) -> int:
    """Tokens without padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))
