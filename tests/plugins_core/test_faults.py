"""What a plugin raises is a line that says which plugin, where from, and in which of its methods; a bug of ours stays a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.faults import plugin_fault
from autoft.plugins import Owner, owner, read_plugin_file

READER = """# a reader with a fault
import autoft
from autoft.data.table import Table


def columns(path):
    if "late" in path.name:
        return Table({"a": [1], "b": []})
    raise ValueError(path.read_text())


class Odd:
    name = "odd"
    summary = "files of the kind .odd"
    suffixes = (".odd",)

    def matches(self, path):
        return path.suffix == ".odd"

    def read(self, path):
        return columns(path)


class Helper:
    def answer(self):
        return {}["key"]


@autoft.hookimpl
def autoft_register_readers():
    return [Odd()]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A package `odd-files`, installed as pip leaves it."""
    site = tmp_path / "site"
    info = site / "odd_files-2.5.dist-info"
    info.mkdir(parents=True)
    (site / "odd_files.py").write_text(READER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-files\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text("[autoft]\nodd = odd_files\n")
    (tmp_path / "rows.odd").write_text("no luck")
    return site


def command(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path]), "COLUMNS": "200", "AUTOFT_PLUGINS": ""}
    return subprocess.run(
        [sys.executable, "-m", "autoft", *arguments], cwd=site.parent, env=env, capture_output=True, text=True, timeout=120
    )


def test_the_command_says_whose_fault_it_is(site: Path) -> None:
    done = command(site, "check", "rows.odd")
    assert done.returncode == 1
    first, hint = done.stderr.splitlines()
    assert first == "Error: reader odd (odd-files 2.5) raised ValueError: no luck in read, line 9 of odd_files.py"
    assert hint == "Hint: tell its author; autoft --trace COMMAND shows the traceback"
    loud = command(site, "--trace", "check", "rows.odd").stderr
    assert "Traceback (most recent call last)" in loud
    assert first in loud


def test_a_file_is_named_and_what_the_core_was_called_with(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(READER)
    plugin = read_plugin_file(file)
    reader = Catalog.build([plugin], kinds=("readers",)).readers["odd"]
    with pytest.raises(ValueError, match="columns of unequal length") as caught:
        reader.read(tmp_path / "late.odd")
    told = plugin_fault(caught.value)
    assert told is not None
    expected = (
        "reader odd (file mine.py) raised ValueError: columns of unequal length: {'a': 1, 'b': 0} in read, line 8 of mine.py, "
        "by way of autoft.data.table"
    )
    assert told.message == expected
    assert told.exit_code == 1
    module = sys.modules[type(reader).__module__]
    with pytest.raises(KeyError) as other:
        module.Helper().answer()
    assert "the plugin mine (file mine.py) raised KeyError: 'key' in Helper.answer, line 26" in str(plugin_fault(other.value))
    assert owner(module.__name__) == Owner("mine", "file mine.py")


def test_what_is_none_of_a_plugin_stays_as_it_is() -> None:
    with pytest.raises(ValueError, match="unequal") as caught:
        Table({"a": [1], "b": []})
    assert plugin_fault(caught.value) is None
    assert plugin_fault(DataError("a sentence already")) is None
    assert plugin_fault(KeyboardInterrupt()) is None
    assert owner("autoft_plugins.tasks.multi_label") is None
    assert owner("numpy") is None
