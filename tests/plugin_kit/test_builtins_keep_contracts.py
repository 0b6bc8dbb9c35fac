"""The built-in plugins pass the checks that authors hold theirs to; the tuner is held to its own in tests/autotune, where Ray runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autoft import afresh
from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.interfaces.encoder import EncoderSpec
from autoft.interfaces.source import Source
from autoft.plugins import load_plugin_file, read_plugin_file
from autoft.testing import (
    check_encoder,
    check_exporter,
    check_model,
    check_reader,
    check_task,
    entities,
    make_source,
    numbers,
    pairs,
    ratings,
    reviews,
    tags,
)
from autoft.testing.learning import best_task, learned
from autoft.testing.samples import TABLES

CATALOG = Catalog.build()
TEXTS = Table({"text": [f"the phone number {n} is great" for n in range(24)], "summary": [f"great {n}" for n in range(24)]}, "texts")
OWN = {
    "seq2seq": TEXTS,
    "pair-score": Table.from_records([{**row, "label": float(n % 5)} for n, row in enumerate(pairs().records())], "pairs"),
}
"""Tasks that take none of the tiny tables by themselves."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("source") / "tiny-bert")


@pytest.mark.parametrize("name", CATALOG.tasks)
def test_tasks(name: str) -> None:
    check_task(CATALOG.task(name), OWN.get(name))


def test_the_example_of_one_file() -> None:
    module = load_plugin_file(read_plugin_file(Path(__file__).parents[2] / "examples" / "numeric_plugin.py"))
    check_task(module.NumericClassification(), numbers())
    check_model(module.Softmax(), numbers(), plugin=module)


def test_the_tiny_tables_are_what_they_say() -> None:
    taken = {name: best_task(CATALOG, make()).name for name, make in TABLES.items() if name not in ("numbers", "grades")}
    assert taken == {
        "reviews": "text-classification", "ratings": "text-regression", "pairs": "pair-classification", "tags": "multi-label",
        "entities": "token-classification",
    }  # fmt: skip


@pytest.mark.parametrize("table", [reviews, ratings, pairs, tags, entities])
def test_the_linear_model_and_its_encoders(table: Callable[[], Table], tmp_path: Path) -> None:
    model = CATALOG.model("linear")
    check_model(model, table())
    case = learned(model, best_task(CATALOG, table()), table(), tmp_path)
    spec = case.fitted.program().encoder
    check_encoder(CATALOG.encoder(spec.name), spec.config, spec.files, case.data.rows.take(range(12)))
    assert afresh_as(spec, case.data.rows, tmp_path / "encoder") is None


def afresh_as(spec: EncoderSpec, rows: Table, folder: Path) -> str | None:
    """The proof of a run takes the built-in encoders at their word: here they are held to it."""
    folder.mkdir()
    for name, content in spec.files.items():
        (folder / name).write_bytes(content)
    return afresh.difference(spec.name, spec.config, folder, CATALOG.encoder(spec.name).open(folder, spec.config), rows)


@pytest.mark.parametrize("name", ["frozen", "full", "contrastive"])
def test_the_models_of_sources(name: str, source: Source, tmp_path: Path) -> None:
    """Their export and proof have tests of their own."""
    check_model(CATALOG.model(name), reviews(40), sources=[source], prove=False)


def test_the_encoder_of_sources(source: Source, tmp_path: Path) -> None:
    config = {"max_length": 16}
    files = {"tokenizer.json": (source.folder / "tokenizer.json").read_bytes()}
    files["tokenizer_config.json"] = (source.folder / "tokenizer_config.json").read_bytes()
    case = learned(CATALOG.model("frozen"), CATALOG.task("text-classification"), reviews(40), tmp_path, (source,))
    spec = case.fitted.program().encoder
    check_encoder(CATALOG.encoder(spec.name), spec.config, spec.files, case.data.rows.take(range(12)))
    assert afresh_as(spec, case.data.rows, tmp_path / "encoder") is None
    assert set(spec.files) <= {*files, *config} or spec.name == "tokens"


@pytest.mark.parametrize("name", ["onnx", "onnx-fp16", "onnx-int8", "openvino"])
def test_exporters(name: str) -> None:
    check_exporter(CATALOG.exporter(name))


SAMPLES = {".csv": "text,label\na,b\nc,d\n", ".jsonl": '{"text": "a", "label": "b"}\n{"text": "c", "label": "d"}\n'}
SAMPLES |= {".conll": "Ada B-PER\nwrote O\n\nGrace B-PER\nspoke O\n", ".tsv": "text\tlabel\na\tb\nc\td\n"}


@pytest.mark.parametrize("name", CATALOG.readers)
def test_readers(name: str, tmp_path: Path) -> None:
    reader = CATALOG.readers[name]
    found = []
    for suffix, text in SAMPLES.items():
        path = tmp_path / f"sample{suffix}"
        path.write_text(text, encoding="utf-8")
        found += [path] if reader.matches(path) else []
    check_reader(reader)
    for path in found:
        check_reader(reader, path)
