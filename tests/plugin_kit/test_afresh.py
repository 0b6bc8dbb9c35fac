"""An encoder that answers otherwise in another process: found by the check of a plugin, and by the proof of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoft import afresh
from autoft.catalog import Catalog, PluginRecord
from autoft.data.table import Table
from autoft.errors import ExportError
from autoft.interfaces.tuner import PluginFile
from autoft.plugins import read_plugin_file
from autoft.scaffold import plugin_text
from autoft.settings import Settings
from autoft.steps.bundle import build
from autoft.steps.understand import understand
from autoft.testing import reviews
from autoft.testing.checkup import check_plugin
from autoft.testing.learning import learned

TEXTS = Table({"text": [f"a superb phone {n}" for n in range(30)]}, numbers=tuple(range(101, 131)))


def written(folder: Path, name: str, by: str) -> Path:
    """The generated model with its encoder, whose words fall into buckets by `by`."""
    path = folder / f"{name.replace('-', '_')}.py"
    path.write_text("# SPDX-License-Identifier: MIT\n" + plugin_text("model", name, "m").replace("zlib.crc32(", f"{by}("), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("steady"), "steady-words", "zlib.crc32")


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("hashed"), "hashed-words", "hash")


def told(file: Path, name: str, folder: Path, rows: Table = TEXTS) -> str | None:
    plugin = read_plugin_file(file)
    encoding = Catalog.build([plugin], kinds=("encoders",)).encoder(name).open(folder, {})
    return afresh.difference(name, {}, folder, encoding, rows, [plugin])


def test_the_message_names_the_encoder_and_the_row_of_the_file(hashed: Path, steady: Path, tmp_path: Path) -> None:
    fault = told(hashed, "hashed-words-words", tmp_path)
    assert fault is not None
    assert fault.startswith("the encoder 'hashed-words-words' gives row 101 other values of the input 'words' in another process.")
    assert told(steady, "steady-words-words", tmp_path) is None


def test_one_that_another_process_cannot_open_is_told_as_that(steady: Path, tmp_path: Path) -> None:
    plugin = read_plugin_file(steady)
    encoding = Catalog.build([plugin], kinds=("encoders",)).encoder("steady-words-words").open(tmp_path, {})
    fault = afresh.difference("steady-words-words", {}, tmp_path, encoding, TEXTS)
    assert "fails in another process: " in str(fault)
    assert "there is no encoder named 'steady-words-words'" in str(fault)


def test_a_file_of_the_working_folder_hides_no_package(steady: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('not the one that was imported')")
    monkeypatch.chdir(tmp_path)
    assert told(steady, "steady-words-words", tmp_path) is None


def test_rows_that_json_does_not_hold_are_not_compared(steady: Path, tmp_path: Path) -> None:
    with pytest.raises(afresh.NotComparableError, match="object in a row"):
        told(steady, "steady-words-words", tmp_path, Table({"text": [object()]}))
    with pytest.raises(afresh.NotComparableError, match="KeyError"):
        told(steady, "steady-words-words", tmp_path, Table({"other": ["a"]}))


def test_what_another_process_does_not_find_or_is_built_in_is_let_be() -> None:
    files = [PluginFile("mine.py", "0" * 64, "")]
    assert afresh.is_rebuilt(PluginRecord("mine.py", "file mine.py (00000000)"), files)
    assert afresh.is_rebuilt(PluginRecord("words", "word-shapes 0.1.0", requirement="word-shapes==0.1.0"), [])
    assert not afresh.is_rebuilt(PluginRecord("builtin", "built-in"), files)
    assert not afresh.is_rebuilt(PluginRecord("here", "checked"), files)
    assert not afresh.is_rebuilt(None, files)


def test_the_check_of_a_plugin_finds_it(hashed: Path, tmp_path: Path) -> None:
    """Also where nothing but the model says what the encoder is opened with, which then is held to its contract by the model's."""
    text = hashed.read_text(encoding="utf-8")
    assert text.count("        return self\n") == text.count(", {}), config)") == 1
    text = text.replace("        return self\n", '        assert config["width"] == WIDTH\n        return self\n')
    file = tmp_path / hashed.name
    file.write_text(text.replace(", {}), config)", ', {"width": WIDTH}), config)'), encoding="utf-8")
    found = {one.check: one for one in check_plugin("", file, ray=False)}
    contract = found["contract of encoder hashed-words-words"]
    assert contract.status == "passed", "one process is not enough to see it"
    assert contract.detail == "by the contract of model hashed-words, with what that opens it with"
    one = found["encoder hashed-words-words in another process"]
    assert one.status == "failed"
    assert "row 1 " in one.detail


@pytest.fixture
def made(tmp_path: Path) -> Callable[[Path], Any]:
    """`made(file)`: the bundle's export of the model in the file, proved."""

    def make(file: Path) -> Any:
        table = reviews()
        data = tmp_path / "data.csv"
        data.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in table.records()), encoding="utf-8")
        catalog = Catalog.build([read_plugin_file(file)])
        understood = understand(Settings(data=data), catalog)
        case = learned(catalog.model(file.stem.replace("_", "-")), understood.task, table, tmp_path)
        decoder = understood.task.fit_decoder(understood.problem, case.fitted.outputs(case.data.rows), case.data.targets)
        said: list[str] = []
        formats = ["onnx"]
        place = tmp_path / "bundle"
        return build(
            case.fitted, decoder, understood, catalog, formats, place, 1, judged=pytest.fail, max_loss=0.5, say=said.append
        ), said  # fmt: skip

    return make


def test_the_proof_of_a_run_refuses_it(made: Callable[[Path], Any], hashed: Path, steady: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"refused by the proof: the encoder 'hashed-words-words' gives row \d+ other values"):
        made(hashed)
    assert not (tmp_path / "bundle").exists()
    built, said = made(steady)
    assert built.proof.passed
    assert not said


def test_what_was_not_compared_is_said_and_is_no_format_that_was_refused(
    made: Callable[[Path], Any], steady: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise afresh.NotComparableError("its rows hold what JSON does not")

    monkeypatch.setattr(afresh, "difference", cannot)
    built, said = made(steady)
    assert [line.endswith("its rows hold what JSON does not") for line in said] == [True]
    assert built.refused == ()


def test_arrays_are_alike_but_for_rounding() -> None:
    one = np.array([1.0, 2.0], np.float32)
    assert afresh._alike(one, one + np.float32(1e-7))
    assert not afresh._alike(one, one + np.float32(1e-2))
    assert not afresh._alike(one, one[:1])
    assert not afresh._alike(one, one.astype(np.int64))
    assert afresh._alike(np.array(["a"], object), np.array(["a"]))
    assert not afresh._alike(np.array([1, 2]), np.array([1, 3]))
