"""Flags that are environment variables for the time of a command, so that workers and other children of it hear of them."""

from __future__ import annotations

import click

from autoft.environment import environment

trace_option = click.option(
    "--trace", is_flag=True, help="Show on standard error the calls into plugins: when, which hook or method, whose, and how long it took."
)
no_plugins_option = click.option("--no-plugins", is_flag=True, help="Load nothing but what is built in.")


def while_it_runs(context: click.Context, *, no_plugins: bool, trace: bool) -> None:
    """What these flags stand for, until `context` is closed, which is after its subcommands."""
    given = {**({"AUTOFT_PLUGINS": "none"} if no_plugins else {}), **({"AUTOFT_TRACE": "1"} if trace else {})}
    context.with_resource(environment(given))
