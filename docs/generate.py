"""Write what follows from the code: commands, settings, hooks, types, JSON Schemas, pictures. `--check` only compares."""

from __future__ import annotations

import inspect
import json
import re
import sys
from importlib import import_module
from pathlib import Path

import click
from pydantic import TypeAdapter

DOCS = Path(__file__).parent
GENERATED = "<!-- written by docs/generate.py; do not edit -->\n"


def commands() -> str:
    from autoft.cli.main import COMMANDS, group

    text = [GENERATED, "# Commands\n"]
    text.append(f"```text\n{_help(group, 'autoft')}```\n")
    for name in COMMANDS:
        command = import_module(f"autoft.cli.{name}").command
        text.append(f"## autoft {name}\n\n```text\n{_help(command, f'autoft {name}')}```\n")
        for sub, child in getattr(command, "commands", {}).items():
            text.append(f"### autoft {name} {sub}\n\n```text\n{_help(child, f'autoft {name} {sub}')}```\n")
    return "\n".join(text)


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=110, max_content_width=110, help_option_names=["-h", "--help"])
    return command.get_help(context).rstrip() + "\n"


def settings() -> str:
    from autoft.settings import Settings

    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
        rows.append(f"| `{name}` | `{default}` | {field.description or ''} |")
    head = (
        "# Settings\n\nEach is a flag of `autoft run` (with hyphens), a keyword of `autoft.run`, an environment variable "
        "(`AUTOFT_BUDGET=5m`), or a line of `autoft.toml` in the working directory; earlier ones win.\n"
    )
    return "\n".join([GENERATED, head, *rows, ""])


def hooks() -> dict[str, str]:
    """A page a hook, and one that lists them."""
    from autoft.hookspecs import Hooks

    found = {name: _parts(inspect.getdoc(hook) or "") for name, hook in vars(Hooks).items() if name.startswith("autoft_")}
    rows = [f"| [{name}]({name}.md) | {parts['What']} |" for name, parts in found.items()]
    head = (
        "# Hooks\n\nA plugin is a module with some of these functions, marked `@autoft.hookimpl`.\n\n| hook | what it is for |\n|---|---|"
    )
    pages = {"plugins/hooks/README.md": "\n".join([GENERATED, head, *rows, ""])}
    return pages | {f"plugins/hooks/{name}.md": _hook_page(name, parts) for name, parts in found.items()}


def _parts(text: str) -> dict[str, str]:
    """The parts of a hook's docstring by their names; what stands before the first is `What`."""
    parts, name = {"What": ""}, "What"
    for line in text.splitlines():
        word, colon, rest = line.partition(":")
        if colon and word in ("When", "Process", "Parameters", "Returns", "Example"):
            name, line = word, rest.strip()
        parts[name] = f"{parts.get(name, '')}\n{line}"
    return {name: inspect.cleandoc(part).strip() for name, part in parts.items()}


def _hook_page(name: str, parts: dict[str, str]) -> str:
    from autoft.catalog import KINDS
    from autoft.hookspecs import Hooks

    text = [GENERATED, f"# {name}\n", f"{parts['What']}\n"]
    text += [f"- **{part}**: {' '.join(parts[part].split())}" for part in ("When", "Process", "Parameters", "Returns")]
    text.append(f"\n```python\nimport autoft\n\n\n{parts['Example']}\n```\n")
    kind = name.removeprefix("autoft_register_")
    if kind in KINDS:
        text.append(f"## The interface\n\n{_interface(KINDS[kind])}")
        beside = ", ".join(f"[{one.__name__}](../types.md#{one.__name__.lower()})" for one in _beside(KINDS[kind]))
        text += [f"What one may have beside: {beside}.\n"] if beside else []
    else:
        event = inspect.signature(getattr(Hooks, name)).parameters["event"].annotation
        schema = "[the schema of events.jsonl](../../schemas/events.json)"
        text.append(
            f"The event is a [{event}](../types.md#{event.lower()}); all are in {schema}. A plugin's hooks are called one after\n"
            "another in a thread of their own, with copies. One that raises, or does not return within 30 s, is said once and\n"
            "hears no more: [what a plugin cannot do](../index.md#what-a-plugin-cannot-do).\n"
        )
    more = "[types](../types.md), [how to begin](../index.md), [contract checks](../checks.md)"
    return "\n".join(text) + f"\n[All hooks](README.md), {more}\n"


def _beside(interface: type) -> list[type]:
    """The smaller protocols of an interface's module, by which the core asks what a plugin has beside."""
    found = vars(sys.modules[interface.__module__]).values()
    asked = [one for one in found if getattr(one, "_is_runtime_protocol", False) and one.__module__ == interface.__module__]
    return [one for one in asked if one is not interface]


def _interface(interface: type) -> str:
    text = [f"`{interface.__module__}.{interface.__name__}`: {inspect.getdoc(interface)}\n"]
    fields = getattr(interface, "model_fields", {})
    if fields:
        needed = ", ".join(f"{name}=..." for name, field in fields.items() if field.is_required())
        text.append(f"A pydantic model, which takes keywords only: `{interface.__name__}({needed})`.\n")
    for name in fields or interface.__annotations__:
        text.append(f"- `{_field(interface, name)}`" + _told(fields.get(name)))
    for name, method in vars(interface).items():
        if name in interface.__annotations__ or (name.startswith("_") and name not in ("__call__", "__getitem__")):
            continue
        if isinstance(method, property):
            text.append(f"- `{name}: {_plain(inspect.signature(method.fget).return_annotation)}`" + _told(method))
        if isinstance(method, classmethod) or inspect.isfunction(method):
            whole = method.__func__ if isinstance(method, classmethod) else method
            signature = re.sub(r"\((self|cls)(, )?", "(", _plain(inspect.signature(whole)))
            text.append(f"- `{name}{signature}`" + _told(whole))
    return "\n".join(text) + "\n"


