"""Find and load plugins one by one, so that one which is broken is a line in a list and nothing more."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

from autoft.errors import PluginError
from autoft.hookspecs import PROJECT
from autoft.interfaces.tuner import PluginFile

_PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "cv2": "opencv-python", "huggingface_hub": "huggingface-hub"}
"""Distributions whose name is not that of their module."""

_WIDE_EXTRAS = ("all", "dev")
"""Extras that repeat others: named only where no narrower one holds the package."""


@dataclass(frozen=True)
class Loaded:
    """A plugin that was looked for. `plugin` is None where it failed; `missing_extra` tells an optional library
    that is absent, which is no fault, from a plugin that is broken."""

    name: str
    origin: str
    plugin: object | None
    failure: str | None = None
    missing_extra: bool = False
    distribution: Distribution | None = None

    @property
    def requirement(self) -> str:
        """The package that holds it, `name==version`; none for what is built in and for files."""
        one = self.distribution
        return "" if one is None or one.name == PROJECT else f"{one.name}=={one.version}"


def load_installed() -> Iterator[Loaded]:
    """Every entry point of the group `autoft`, each loaded by itself, in order of distribution and name."""
    for entry in sorted(entry_points(group=PROJECT), key=lambda e: (_origin(e) != "built-in", _origin(e), e.name)):
        try:
            yield Loaded(entry.name, _origin(entry), entry.load(), distribution=entry.dist)
        except (Exception, SystemExit) as error:
            failure, missing = explain(error, entry.dist, own=entry.module)
            yield Loaded(entry.name, _origin(entry), None, failure, missing, entry.dist)


def _origin(entry: EntryPoint) -> str:
    if entry.dist is None:
        return entry.value
    return "built-in" if entry.dist.name == PROJECT else f"{entry.dist.name} {entry.dist.version}"


def explain(error: BaseException, distribution: Distribution | None = None, own: str = "") -> tuple[str, bool]:
    """Why a plugin failed, in one line, and whether that is only an optional library which is not installed.

    `own` is the plugin's own module: where that is what cannot be found, the plugin is broken.
    """
    top = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ImportError) and top and top != own.partition(".")[0] and not _installed(top):
        extra = _extra_with(top, distribution)
        if distribution is not None and extra:
            return f'needs the extra "{extra}" ({top} is not installed): pip install "{distribution.name}[{extra}]"', True
        return f"needs the package {_PACKAGES.get(top, top)}, which is not installed", True
    return f"{type(error).__name__}: {error}".strip().partition("\n")[0], False


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _extra_with(module: str, distribution: Distribution | None) -> str | None:
    wanted = _normal(_PACKAGES.get(module, module))
    extras = []
    for requirement in (distribution.requires or []) if distribution else []:
        match = re.match(r"([\w.-]+).*\bextra\s*==\s*['\"]([^'\"]+)", requirement)
        if match and _normal(match[1]) == wanted:
            extras.append(match[2])
    return min(extras, key=lambda extra: extra in _WIDE_EXTRAS, default=None)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_plugin_file(path: Path) -> PluginFile:
    """A one-file plugin by its content.

    Raises PluginError when there is no such file, it is no Python file, or it raises as it is loaded.
    """
    hint = "--plugin takes one Python file with functions marked @autoft.hookimpl"
    if path.suffix != ".py":
        raise PluginError(f"--plugin {path}: not a .py file", hint=hint)
    try:
        content = path.read_bytes()
        file = PluginFile(path.name, hashlib.sha256(content).hexdigest(), content.decode("utf-8-sig"))
    except OSError as error:
        raise PluginError(f"--plugin {path}: {error.strerror or error}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise PluginError(f"--plugin {path}: not UTF-8 text (byte {error.start})", hint=hint) from error
    load_plugin_file(file)
    return file


def load_plugin_file(file: PluginFile) -> ModuleType:
    """The file's module, executed at most once a process, importable by its name so that its classes pickle by reference.

    Raises PluginError with the line at which it fails.
    """
    name = module_name(file)
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_loader(name, _TextLoader(file), origin=file.name)
    if spec is None:  # cannot be: a loader is given
        raise PluginError(f"--plugin {file.name}: no module can be made of it")
    module = module_from_spec(spec)
    module.__file__ = file.name
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where = _line(error, file.name)
        raise PluginError(f"--plugin {file.name}{where}: {explain(error)[0]}", hint=f"python {file.name} shows the traceback") from error
    return module


def module_name(file: PluginFile) -> str:
    """`autoft_plugin_<stem>_<first 8 digits of the sha256>`."""
    stem = re.sub(r"\W", "_", Path(file.name).stem)
    return f"autoft_plugin_{stem}_{file.sha256[:8]}"


class _TextLoader(InspectLoader):
    """Runs a module from text; tracebacks show its lines, since linecache asks `get_source`."""

    def __init__(self, file: PluginFile) -> None:
        self._file = file

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        return self._file.text

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self.source_to_code(self._file.text, self._file.name)


def _line(error: BaseException, file: str) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno}"
    found, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = f", line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
