"""Find and load plugins one by one, so that one which is broken is a line in a list and nothing more."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

from autoft.data.names import nearest
from autoft.errors import PluginError
from autoft.guard import TIMEOUT_VARIABLE, TRACE_VARIABLE, PluginHangs, guarded, say, traced
from autoft.hookspecs import INTERFACE, OLDEST_INTERFACE, PROJECT
from autoft.interfaces.tuner import PluginFile

_PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "cv2": "opencv-python", "huggingface_hub": "huggingface-hub"}
"""Distributions whose name is not that of their module."""

_WIDE_EXTRAS = ("all", "dev")
"""Extras that repeat others: named only where no narrower one holds the package."""


BUILT_IN = "built-in"
PLUGINS_VARIABLE = "AUTOFT_PLUGINS"
"""Names of the installed plugins that may be loaded, or NONE; paths of one-file plugins (.py) in it are a setting of `run`."""
NONE = "none"
HANGING_VARIABLE = "AUTOFT_HANGING_PLUGINS"
"""Those that a process of this command waited for in vain: neither it nor its children wait for them again."""

INTERFACE_GROUP = f"{PROJECT}.interface"
"""The entry-point group whose one value is the version of the interface that a distribution's plugins are made for."""
INTERFACE_ATTRIBUTE = f"{PROJECT}_interface"
"""The same, said by the plugin itself."""


@dataclass(frozen=True)
class Loaded:
    """A plugin that was looked for. `plugin` is None where it failed; `missing_extra` tells an optional library
    that is absent, which is no fault, from a plugin that is broken; `left_out` one that was not wanted, or was told of already."""

    name: str
    origin: str
    plugin: object | None
    failure: str | None = None
    missing_extra: bool = False
    distribution: Distribution | None = None
    left_out: bool = False

    @property
    def requirement(self) -> str:
        """The package that holds it, `name==version`; none for what is built in and for files."""
        one = self.distribution
        return "" if one is None or one.name == PROJECT else f"{one.name}=={one.version}"


def load_installed() -> Iterator[Loaded]:
    """Every entry point of the group `autoft`, each loaded by itself, in order of distribution and name.

    Those that are not built in are loaded under guard (`guard.guarded`), and only where AUTOFT_PLUGINS allows; a name in it that none of
    them has comes last, as one that failed.
    """
    allowed = allowed_plugins()
    entries = sorted(entry_points(group=PROJECT), key=lambda e: (_origin(e) != BUILT_IN, _origin(e), e.name))
    for entry in entries:
        origin = _origin(entry)
        unwanted = None if origin == BUILT_IN else _unwanted(entry, allowed)
        if unwanted:
            yield Loaded(entry.name, origin, None, unwanted, distribution=entry.dist, left_out=True)
            continue
        fault = None if entry.dist is None else interface_fault(_declared(entry.dist))
        if fault:
            yield Loaded(entry.name, origin, None, fault, distribution=entry.dist)
            continue
        try:
            with traced("load", f"{entry.name} ({origin})"):
                plugin = entry.load() if origin == BUILT_IN else guarded(entry.load, entry.name)
            yield Loaded(entry.name, origin, plugin, distribution=entry.dist)
        except PluginHangs as error:
            yield Loaded(entry.name, origin, None, hanging(entry.name, origin, error), distribution=entry.dist, left_out=True)
        except (Exception, SystemExit) as error:
            failure, missing = explain(error, entry.dist, own=entry.module)
            yield Loaded(entry.name, origin, None, failure, missing, entry.dist)
    known = {_normal(name): name for entry in entries for name in _names(entry)}
    for name in sorted((allowed or frozenset()) - known.keys()):
        close = nearest(name, list(known))
        failure = "no installed plugin, and no package with one, has that name" + (f"; did you mean {known[close]!r}?" if close else "")
        yield Loaded(name, PLUGINS_VARIABLE, None, failure)


def hanging(name: str, origin: str, error: PluginHangs) -> str:
    """Say that a plugin hangs, so that whoever waited knows what for, and remember it; why it was left out."""
    say(f"plugin {name} ({origin}) {error} and was left out")
    known = [one for one in os.environ.get(HANGING_VARIABLE, "").split("\n") if one]
    os.environ[HANGING_VARIABLE] = "\n".join(dict.fromkeys([*known, f"{name} ({origin})"]))
    return str(error)


def allowed_plugins() -> frozenset[str] | None:
    """The names of plugins or of their packages that AUTOFT_PLUGINS allows; none for `none`, None where it names none."""
    names = [item for item in _listed() if not item.endswith(".py")]
    if not names:
        return None
    return frozenset(_normal(name) for name in names if name.lower() != NONE)