def _field(owner: type, name: str) -> str:
    """A field with its type, and its default where that is a plain value."""
    default = vars(owner).get(name, ...)
    if name in getattr(owner, "model_fields", {}):
        owner = next(one for one in owner.__mro__ if name in vars(one).get("__annotations__", {}))
        default = owner.model_fields[name].default
    shown = f" = {default!r}" if default is None or isinstance(default, str | int | float | tuple) else ""
    return f"{name}: {owner.__annotations__[name]}{shown}"


def _plain(what: object) -> str:
    """Without the quotes around its types."""
    return re.sub(r"'([^']*)'", lambda found: found[1] or "''", str(what))


def _told(what: object) -> str:
    """The description of a field, or a docstring, in one line."""
    text = getattr(what, "description", None) or (inspect.getdoc(what) if inspect.isfunction(what) or isinstance(what, property) else None)
    return f": {' '.join(text.split())}" if text else ""


def types() -> str:
    """What an author builds and gets, one after another."""
    from autoft.catalog import KINDS, a
    from autoft.data.table import Table
    from autoft.interfaces import encoder, events, exporter, model, problem, source, space, task, tuner

    parts = {
        "Rows": ("What readers give and everything else takes.", [Table]),
        "The problem": ("What a task makes of a file.", [task.Match, problem.Problem, problem.Head, problem.Metric, task.Decoder]),
        "Encodings": (
            "What stands between rows and graphs, in training and in production.",
            [encoder.Encoding, encoder.Encoded, encoder.Tensor, encoder.EncoderSpec],
        ),
        "Models": (
            "What a model is asked with, and what it gives.",
            [model.Limits, model.Candidate, model.TrialSpec, model.FitData, model.Report, model.Fitted, model.Program, model.Part],
        ),
        "Search spaces": (
            "The four kinds of parameter, and the space they make.",
            [space.Space, space.Choice, space.Integer, space.Uniform, space.LogUniform],
        ),
        "Sources": ("Pretrained weights.", [source.Source, source.SourceCard, source.Wheel]),
        "Formats": ("What an exporter gives.", [exporter.Exported, exporter.Session]),
        "Searches": ("What a tuner is asked with.", [tuner.SearchRequest, tuner.PluginFile]),
        "Events": (
            "What a tuner tells, and what hooks and trackers hear.",
            [one for one in vars(events).values() if isinstance(one, type) and "event" in getattr(one, "model_fields", {})],
        ),
    }
    given = {"model": [model.Evidence, model.Trimmed]}
    for kind, interface in KINDS.items():
        one, beside = kind[:-1], _beside(interface)
        if beside:
            what = f"Members that {a(one)}, or what it gives, may have: where they are there, the core uses them."
            parts[f"Beside {a(one)}"] = (what, [*beside, *given.get(one, [])])
    head = (
        "# Types\n\nWhat the methods of a plugin take and return, beside the interfaces themselves, which stand on the pages of the "
        "[hooks](hooks/README.md). `Arrays` is `dict[str, numpy.ndarray]`, `Rows` are row numbers, int64 (n,). What "
        "is said to be a pydantic model takes its fields by keyword alone; all others take them in order, too. Events have "
        "[a schema](../schemas/events.json) as well.\n"
    )
    text = [GENERATED, head]
    for name, (what, shown) in parts.items():
        text.append(f"## {name}\n\n{what}\n")
        text += [f"### {one.__name__}\n\n{_interface(one)}" for one in shown]
    return "\n".join(text)


def schemas() -> dict[str, str]:
    from autoft.benching.figures import Measurements
    from autoft.interfaces.events import EVENTS
    from autoft.interfaces.result import Result, Unfinished
    from autoft.runtime.bundle import Manifest

    found = {
        "result": TypeAdapter(Result | Unfinished).json_schema(by_alias=True),
        "events": EVENTS.json_schema(),
        "autoft": Manifest.model_json_schema(by_alias=True),
        "bench": Measurements.model_json_schema(by_alias=True),
    }
    return {f"schemas/{name}.json": json.dumps(schema, indent=2) + "\n" for name, schema in found.items()}


def pictures() -> dict[str, str]:
    from pictures.course import course
    from pictures.stages import stages

    return {"pictures/stages.svg": stages(), "pictures/course.svg": course()}


def main() -> int:
    pages = {"commands.md": commands(), "settings.md": settings(), "plugins/types.md": types(), **hooks(), **schemas(), **pictures()}
    stale = [name for name, text in pages.items() if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text]
    left = [path.relative_to(DOCS).as_posix() for path in (DOCS / "plugins" / "hooks").glob("*.md")]
    gone = [name for name in left if name not in pages]
    if "--check" in sys.argv:
        for name in stale:
            sys.stderr.write(f"docs/{name} is not in step with the code: run `make docs`\n")
        for name in gone:
            sys.stderr.write(f"docs/{name} is of a hook that is not there: run `make docs`\n")
        return 1 if stale or gone else 0
    for name in gone:
        (DOCS / name).unlink()
    for name in stale:
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(pages[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
