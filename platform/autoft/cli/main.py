"""The `autoft` group. Commands load when they are called: `autoft --help` imports click and nothing else."""

from __future__ import annotations

import atexit
import gc
import sys
from importlib import import_module

import click

from autoft.cli.variables import no_plugins_option, trace_option, while_it_runs
from autoft.errors import AutoftError
from autoft.version import __version__

COMMANDS = {
    "run": "Learn from a file of labelled data and leave a proven bundle.",
    "resume": "Go on with a run that was cut off.",
    "check": "Show what a run would make of a file, and stop.",
    "predict": "Answer with a bundle: texts, or a whole file.",
    "serve": "Serve a bundle over HTTP.",
    "bench": "Measure how fast a bundle answers here, and how it is served best.",
    "export": "Write a run's model in further formats, each proved, or arrange it for a place to run.",
    "runs": "List past runs, or show one.",
    "models": "Show pretrained models, and fetch them.",
    "examples": "List example data, and write it as plain files.",
    "plugins": "Show every plugin, what it gives and what failed to load.",
}


class _Lazy(click.Group):
    """A group that knows its commands by name and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"autoft.cli.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="autoft")
@no_plugins_option
@trace_option
@click.pass_context
def group(context: click.Context, no_plugins: bool, trace: bool) -> None:
    """Fine-tune, search, prove and serve: from a labelled file to a model in production.

    Start with: autoft run data.csv
    """
    while_it_runs(context, no_plugins=no_plugins, trace=trace)


_SHOWING = {"-v", "--verbose", "--trace"}
"""With one of these the traceback of a plugin's error is shown, too."""


def _tell(error: Exception) -> None:
    """What a plugin raised is a line that names the plugin; anything else is a bug of ours. Raises what is none of a plugin."""
    from autoft.faults import plugin_fault

    fault = plugin_fault(error)
    if fault is None:
        raise error
    import os
    import traceback

    from autoft.guard import tracing

    if _SHOWING & {*sys.argv} or os.environ.get("AUTOFT_DEBUG") or tracing():
        traceback.print_exception(error)
    from autoft.console import show_error

    show_error(fault)


def main() -> None:
    """The console script. An AutoftError is shown as its message and hint; its exit code is the command's."""
    # What there is at the end goes with the process: without this the collector goes through all of it first, for seconds after a run.
    atexit.register(gc.freeze)
    try:
        status = group.main(standalone_mode=False)
    except AutoftError as error:
        from autoft.console import show_error

        show_error(error)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Aborted.", err=True)
        # Where it passed through text that was being executed, as a dataclass is made of, the interpreter would end `python -m autoft`
        # by the signal whatever the status (CPython, Python/pythonrun.c, run_eval_code_obj): it forgets that with the next text.
        exec("")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        _tell(error)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
