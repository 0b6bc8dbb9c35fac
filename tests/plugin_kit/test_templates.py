"""The real files that `autoft plugins new` copies: their own tests, as their authors run them, and how many lines they are."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import autoft.scaffold
from autoft.catalog import Catalog
from autoft.errors import InputError
from autoft.hookspecs import INTERFACE
from autoft.plugins import Loaded
from autoft.scaffold import KINDS, MOST, class_names, new_package, own_lines, plugin_text

ROOT = Path(__file__).parents[2]
TEMPLATES = Path(autoft.scaffold.__file__).parent / "templates"


def test_there_are_templates_of_every_kind_and_no_others() -> None:
    assert {path.name for path in TEMPLATES.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_is_under_sixty_lines_of_its_authors_own(kind: str) -> None:
    counted = own_lines(plugin_text(kind, "mine", "mine"))
    assert 10 < counted < MOST
    assert f"| {kind} | {counted} |" in (ROOT / "docs" / "plugins" / "index.md").read_text(encoding="utf-8"), f"{kind} has {counted} lines"


def test_lines_are_counted_as_an_author_would() -> None:
    code = """'Of a module.'

import json
from a import (
    b,
)

# why
X = (
    1
)


def f():
    'What.'
    return X  # this
"""
    assert own_lines(code) == 5


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of each kind, written side by side."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        new_package(f"my-{kind}", kind, folder)
    return folder


@pytest.mark.examples
def test_the_packages_of_all_kinds_are_installed_and_their_own_tests_pass(packages: Path, tmp_path: Path) -> None:
    """All in one process, which imports what they need once: pip installs each, pytest runs the tests that each came with."""
    site = tmp_path / "site"
    paths = [packages / f"my-{kind}" for kind in KINDS]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    subprocess.run([*pip, *map(str, paths)], check=True, timeout=240, cwd=tmp_path)
    known = os.environ.get("PYTHONPATH")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *([known] if known else [])]), "AUTOFT_OFFLINE": "1"}
    tests = [str(path / "tests") for path in paths]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(packages),
        *tests,
    ]
    done = subprocess.run(command, cwd=packages, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(_tests(path) for path in paths)} passed" in done.stdout
    listed = subprocess.run([sys.executable, "-m", "autoft", "plugins"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    for kind in KINDS:
        assert f"my-{kind} 0.1.0" in listed.stdout
    assert "NOT LOADED" not in listed.stdout, listed.stdout


@pytest.mark.parametrize("kind", ["reader", "tracker", "encoder"])
def test_a_package_of_each_light_kind_is_imported_and_gives_what_it_says(
    packages: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The heavier ones are looked at by `make examples` alone."""
    monkeypatch.syspath_prepend(packages / f"my-{kind}" / "src")
    module = importlib.import_module(f"my_{kind}")
    (record,) = Catalog.of([Loaded(kind, "here", module)]).plugins
    assert [(given.kind, given.name) for given in record.gives] == [(kind, f"my-{kind}")]
    assert not record.failure


def _tests(package: Path) -> int:
    (file,) = (package / "tests").glob("test_*.py")
    return file.read_text(encoding="utf-8").count("\ndef test_")


def test_nothing_of_the_template_is_left_in_a_package(packages: Path) -> None:
    for path in packages.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert "example-plugin" not in text, path
            assert "autoft.scaffold" not in text, path
            assert "$" not in text, path
            assert "noqa" not in text, path
    for kind in KINDS:
        assert f"My{kind.capitalize()}" in (packages / f"my-{kind}" / "src" / f"my_{kind}" / "__init__.py").read_text(encoding="utf-8")
        assert f"autoft plugins check my-{kind}" in (packages / f"my-{kind}" / "README.md").read_text(encoding="utf-8")
    assert "--data reviews.sqlite" in (packages / "my-reader" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "name", "classes"),
    [
        ("task", "acme-grades", {"Grades": "AcmeGradesTask"}),
        ("encoder", "Runs.Encoder", {"CharacterEncoder": "RunsEncoder", "CharacterEncoding": "RunsEncoding"}),
        ("reader", "reader", {"SqliteReader": "MyReader"}),
    ],
)
def test_classes_are_called_after_the_package(kind: str, name: str, classes: dict[str, str]) -> None:
    assert class_names(kind, name) == classes
    text = plugin_text(kind, name, "mine")
    assert all(f"class {own}:" in text and f"class {known}" not in text for known, own in classes.items())


def test_a_package_says_what_it_is(packages: Path) -> None:
    import tomllib

    found = tomllib.loads((packages / "my-model" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert found["name"] == "my-model"
    assert found["license"] == "Apache-2.0"
    assert found["description"] == "my-model: a model for autoft."
    assert found["entry-points"] == {"autoft": {"my-model": "my_model"}, "autoft.interface": {"version": str(INTERFACE)}}
    assert (packages / "my-model" / "src" / "my_model" / "py.typed").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "is no name"),
        ("-x", "is no name"),
        ("my plugin", "is no name"),
        ("../up", "is no name"),
        ("großes", "is no name"),
        ("3d-models", "cannot import"),
        ("class", "cannot import"),
        ("json", "somebody else's"),
        ("autoft", "somebody else's"),
        ("numpy", "somebody else's"),
        ("parquet", "a reader named 'parquet' already, of the plugin builtin"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        new_package(name, "reader", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("licence", ["Foo 1", "", "MIT OR", "Nobodys-1.0"])
def test_a_licence_that_no_build_takes_is_refused(tmp_path: Path, licence: str) -> None:
    with pytest.raises(InputError, match="--licence"):
        new_package("mine", "reader", tmp_path, licence)
    assert list(tmp_path.iterdir()) == []


def test_a_licence_is_stated_as_the_list_of_them_writes_it(tmp_path: Path) -> None:
    text = (new_package("mine", "reader", tmp_path, "mit OR (apache-2.0 AND LicenseRef-Own)") / "pyproject.toml").read_text()
    assert 'license = "MIT OR (Apache-2.0 AND LicenseRef-Own)"' in text


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    new_package("Mine.Own", "reader", tmp_path)
    kept = tmp_path / "Mine.Own" / "src" / "mine_own" / "__init__.py"
    kept.write_text("# mine now\n")
    with pytest.raises(InputError, match="there already"):
        new_package("Mine.Own", "reader", tmp_path)
    assert kept.read_text() == "# mine now\n"
    with pytest.raises(InputError, match="no folder"):
        new_package("other", "reader", tmp_path / "absent")
