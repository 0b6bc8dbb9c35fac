"""`autoft runs` and `autoft runs show RUN`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from autoft.interfaces.events import TrialFinished
    from autoft.store import RunRecord, Store, TrialRecord


@click.group("runs", invoke_without_command=True)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="The newest N runs.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one list.")
@click.option("--database", metavar="URL", help="The database of runs.  [default: AUTOFT_DATABASE, or SQLite in your data folder]")
@click.pass_context
def command(context: click.Context, limit: int, as_json: bool, database: str | None) -> None:
    """List past runs, the newest first.

    A run that was killed is shown as aborted.
    """
    context.obj = {"database": database, "json": as_json}
    if context.invoked_subcommand is not None:
        return
    from autoft.store import Store

    store = Store(database)
    records = store.runs(limit)
    if as_json:
        _echo_json([record.model_dump(mode="json") for record in records])
    elif not records:
        click.echo(f"No runs yet in {store.shown_url}. Start one: autoft run data.csv")
    else:
        from autoft.console import show_runs

        show_runs([_row(record) for record in records])


@command.command("show")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object with the run, its trials and its files.")
@click.pass_context
def show(context: click.Context, run: str, as_json: bool) -> None:
    """Show one run: its leaderboard, its verdict, and where its files are.

    RUN is an id, a unique prefix of one, `last`, or the output folder.
    """
    from autoft.store import Store

    store = Store(context.obj["database"])
    record = store.find_run(run)
    if as_json or context.obj["json"]:
        content: dict[str, Any] = {"run": record.model_dump(mode="json")}
        content["trials"] = [trial.model_dump(mode="json") for trial in store.trials(record.id)]
        content["artifacts"] = [artifact.model_dump(mode="json") for artifact in store.artifacts(record.id)]
        _echo_json(content)
        return
    _show(store, record)


def _show(store: Store, record: RunRecord) -> None:
    from autoft.console import show_leaderboard
    from autoft.interfaces.problem import Metric
    from autoft.leaderboard import Leaderboard
    from autoft.progress import duration, plain

    seconds = f" in {duration(record.seconds)}" if record.seconds is not None else ""
    click.echo(
        f"Run {plain(record.id)}: {record.status}{seconds}, {plain(record.task)} on {plain(record.data)}, started {_when(record.created)}"
    )
    board = Leaderboard(Metric(name=record.metric, greater_is_better=record.greater_is_better))
    for trial in store.trials(record.id):
        board.add(_event(trial))
    show_leaderboard(board, record.metric, limit=50)
    if record.reason:
        click.echo(f"\nReason: {plain(record.reason)}")
    if record.verdict:
        click.echo(f"\nVerdict: {plain(record.verdict)}")
    for one in record.formats:
        lost = f", {one['loss']['points']:.2f} points of {one['loss']['metric']} lost by rounding" if one.get("loss") else ""
        click.echo(f"\nFormat: {plain(one['name'])}, {one['bytes'] / 1e6:.1f} MB{plain(lost)}")
    click.echo(f"\nFolder: {plain(record.folder)}")
    for artifact in store.artifacts(record.id):
        click.echo(f"  {plain(artifact.path):<34} {artifact.bytes:>12,} bytes  sha256 {artifact.sha256[:12]}")


def _event(trial: TrialRecord) -> TrialFinished:
    from autoft.interfaces.events import TrialFinished

    fields = trial.model_dump(include=set(TrialFinished.model_fields))
    fields["metrics"] = {name: value for name, value in trial.metrics.items() if value is not None}
    return TrialFinished(trial=trial.number, **fields)


def _row(record: RunRecord) -> dict[str, str]:
    from autoft.progress import duration, figure

    best = f"{record.best_candidate} {record.metric} {figure(record.best_value)}" if record.best_candidate else record.reason
    seconds = "" if record.seconds is None else duration(record.seconds)
    return {"run": record.id, "started": _when(record.created), "status": record.status, "time": seconds, "best": best}


def _when(moment: float) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M")


def _echo_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, indent=2))
