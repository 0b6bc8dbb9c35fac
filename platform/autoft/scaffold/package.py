"""From the templates to a package of the author's own."""

from __future__ import annotations

import keyword
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template
from types import MappingProxyType

from autoft.catalog import Catalog, a
from autoft.errors import InputError
from autoft.hookspecs import INTERFACE

TEMPLATES = Path(__file__).parent / "templates"
NAME, MODULE = "example-plugin", "autoft.scaffold.templates.{kind}.plugin"
"""What stands in the templates for the package's name and its module."""
_VALID = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
"""A name of a distribution, as the packaging specification has it."""


_LICENCE = re.compile(r"\(*[A-Z0-9][A-Z0-9.-]*\+?\)*(?: (?:AND|OR|WITH) \(*[A-Z0-9][A-Z0-9.-]*\+?\)*)*", re.IGNORECASE)
"""The form of an SPDX expression; which names there are is asked of `packaging`, where that is installed."""
_PAGES = "https://github.com/autoft/autoft/blob/main/docs"
_UNUSED = "  # noqa: ARG002"
"""What the linter of this project needs to be told, and that of an author may not know."""


@dataclass(frozen=True)
class Kind:
    """What is said of a kind in its package: `summary` of what is generated, `needs` beside autoft, what to `try`; its classes, by the
    ending that each name of the author's own gets; `data`: what rows of its kind are called, where a check needs them."""

    summary: str
    try_it: str
    classes: Mapping[str, str]
    needs: tuple[str, ...] = ()
    data: str = ""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "task": Kind(
            "grades in order, judged by how far off an answer is",
            "Then every run can learn it: rows with a column `text` and a column `stars` of whole numbers.\n\n"
            "    autoft run reviews.csv --task $plugin\n\n"
            "Without `--task` the task whose `match` has the highest score takes the file, and near ties are asked for. `match` gives 0.5\n"
            "here: taken, with a warning, where no other task comes within 0.1 of it.\n"
            f"[What a score means]({_PAGES}/finding-the-task.md).",
            {"Grades": "Task"},
            data="reviews.csv",
        ),
        "model": Kind(
            "nearest centroid over hashed words, with its encoder",
            "Then every run of text classification can have it, and serve it even where the baseline `linear` scores higher:\n\n"
            "    autoft run reviews.csv --models $plugin --named-only\n\nWithout `--named-only` the better of the two is served.",
            {"NearestCentroid": "Model", "HashedWords": "Words", "Centroids": "Fitted"},
            ("onnx>=1.23", "safetensors>=0.5"),
        ),
        "exporter": Kind(
            "onnxruntime's own format, made out of the proved ONNX graph",
            "Then every run that has ended can have it:\n\n    autoft export last --to $plugin",
            {"OrtExporter": "Exporter", "OrtSession": "Session"},
        ),
        "tuner": Kind(
            "random search in the run's own process",
            "Then every run can be searched by it:\n\n    autoft run reviews.csv --tuner $plugin --trials 10",
            {"RandomTuner": "Tuner"},
        ),
        "encoder": Kind(
            "runs of characters, counted in buckets",
            "An encoder takes part in a run by the model that names it: what the model's `Fitted.program` returns has\n"
            '`EncoderSpec("$plugin", {"width": 512, "size": 3})`. `autoft plugins new my-model --kind model` writes\n'
            f"a model with an encoder; [what a model gives]({_PAGES}/plugins/hooks/autoft_register_models.md).",
            {"CharacterEncoder": "Encoder", "CharacterEncoding": "Encoding"},
        ),
        "reader": Kind(
            "the table of an SQLite file",
            "Then every command takes such a file:\n\n    autoft check reviews.sqlite",
            {"SqliteReader": "Reader"},
            data="reviews.sqlite",
        ),
        "tracker": Kind(
            "a line of CSV for every trial, in one file beside the runs",
            "Then every run can be told to it:\n\n    autoft run reviews.csv --tracker $plugin",
            {"CsvTracker": "Tracker"},
        ),
    }
)
"""The kinds there are templates of."""


