"""Write what follows from the code: commands, settings, hooks, JSON Schemas, pictures. `--check` only compares."""

from __future__ import annotations

import inspect
import json
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


def hooks() -> str:
    from autoft.hookspecs import Hooks

    text = [GENERATED, "# Hooks\n\nEvery hook, with when and where it is called.\n"]
    for name, hook in vars(Hooks).items():
        if name.startswith("autoft_"):
            text.append(f"## {name}\n\n```text\n{inspect.getdoc(hook)}\n```\n")
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
    pages = {"commands.md": commands(), "settings.md": settings(), "hooks.md": hooks(), **schemas(), **pictures()}
    stale = [name for name, text in pages.items() if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for name in stale:
            sys.stderr.write(f"docs/{name} is not in step with the code: run `make docs`\n")
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(pages[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
