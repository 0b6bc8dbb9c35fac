"""Loading plugins: installed ones one by one, and files by content."""

from __future__ import annotations

import hashlib
import pickle
import sys
import traceback
from pathlib import Path

import pytest

from autoft.catalog import Catalog
from autoft.errors import PluginError
from autoft.interfaces.tuner import PluginFile
from autoft.plugins import Loaded, load_installed, load_plugin_file, module_name, read_plugin_file

CARD = """
import autoft
from autoft.interfaces.source import SourceCard

class Kept:
    value = 7

@autoft.hookimpl
def autoft_register_sources():
    return [SourceCard("my-bert", "me/my-bert", "MIT", ("en",), 1000, summary="mine")]
"""


def install(folder: Path, module: str, code: str, requires: tuple[str, ...] = ()) -> None:
    """A distribution named like its module, with one entry point, as pip leaves it on the path."""
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-2.5.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {module}", "Version: 2.5", *(f"Requires-Dist: {line}" for line in requires)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    (info / "entry_points.txt").write_text(f"[autoft]\nit = {module}\n")


def installed(module: str) -> Loaded:
    return next(one for one in load_installed() if one.origin == f"{module} 2.5")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def write(folder: Path, code: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(code)
    return path


def test_an_installed_plugin_gives_what_it_registers(site: Path) -> None:
    install(site, "good_plugin_a", CARD)
    catalog = Catalog.build()
    record = next(one for one in catalog.plugins if one.origin == "good_plugin_a 2.5")
    assert record.gives == (("source", "my-bert", "mine"),)
    assert record.failure is None
    assert catalog.sources["my-bert"].hub_id == "me/my-bert"
    assert "bert-tiny" in catalog.sources, "the built-in ones are there as well"


@pytest.mark.parametrize(
    ("module", "code", "reason"),
    [
        ("broken_raises", "raise RuntimeError('no luck\\nat all')", "RuntimeError: no luck"),
        ("broken_exits", "raise SystemExit(3)", "SystemExit: 3"),
        ("broken_syntax", "def f(:", "SyntaxError"),
        ("broken_own", "import broken_own.inner", "ModuleNotFoundError"),
    ],
)
def test_a_broken_plugin_is_a_record_and_a_warning(site: Path, module: str, code: str, reason: str) -> None:
    install(site, module, code)
    catalog = Catalog.build()
    record = next(one for one in catalog.plugins if one.origin == f"{module} 2.5")
    assert record.failure is not None
    assert record.failure.startswith(reason)
    assert "\n" not in record.failure
    assert not record.missing_extra
    assert any(module in line for line in catalog.warnings)
    assert catalog.sources["bert-tiny"], "the others load"


def test_an_absent_optional_library_is_named_with_its_extra_and_costs_no_warning(site: Path) -> None:
    requires = ('other-lib>=1; extra == "all"', 'absent-lib[fast]>=2; extra == "quick"', 'absent_lib; extra == "all"')
    install(site, "needs_extra", "import absent_lib.sub", requires)
    one = installed("needs_extra")
    assert one.missing_extra
    assert one.failure == 'needs the extra "quick" (absent_lib is not installed): pip install "needs_extra[quick]"'
    assert not any("needs_extra" in line for line in Catalog.of([one]).warnings)


def test_an_absent_library_that_no_extra_holds_is_named(site: Path) -> None:
    install(site, "needs_package", "import absent_lib")
    one = installed("needs_package")
    assert one.missing_extra
    assert one.failure == "needs the package absent_lib, which is not installed"


def test_a_file_travels_by_content_and_its_classes_pickle(tmp_path: Path) -> None:
    path = write(tmp_path, CARD)
    file = read_plugin_file(path)
    assert file.name == "mine.py"
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    catalog = Catalog.build([file, file])
    assert catalog.sources["my-bert"].parameters == 1000
    assert catalog.plugin_files == (file, file)
    module = sys.modules[module_name(file)]
    assert module.__name__ == f"autoft_plugin_mine_{file.sha256[:8]}"
    assert pickle.loads(pickle.dumps(module.Kept())).value == 7
    assert load_plugin_file(file) is module, "executed once"


def test_a_traceback_shows_the_lines_of_a_file_plugin(tmp_path: Path) -> None:
    module = load_plugin_file(read_plugin_file(write(tmp_path, "def f():\n    return 1 / 0  # here\n", "tracing.py")))
    with pytest.raises(ZeroDivisionError) as caught:
        module.f()
    assert "# here" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("absent.py", None, ["absent.py", "No such file"]),
        ("notes.txt", b"x = 1", ["notes.txt", "not a .py file"]),
        ("raises.py", b"x = 1\nx / 0\n", ["raises.py, line 2", "ZeroDivisionError"]),
        ("syntax.py", b"\n\ndef (:\n", ["syntax.py, line 3", "SyntaxError"]),
        ("binary.py", b"\xff\xfe\x00", ["binary.py", "not UTF-8"]),
        ("needs.py", b"import absent_lib\n", ["needs.py, line 1", "needs the package absent_lib"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: bytes | None, parts: list[str]) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PluginError) as caught:
        read_plugin_file(path)
    assert all(part in caught.value.message for part in parts), caught.value.message
    assert caught.value.exit_code == 2
    assert not [module for module in sys.modules if module.startswith(f"autoft_plugin_{path.stem}_")], "nothing half-loaded is left"


def test_a_file_without_hooks_is_refused_since_the_user_asked_for_it(tmp_path: Path) -> None:
    file = PluginFile("idle.py", "0" * 64, "def autoft_register_models():\n    return []\n")
    with pytest.raises(PluginError, match="autoft_register_models is not marked"):
        Catalog.build([file])
