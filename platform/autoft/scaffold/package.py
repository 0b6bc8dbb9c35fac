"""From the templates to a package of the author's own."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType

from autoft.errors import InputError

TEMPLATES = Path(__file__).parent / "templates"
NAME, MODULE = "example-plugin", "autoft.scaffold.templates.{kind}.plugin"
"""What stands in the templates for the package's name and its module."""
_VALID = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
"""A name of a distribution, as the packaging specification has it."""


@dataclass(frozen=True)
class Kind:
    """What is said of a kind in its package: `summary` of what is generated, `needs` beside autoft, what to `try`."""

    summary: str
    try_it: str
    needs: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "task": Kind(
            "A task: grades in order, judged by how far off an answer is",
            "Then every run can learn it: rows with a column `text` and a column `stars` of whole numbers.\n\n"
            "    autoft run reviews.csv --task $name",
        ),
        "model": Kind(
            "A model: nearest centroid over hashed words, with its encoder",
            "Then every run of text classification can have it beside the others:\n\n    autoft run reviews.csv --models $name,linear",
            ("onnx>=1.23", "safetensors>=0.5"),
        ),
        "exporter": Kind(
            "An exporter: onnxruntime's own format, made out of the proved ONNX graph",
            "Then every run that has ended can have it:\n\n    autoft export last --to $name",
        ),
        "tuner": Kind(
            "A tuner: random search in the run's own process",
            "Then every run can be searched by it:\n\n    autoft run reviews.csv --tuner $name --trials 10",
        ),
        "encoder": Kind(
            "An encoder: runs of characters, counted in buckets",
            'Then a model can name it in its program: `EncoderSpec("$name", {"width": 512, "size": 3})`.',
        ),
        "reader": Kind(
            "A reader: the table of an SQLite file",
            "Then every command takes such a file:\n\n    autoft check reviews.sqlite",
        ),
        "tracker": Kind(
            "A tracker: a line of CSV for every trial, in one file beside the runs",
            "Then every run can be told to it:\n\n    autoft run reviews.csv --tracker $name",
        ),
    }
)
"""The kinds there are templates of."""


def new_package(name: str, kind: str, parent: Path, licence: str = "Apache-2.0") -> Path:
    """Write the package `name` into a new folder of that name in `parent`, and return the folder.

    Raises InputError where the name cannot be one of a distribution or its module, or where something by it is there already.
    """
    module = module_of(name)
    folder = parent / name
    if folder.exists():
        raise InputError(f"{folder} is there already", hint="choose another name or --output, or take it away: nothing is overwritten")
    if not parent.is_dir():
        raise InputError(f"there is no folder {parent} to write {name} into", hint=f"mkdir -p {parent}")
    about = KINDS[kind]
    dependencies = ", ".join(f'"{one}"' for one in ("autoft", *about.needs))
    words = {"name": name, "module": module, "licence": licence, "summary": about.summary.replace('"', "'"), "what": about.summary}
    words |= {"dependencies": dependencies, "try": Template(about.try_it).substitute(name=name)}
    files = {
        "pyproject.toml": _filled("pyproject.txt", words),
        "README.md": _filled("readme.txt", words),
        f"src/{module}/__init__.py": plugin_text(kind, name, module),
        f"src/{module}/py.typed": "",
        f"tests/test_{module}.py": plugin_text(kind, name, module, file="test_plugin.py"),
    }
    aside = parent / f".{name}.new"
    shutil.rmtree(aside, ignore_errors=True)
    for path, text in files.items():
        (aside / path).parent.mkdir(parents=True, exist_ok=True)
        (aside / path).write_text(text, encoding="utf-8")
    aside.rename(folder)
    return folder


def module_of(name: str) -> str:
    """The module of a distribution: its name with underscores. Raises InputError where there can be none."""
    hint = "for instance autoft-grades: letters, digits and hyphens, a letter first"
    if not _VALID.fullmatch(name):
        raise InputError(f"{name!r} is no name of a package", hint=hint)
    module = re.sub(r"[-_.]+", "_", name).lower()
    if not module.isidentifier() or keyword.iskeyword(module):
        raise InputError(f"{name!r} would be the module {module!r}, which Python cannot import", hint=hint)
    if module in sys.stdlib_module_names or module == "autoft" or module.startswith("test_"):
        raise InputError(f"{name!r} would be the module {module!r}, which is somebody else's", hint=hint)
    return module


def plugin_text(kind: str, name: str, module: str = "", *, file: str = "plugin.py") -> str:
    """The template's code with the names of the package."""
    text = (TEMPLATES / kind / file).read_text(encoding="utf-8")
    old = MODULE.format(kind=kind)
    text = text.replace(f"import {old} as plugin", f"import {module} as plugin").replace(old, module)
    return text.replace(NAME, re.sub(r"[._]+", "-", name).lower())


def _filled(file: str, words: Mapping[str, str]) -> str:
    return Template((TEMPLATES / file).read_text(encoding="utf-8")).substitute(words)
