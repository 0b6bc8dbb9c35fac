"""The catalog: everything plugins give, by kind and name. Built once and passed; there is no global one."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import pluggy

from autoft.data.names import nearest
from autoft.data.reading import SHOWS_FAILURES
from autoft.errors import PluginError
from autoft.guard import PluginHangs, guarded, show_calls, traced, tracing
from autoft.hookspecs import PROJECT, Hooks
from autoft.interfaces.encoder import Encoder
from autoft.interfaces.exporter import Exporter
from autoft.interfaces.model import Model
from autoft.interfaces.packager import Packager
from autoft.interfaces.reader import Reader
from autoft.interfaces.source import SourceCard
from autoft.interfaces.task import Task
from autoft.interfaces.tracker import Tracker
from autoft.interfaces.tuner import PluginFile, Tuner
from autoft.plugins import (
    BUILT_IN,
    INTERFACE_ATTRIBUTE,
    PLUGINS_VARIABLE,
    Loaded,
    explain,
    hanging,
    interface_fault,
    load_installed,
    load_plugin_file,
)

if TYPE_CHECKING:
    from autoft.interfaces.events import Event

_T = TypeVar("_T")

KINDS: Mapping[str, type] = MappingProxyType(
    {
        "tasks": Task,
        "models": Model,
        "sources": SourceCard,
        "tuners": Tuner,
        "exporters": Exporter,
        "encoders": Encoder,
        "readers": Reader,
        "trackers": Tracker,
        "packagers": Packager,
    }
)
"""What can be registered: `autoft_register_<kind>` gives objects of this interface."""


FILE_ORIGIN = "file "
"""How the origin of a one-file plugin begins."""

CLASH_HINT = "neither is used, unless one is built in: uninstall one of them, or rename what it gives"


class Given(NamedTuple):
    """One object a plugin gives. `kind` is in the singular."""

    kind: str
    name: str
    summary: str


@dataclass(frozen=True)
class PluginRecord:
    """A plugin as `autoft plugins` shows it. `failure` may stand beside things given: what works is kept.

    `missing_extra`: it failed only since an optional library is not installed; no other command speaks of it. `requirement`: the package
    that holds it, `name==version`; none for what is built in and for files. `left_out`: it was not wanted, or hangs, which was told
    when it happened.
    """

    name: str
    origin: str
    gives: tuple[Given, ...] = ()
    failure: str | None = None
    missing_extra: bool = False
    requirement: str = ""
    left_out: bool = False


@dataclass(frozen=True)
class EventHooks:
    """The hooks of one plugin that carry a run's events; `events` are those that it hears, by `Event.event`."""

    plugin: str
    events: frozenset[str]
    manager: pluggy.PluginManager = field(repr=False, compare=False)

    def hear(self, event: Event) -> None:
        """Call the hook of the event's name, if the plugin has it. Raises what that raises."""
        if event.event in self.events:
            hook = f"{PROJECT}_{event.event}"
            with traced(hook, self.plugin):
                getattr(self.manager.hook, hook)(event=event)


