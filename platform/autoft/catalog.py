"""The catalog: everything plugins give, by kind and name. Built once and passed; there is no global one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import pluggy

from autoft.data.names import nearest
from autoft.errors import PluginError
from autoft.guard import PluginHangs, guarded, traced
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
from autoft.plugins import BUILT_IN, INTERFACE_ATTRIBUTE, Loaded, explain, hanging, interface_fault, load_installed, load_plugin_file

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
class Catalog:
    """Names to objects. Readers are in the order in which they are asked."""

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
    _managers: Mapping[str, pluggy.PluginManager] = field(default_factory=dict, repr=False, compare=False)
    _silenced: set[str] = field(default_factory=set, repr=False, compare=False)

    @classmethod
    def build(cls, plugin_files: Sequence[PluginFile] = (), *, kinds: Collection[str] = tuple(KINDS)) -> Catalog:
        """Load every installed plugin and these files; of other `kinds` than these nothing is asked for, so that nothing is imported.

        Raises PluginError when two plugins give the same name, or when one of the files, which the user named, fails.
        """
        unique = {file.sha256: file for file in plugin_files}.values()
        files = [Loaded(file.name, f"file {file.name} ({file.sha256[:8]})", load_plugin_file(file)) for file in unique]
        catalog = cls.of([*load_installed(), *files], plugin_files, kinds=kinds)
        asked = {file.origin for file in files}
        for record in catalog.plugins:
            if record.origin in asked and record.failure:
                raise PluginError(f"--plugin {record.name}: {record.failure}", hint="autoft plugins lists what the installed plugins give")
        return catalog

    @classmethod
    def of(cls, loaded: Iterable[Loaded], plugin_files: Sequence[PluginFile] = (), *, kinds: Collection[str] = tuple(KINDS)) -> Catalog:
        """The catalog of these plugins alone. Raises PluginError when two of them give the same name."""
        builder = _Builder(kinds)
        records = tuple(builder.add(one) for one in loaded)
        objects = {kind: MappingProxyType(builder.objects[kind]) for kind in KINDS}
        return cls(**cast(Any, objects), plugins=records, plugin_files=tuple(plugin_files), _managers=builder.managers)

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
        return tuple(
            f"plugin {record.name} ({record.origin}) is broken and was left out: {record.failure}"
            for record in self.plugins
            if record.failure and not record.missing_extra and not record.left_out
        )

    def notify(self, event: Event) -> tuple[str, ...]:
        """Hand an event to the plugins' hook of the same name; an event without a hook is ignored.

        A plugin that raises hears nothing more and costs one line of the returned warnings; nothing propagates.
        """
        hook = f"{PROJECT}_{event.event}"
        warnings = []
        for name, manager in self._managers.items():
            if name in self._silenced or not hasattr(manager.hook, hook):
                continue
            try:
                with traced(hook, name) if getattr(manager.hook, hook).get_hookimpls() else nullcontext():
                    getattr(manager.hook, hook)(event=event)
            except (Exception, SystemExit) as error:
                self._silenced.add(name)
                warnings.append(f"plugin {name} failed in {hook} and hears no more events: {explain(error)[0]}")
        return tuple(warnings)

    def _get(self, kind: str, known: Mapping[str, _T], name: str) -> _T:
        if name in known:
            return known[name]
        close = nearest(name, list(known))
        message = f"there is no {kind} named {name!r}" + (f"; did you mean {close!r}?" if close else "")
        message += f" Known: {', '.join(known) or 'none'}." if close else f"; known: {', '.join(known) or 'none'}"
        failed = [f"plugin {record.name} ({record.origin}), which did not load, may give it: {record.failure}" for record in self._failed()]
        raise PluginError("\n".join([message, *failed]), hint="autoft plugins shows what each plugin gives and what failed to load")

    def _failed(self) -> list[PluginRecord]:
        return [record for record in self.plugins if record.failure]


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
        self.managers: dict[str, pluggy.PluginManager] = {}
        self.objects: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._givers: dict[tuple[str, str], str] = {}

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
        except (Exception, SystemExit) as error:
            failure, missing = explain(error, loaded.distribution)
            return replace(record, failure=failure, missing_extra=missing)
        fault = _hook_faults(manager, plugin)
        if fault:
            return replace(record, failure=fault)
        self.managers[f"{loaded.name} ({loaded.origin})"] = manager
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
                fault = fault_of(kind, one) or self._keep(kind, one, f"{record.name} ({record.origin})")
                if fault:
                    faults.append((f"{hook}: {fault}", False))
                else:
                    gives.append(Given(kind[:-1], one.name, one.summary))
        texts = dict.fromkeys(text for text, _ in faults)
        only_missing = bool(faults) and all(missing for _, missing in faults)
        return replace(record, gives=tuple(gives), failure="; ".join(texts) or None, missing_extra=only_missing)

    def _keep(self, kind: str, one: Any, giver: str) -> str | None:
        first = self._givers.setdefault((kind, one.name), giver)
        if first != giver:
            raise PluginError(
                f"two plugins give a {kind[:-1]} named {one.name!r}: {first} and {giver}",
                hint="uninstall one of them, or rename what it gives",
            )
        if one.name in self.objects[kind]:
            return f"it gives the name {one.name!r} twice"
        self.objects[kind][one.name] = one
        return None


def _hook_faults(manager: pluggy.PluginManager, plugin: object) -> str | None:
    callers = manager.get_hookcallers(plugin) or []
    known = [name for name in dir(Hooks) if name.startswith(f"{PROJECT}_")]
    for caller in callers:
        if not caller.has_spec():
            close = nearest(caller.name, known)
            return f"implements {caller.name}, which is no hook" + (f"; did you mean {close}?" if close else f"; hooks: {', '.join(known)}")
    if callers:
        return None
    unmarked = [name for name in known if callable(getattr(plugin, name, None))]
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


def kind_of(one: object) -> str | None:
    """In the singular; where an object has the members of several interfaces, that which asks for the most."""
    fitting = [kind for kind in KINDS if fault_of(kind, one) is None]
    return max(fitting, key=lambda kind: len(_members(KINDS[kind])))[:-1] if fitting else None


def _members(interface: type) -> list[str]:
    return [*interface.__annotations__, *_methods(interface)] if interface is not SourceCard else []


def _methods(interface: type) -> list[str]:
    return [name for name, value in vars(interface).items() if not name.startswith("_") and inspect.isfunction(value)]