def new_package(name: str, kind: str, parent: Path, licence: str = "Apache-2.0") -> Path:
    """Write the package `name` into a new folder of that name in `parent`, and return the folder.

    Raises InputError where the name cannot be one of a distribution or its module, where something by it is there already or a plugin gives
    it, and for a licence that a build would refuse.
    """
    module, plugin = module_of(name), plugin_name(name)
    _refuse_given(plugin, kind)
    licence = _licence(licence)
    folder = parent / name
    if folder.exists():
        raise InputError(f"{folder} is there already", hint="choose another name or --output, or take it away: nothing is overwritten")
    if not parent.is_dir():
        raise InputError(f"there is no folder {parent} to write {name} into", hint=f"mkdir -p {parent}")
    about = KINDS[kind]
    dependencies = ", ".join(f'"{one}"' for one in ("autoft", *about.needs))
    words = {"name": name, "module": module, "plugin": plugin, "licence": licence, "dependencies": dependencies}
    words |= {"kind": a(kind), "what": about.summary, "interface": str(INTERFACE)}
    words |= {"try": Template(about.try_it).substitute(plugin=plugin), "data": f" --data {about.data}" if about.data else ""}
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
    there = _importable(module)
    if there:
        raise InputError(f"{name!r} would be the module {module!r}, which is somebody else's: {there}", hint="choose another name")
    return module


def _importable(module: str) -> str | None:
    """Where this environment has a module of the name, which the new one would stand in front of. Folders without code are none."""
    try:
        spec = find_spec(module)
    except ValueError:  # a module that was made by hand
        return "it is loaded here"
    return spec.origin if spec else None


def plugin_name(name: str) -> str:
    """What the plugin is called, on command lines too: the name of its package in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _refuse_given(plugin: str, kind: str) -> None:
    """Raises InputError where a plugin that is here gives the name."""
    for record in Catalog.build(kinds=(f"{kind}s",)).plugins:
        if any((given.kind, given.name) == (kind, plugin) for given in record.gives):
            what = f"there is {a(kind)} named {plugin!r} already, of the plugin {record.name} ({record.origin})"
            raise InputError(what, hint="choose another name: of two plugins of one name neither is used, unless one is built in")


def _licence(text: str) -> str:
    """As the package states it. Raises InputError for what is no SPDX expression: building the package would end at it."""
    hint = "a name of https://spdx.org/licenses, for instance Apache-2.0 or MIT; LicenseRef-NAME for one that is not there"
    if not _LICENCE.fullmatch(text):
        raise InputError(f"--licence {text!r} is no SPDX expression", hint=hint)
    try:
        from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
    except ImportError:  # no part of what a bundle is served with
        return text
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise InputError(f"--licence {text!r}: {error}", hint=hint) from None


def install_command(folder: Path) -> str:
    """What makes a generated package work where it lies, beside what is installed, and brings what its tests need."""
    return (
        f"python -m pip install --editable {shlex.quote(f'./{folder.as_posix()}[dev]' if not folder.is_absolute() else f'{folder}[dev]')}"
    )


def plugin_text(kind: str, name: str, module: str = "", *, file: str = "plugin.py") -> str:
    """The template's code with the names of the package, those of its classes as well: `my-grades` gives a task `MyGradesTask`."""
    text = (TEMPLATES / kind / file).read_text(encoding="utf-8").replace(_UNUSED, "")
    old = MODULE.format(kind=kind)
    text = text.replace(f"import {old} as plugin", f"import {module} as plugin").replace(old, module)
    for known, own in class_names(kind, name).items():
        text = re.sub(rf"\b{known}\b", own, text)
    return text.replace(NAME, plugin_name(name))


def class_names(kind: str, name: str) -> dict[str, str]:
    """The classes of a template and what they are called in the package."""
    own = "".join(word.capitalize() for word in plugin_name(name).split("-"))
    own = own.removesuffix(kind.capitalize()) or "My"
    return {known: own + ending for known, ending in KINDS[kind].classes.items()}


def _filled(file: str, words: Mapping[str, str]) -> str:
    return Template((TEMPLATES / file).read_text(encoding="utf-8")).substitute(words)