def plugin_paths() -> list[str]:
    """The one-file plugins that AUTOFT_PLUGINS names."""
    return [item for item in _listed() if item.endswith(".py")]


def loading_variables() -> dict[str, str]:
    """The environment variables, as far as they are set, that say what is loaded and how: for processes that do not inherit them."""
    names = (PLUGINS_VARIABLE, HANGING_VARIABLE, TIMEOUT_VARIABLE, TRACE_VARIABLE)
    return {name: os.environ[name] for name in names if name in os.environ}


def _listed() -> list[str]:
    """What AUTOFT_PLUGINS holds: a JSON list, or items with the separator of PATH between them; names may have commas between them."""
    text = os.environ.get(PLUGINS_VARIABLE, "").strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = []
        return [item for item in found if isinstance(item, str)]
    items = [part.strip() for part in text.split(os.pathsep)]
    return [one.strip() for item in items for one in ([item] if item.endswith(".py") else item.split(",")) if one.strip()]


def _unwanted(entry: EntryPoint, allowed: frozenset[str] | None) -> str | None:
    names = {_normal(name) for name in _names(entry)}
    if allowed is not None and not names & allowed:
        return f"not wanted: {PLUGINS_VARIABLE} does not name it" if allowed else "not wanted: no plugins (--no-plugins)"
    if f"{entry.name} ({_origin(entry)})" in os.environ.get(HANGING_VARIABLE, "").split("\n"):
        return "it did not answer in time before"
    return None


def _names(entry: EntryPoint) -> list[str]:
    """By which it is known: its own, and its package's."""
    return [entry.name, *([entry.dist.name] if entry.dist is not None else [])]


def interface_fault(version: object) -> str | None:
    """What is wrong with a plugin made for this version of the interface, and what to do; None for one that fits, and for None."""
    if version is None:
        return None
    if not isinstance(version, int) or isinstance(version, bool):
        return f"says that it was made for the plugin interface {version!r}, which is no version: they are whole numbers, here {INTERFACE}"
    if version > INTERFACE:
        return f"was made for version {version} of the plugin interface, this autoft has {INTERFACE}: upgrade autoft"
    if version < OLDEST_INTERFACE:
        return f"was made for version {version} of the plugin interface, this autoft takes {OLDEST_INTERFACE} or later: upgrade the plugin"
    return None


def _declared(distribution: Distribution) -> object:
    """The version in a distribution's metadata, which can be read where the plugin itself cannot be imported any more."""
    for entry in distribution.entry_points.select(group=INTERFACE_GROUP):
        return int(entry.value) if entry.value.isascii() and entry.value.isdigit() else entry.value
    return None


def _origin(entry: EntryPoint) -> str:
    if entry.dist is None:
        return entry.value
    return BUILT_IN if entry.dist.name == PROJECT else f"{entry.dist.name} {entry.dist.version}"


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
    if allowed_plugins() == frozenset():
        raise PluginError(f"--plugin {path}: no plugins are wanted here", hint=f"leave out --no-plugins, or {PLUGINS_VARIABLE}={NONE}")
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
        loader = spec.loader
        with traced("load", f"file {file.name}"):
            guarded(lambda: loader.exec_module(module), file.name)  # type: ignore[union-attr]
    except PluginHangs as error:
        raise PluginError(f"--plugin {file.name} {error}", hint="what a plugin needs long for belongs into its methods") from None
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where = _line(error, file.name)
        raise PluginError(f"--plugin {file.name}{where}: {explain(error)[0]}", hint=f"python {file.name} shows the traceback") from error
    return module


def module_name(file: PluginFile) -> str:
    """`autoft_plugin_<stem>_<first 8 digits of the sha256>`."""
    stem = re.sub(r"\W", "_", Path(file.name).stem)
    return f"autoft_plugin_{stem}_{file.sha256[:8]}"


@dataclass(frozen=True)
class Owner:
    """A plugin that is not built in: its name, and the file or the distribution that it comes from."""

    name: str
    origin: str


def owner(module: str) -> Owner | None:
    """Whose a module is; None for what is built in, and for what belongs to no plugin."""
    loader = getattr(getattr(sys.modules.get(module), "__spec__", None), "loader", None)
    if isinstance(loader, _TextLoader):
        return Owner(Path(loader.name).stem, f"file {loader.name}")
    top = module.partition(".")[0]
    for entry in entry_points(group=PROJECT):
        if _origin(entry) != BUILT_IN and entry.module.partition(".")[0] == top:
            return Owner(entry.name, _origin(entry))
    return None


class _TextLoader(InspectLoader):
    """Runs a module from text; tracebacks show its lines, since linecache asks `get_source`."""

    def __init__(self, file: PluginFile) -> None:
        self._file = file
        self.name = file.name

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
