"""The shape of the project: source roots, light imports, the standard library's `platform` intact."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "ray", "datasets", "pandas", "sklearn", "onnx", "optuna", "sqlmodel", "onnxruntime", "pydantic")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_standard_library_platform_is_intact() -> None:
    assert not any((ROOT / name / "__init__.py").exists() for name in ("platform", "plugins", "autotune", "exporters"))
    assert python("import platform; print(platform.python_implementation())") == "CPython"
    assert python("import torch, platform; print(platform.__file__)").endswith("platform.py")


@pytest.mark.parametrize("package", ["autoft", "autoft_plugins", "autoft_autotune", "autoft_exporters"])
def test_packages_are_typed(package: str) -> None:
    where = Path(python(f"import {package}; print({package}.__file__)"))
    assert (where.parent / "py.typed").exists()


def test_help_imports_nothing_heavy() -> None:
    loaded = python(
        "import sys\nfrom autoft.cli.main import group\n"
        "group.main(['--help'], standalone_mode=False)\n"
        f"sys.stdout.write('LOADED ' + ' '.join(sorted(set(sys.modules) & set({HEAVY!r}))))"
    )
    assert loaded.rsplit("LOADED", 1)[1].split() == []


def test_a_command_does_not_tidy_up_what_ends_with_it() -> None:
    """The collector's last look at the objects of torch takes seconds."""
    frozen = python(
        "import atexit, gc, sys\nfrom autoft.cli.main import main\nsys.argv = ['autoft', '--version']\n"
        "atexit.register(lambda: print('FROZEN', gc.get_freeze_count() > 0))\nmain()"
    )
    assert frozen.split("FROZEN")[1].split() == ["True"]


def test_catalog_imports_nothing_heavy_and_nothing_fails() -> None:
    heavy = tuple(name for name in HEAVY if name not in ("pydantic",))
    loaded = python(
        "import sys\nfrom autoft.catalog import Catalog\ncatalog = Catalog.build()\n"
        "assert not [p for p in catalog.plugins if p.failure], catalog.plugins\n"
        f"print('LOADED', *sorted(set(sys.modules) & set({heavy!r})))"
    )
    assert loaded.rsplit("LOADED", 1)[1].split() == []


def test_generated_docs_are_in_step() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