@dataclass(frozen=True)
class Catalog:
    """Names to objects. Readers are in the order in which they are asked: those of `--plugin` files, of installed packages, of autoft."""

    tasks: Mapping[str, Task]
    models: Mapping[str, Model]
    sources: Mapping[str, SourceCard]
    tuners: Mapping[str, Tuner]
    exporters: Mapping[str, Exporter]
    encoders: Mapping[str, Encoder]
    readers: Mapping[str, Reader]
    trackers: Mapping[str, Tracker]
    packagers: Mapping[str, Packager] = field(default_factory=dict)
    plugins: tuple[PluginRecord, ...] = ()
    plugin_files: tuple[PluginFile, ...] = ()
    event_hooks: tuple[EventHooks, ...] = ()

    @classmethod
    def build(cls, plugin_files: Sequence[PluginFile] = (), *, kinds: Collection[str] = tuple(KINDS)) -> Catalog:
        """Load every installed plugin and these files; of other `kinds` than these nothing is asked for, so that nothing is imported.

        Raises PluginError when one of the files, which the user named, fails, or gives a name that another plugin gives.
        """
        unique = {file.sha256: file for file in plugin_files}.values()
        files = [Loaded(file.name, f"{FILE_ORIGIN}{file.name} ({file.sha256[:8]})", load_plugin_file(file)) for file in unique]
        catalog = cls.of([*load_installed(), *files], plugin_files, kinds=kinds)
        asked = {file.origin for file in files}
        for record in catalog.plugins:
            if record.origin in asked and record.failure:
                raise PluginError(f"--plugin {record.name}: {record.failure}", hint="autoft plugins lists what the installed plugins give")
        return catalog

    @classmethod
    def of(cls, loaded: Iterable[Loaded], plugin_files: Sequence[PluginFile] = (), *, kinds: Collection[str] = tuple(KINDS)) -> Catalog:
        """The catalog of these plugins alone. Of a name that two of them give the built-in one is kept, else neither, which both records
        say as their failure."""
        builder = _Builder(kinds)
        records = tuple(builder.add(one) for one in loaded)
        records = tuple(builder.marked(one) for one in records)
        objects = {kind: MappingProxyType(builder.in_order(kind)) for kind in KINDS}
        return cls(**cast(Any, objects), plugins=records, plugin_files=tuple(plugin_files), event_hooks=tuple(builder.event_hooks))

    def task(self, name: str) -> Task:
        """Raises PluginError with the nearest name, as all of these do."""
        return self._get("task", self.tasks, name)

    def model(self, name: str) -> Model:
        return self._get("model", self.models, name)

    def tuner(self, name: str) -> Tuner:
        return self._get("tuner", self.tuners, name)

    def exporter(self, name: str) -> Exporter:
        return self._get("exporter", self.exporters, name)

    def encoder(self, name: str) -> Encoder:
        return self._get("encoder", self.encoders, name)

    def tracker(self, name: str) -> Tracker:
        return self._get("tracker", self.trackers, name)

    def packager(self, name: str) -> Packager:
        return self._get("packager", self.packagers, name)

    def giver(self, kind: str, name: str) -> PluginRecord | None:
        """The plugin that gives this object; `kind` is in the singular."""
        return next((one for one in self.plugins if any((given.kind, given.name) == (kind, name) for given in one.gives)), None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line a broken plugin, for every command to say once; a plugin whose extra is absent is not among them, nor one left out."""
        told = [record for record in self.plugins if record.failure and not record.missing_extra and not record.left_out]
        unknown = [f"{PLUGINS_VARIABLE} names {record.name}: {record.failure}" for record in told if record.origin == PLUGINS_VARIABLE]
        broken = _by_failure(record for record in told if record.origin != PLUGINS_VARIABLE)
        return (
            *unknown,
            *(
                f"plugin{'s' if len(names) > 1 else ''} {', '.join(names)} {'are' if len(names) > 1 else 'is'} broken and "
                f"{'were' if len(names) > 1 else 'was'} left out: {why}"
                for why, names in broken.items()
            ),
        )

    def unloaded(self, may: str) -> list[str]:
        """A line for each reason why plugins that are not built in did not load, for what is missed and they `may` have: "give it"."""
        return _suspected([one for one in self.plugins if one.origin != BUILT_IN], may)

    def _get(self, kind: str, known: Mapping[str, _T], name: str) -> _T:
        if name in known:
            return known[name]
        close = nearest(name, list(known))
        message = f"there is no {kind} named {name!r}" + (f"; did you mean {close!r}?" if close else "")
        message += f" Known: {', '.join(known) or 'none'}." if close else f"; known: {', '.join(known) or 'none'}"
        raise PluginError("\n".join([message, *_suspected(self.plugins, "give it")]), hint=SHOWS_FAILURES)


def a(kind: str) -> str:
    """A kind with its article."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _suspected(records: Iterable[PluginRecord], may: str) -> list[str]:
    return [
        f"plugin{'s' if len(names) > 1 else ''} {', '.join(names)}, which did not load, may {may}: {why}"
        for why, names in _by_failure(records).items()
    ]


def _by_failure(records: Iterable[PluginRecord]) -> dict[str, list[str]]:
    """Those that were not wanted, or give the same name, share their reason, and a line."""
    failed: dict[str, list[str]] = {}
    for record in records:
        if record.failure:
            failed.setdefault(record.failure, []).append(_giver(record))
    return failed


def _giver(record: PluginRecord) -> str:
    return f"{record.name} ({record.origin})"


def _given(caller: Callable[[], Iterable[Iterable[Any]]]) -> list[Any]:
    return [one for given in caller() for one in given]


def _asked(loaded: Loaded, call: Callable[[], Any]) -> Any:
    """What a plugin answers; under guard, but for the built-in ones."""
    return call() if loaded.origin == BUILT_IN else guarded(call, loaded.name)


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    return manager


class _Builder:
    """Registers plugins one after the other, each with a manager of its own so that a failure has one name, and keeps who gave what."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._clashes: dict[str, dict[tuple[str, str], str]] = {}
        self.event_hooks: list[EventHooks] = []
        self.objects: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._givers: dict[tuple[str, str], PluginRecord] = {}

    def marked(self, record: PluginRecord) -> PluginRecord:
        """Without what another plugin gives by the same name, which is what is wrong with it."""
        clashes = self._clashes.get(_giver(record))
        if not clashes:
            return record
        gives = tuple(given for given in record.gives if (given.kind, given.name) not in clashes)
        why = "; ".join([*([record.failure] if record.failure else []), *clashes.values(), CLASH_HINT])
        return replace(record, gives=gives, failure=why, missing_extra=False)

    def in_order(self, kind: str) -> dict[str, Any]:
        """As they were registered; but the user's own readers come before those of autoft, which take whatever looks like text."""
        objects = self.objects[kind]
        if kind != "readers":
            return objects
        return dict(sorted(objects.items(), key=lambda item: _remoteness(self._givers[kind, item[0]].origin)))

    def add(self, loaded: Loaded) -> PluginRecord:
        failed = (loaded.failure, loaded.missing_extra, loaded.requirement, loaded.left_out)
        record = PluginRecord(loaded.name, loaded.origin, (), *failed)
        if loaded.plugin is None:
            return record
        fault = interface_fault(getattr(loaded.plugin, INTERFACE_ATTRIBUTE, None))
        if fault:
            return replace(record, failure=fault)
        manager = _manager()
        try:
            plugin = _asked(loaded, loaded.plugin) if inspect.isclass(loaded.plugin) else loaded.plugin
            manager.register(plugin, name=loaded.name)
        except PluginHangs as error:
            return replace(record, failure=hanging(loaded.name, loaded.origin, error), left_out=True)
        except pluggy.PluginValidationError as error:
            return replace(record, failure=_wrong_parameter(plugin) or " ".join(str(error).split()))
        except (Exception, SystemExit) as error:
            failure, missing = explain(error, loaded.distribution)
            return replace(record, failure=failure, missing_extra=missing)
        fault = _hook_faults(manager, plugin)
        if fault:
            return replace(record, failure=fault)
        heard = frozenset(name for name in _EVENTS if getattr(manager.hook, f"{PROJECT}_{name}").get_hookimpls())
        if heard:
            self.event_hooks.append(EventHooks(_giver(record), heard, manager))
        return self._collect(record, loaded, manager)

    def _collect(self, record: PluginRecord, loaded: Loaded, manager: pluggy.PluginManager) -> PluginRecord:
        """Everything the plugin gives; what is wrong with one kind or object does not cost the others."""
        gives: list[Given] = []
        faults: list[tuple[str, bool]] = []
        for kind in self._kinds:
            hook = f"{PROJECT}_register_{kind}"
            caller = getattr(manager.hook, hook)
            if not caller.get_hookimpls():
                continue
            try:
                with traced(hook, f"{loaded.name} ({loaded.origin})"):
                    objects = _asked(loaded, partial(_given, caller))
            except PluginHangs as error:
                told = f"{hook} {hanging(loaded.name, loaded.origin, error)}"
                return replace(record, gives=tuple(gives), failure="; ".join([*(text for text, _ in faults), told]), left_out=True)
            except (Exception, SystemExit) as error:
                failure, missing = explain(error, loaded.distribution)
                faults.append((failure if missing else f"{hook} raised {failure}", missing))
                continue
            for one in objects:
                fault = fault_of(kind, one) or self._keep(kind, one, record)
                if fault:
                    faults.append((f"{hook}: {fault}", False))
                else:
                    gives.append(Given(kind[:-1], one.name, one.summary))
                    if tracing() and loaded.origin != BUILT_IN:
                        show_calls(one, _protocols(KINDS[kind]), f"{one.name}, {record.name} ({record.origin})")
        texts = dict.fromkeys(text for text, _ in faults)
        only_missing = bool(faults) and all(missing for _, missing in faults)
        return replace(record, gives=tuple(gives), failure="; ".join(texts) or None, missing_extra=only_missing)

    def _keep(self, kind: str, one: Any, record: PluginRecord) -> str | None:
        first = self._givers.setdefault((kind, one.name), record)
        if (first.name, first.origin) != (record.name, record.origin):
            told = f"two plugins give {a(kind[:-1])} named {one.name!r}: {_giver(first)} and {_giver(record)}"
            for giver in (first, record):
                if giver.origin != BUILT_IN:
                    self._clashes.setdefault(_giver(giver), {})[kind[:-1], one.name] = told
            if first.origin != BUILT_IN:
                self.objects[kind].pop(one.name, None)
            return None
        if one.name in self.objects[kind]:
            return f"it gives the name {one.name!r} twice"
        self.objects[kind][one.name] = one
        return None


_HOOKS = tuple(name for name in dir(Hooks) if name.startswith(f"{PROJECT}_"))
_EVENTS = tuple(name.removeprefix(f"{PROJECT}_") for name in _HOOKS if not name.startswith(f"{PROJECT}_register_"))


def _wrong_parameter(plugin: object) -> str | None:
    """Which hook of the plugin has a parameter that its specification lacks, and what that has."""
    for name in _HOOKS:
        function = getattr(plugin, name, None)
        if not hasattr(function, f"{PROJECT}_impl"):
            continue
        right = [one for one in inspect.signature(getattr(Hooks, name)).parameters if one != "self"]
        for one in inspect.signature(cast(Callable[..., Any], function)).parameters:
            if one not in right:
                return f"{name} takes `{one}`, " + (f"must be `{right[0]}`" if right else "and must take nothing")
    return None


def _remoteness(origin: str) -> int:
    return 2 if origin == BUILT_IN else 0 if origin.startswith(FILE_ORIGIN) else 1


def _hook_faults(manager: pluggy.PluginManager, plugin: object) -> str | None:
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            close = nearest(caller.name, _HOOKS)
            return f"implements {caller.name}, which is no hook" + (
                f"; did you mean {close}?" if close else f"; hooks: {', '.join(_HOOKS)}"
            )
    if callers:
        return None
    unmarked = [name for name in _HOOKS if callable(getattr(plugin, name, None))]
    return f"{unmarked[0]} is not marked with @autoft.hookimpl" if unmarked else "has no hook: no function marked with @autoft.hookimpl"


def fault_of(kind: str, one: object) -> str | None:
    """What an object lacks of its interface, or None."""
    interface = KINDS[kind]
    what = f"{type(one).__name__} is no {interface.__name__}"
    if interface is SourceCard and not isinstance(one, SourceCard):
        return what
    missing = [name for name in _members(interface) if not hasattr(one, name)]
    if missing:
        return f"{what}: it lacks {', '.join(missing)}"
    name = cast(Any, one).name
    if not isinstance(name, str) or not name or any(c in ":," or c.isspace() for c in name):
        return f"{type(one).__name__}.name is {name!r}: a name is text without spaces, commas and colons"
    wrong = [member for member in _methods(interface) if not callable(getattr(one, member))]
    return f"{what}: {', '.join(wrong)} cannot be called" if wrong else None


def _protocols(interface: type) -> list[type]:
    """The interface, and the smaller ones beside it that a plugin may have as well."""
    beside = [one for one in vars(sys.modules[interface.__module__]).values() if getattr(one, "_is_protocol", False)]
    return [interface, *(one for one in beside if one is not interface and one.__module__ == interface.__module__)]


def kind_of(one: object) -> str | None:
    """In the singular; where an object has the members of several interfaces, that which asks for the most."""
    fitting = [kind for kind in KINDS if fault_of(kind, one) is None]
    return max(fitting, key=lambda kind: len(_members(KINDS[kind])))[:-1] if fitting else None


def _members(interface: type) -> list[str]:
    return [*interface.__annotations__, *_methods(interface)] if interface is not SourceCard else []


def _methods(interface: type) -> list[str]:
    return [name for name, value in vars(interface).items() if not name.startswith("_") and inspect.isfunction(value)]
