"""`autoft resume`."""

from __future__ import annotations

import click


@click.command("resume")
@click.argument("run")
@click.option("--budget", metavar="TIME", help="Wall time from this command to the result.  [default: what is left of the run's own]")
@click.option("--ray-address", metavar="ADDRESS", help="The Ray cluster that searches; local: this machine.  [default: the run's own]")
@click.option("--database", metavar="URL", help="The database of runs.  [default: the run's own]")
@click.option("--offline", is_flag=True, help="Fetch nothing.  [default: as in the run]")
@click.option("--json", "as_json", is_flag=True, help="Standard output holds result.json and nothing else.")
@click.option("-v", "--verbose", is_flag=True, help="Show what Ray, transformers and Python warnings say.")
def command(
    run: str, budget: str | None, ray_address: str | None, database: str | None, offline: bool, as_json: bool, verbose: bool
) -> int:
    """Go on with RUN, which was killed, aborted or failed, and leave what `autoft run` leaves.

    RUN is an id, a unique prefix of one, `last`, or the output folder. Trials that had ended stand as they are; those that had not begin
    again. The data, the pretrained weights and the --plugin files must be what they were.
    """
    from autoft.api import resume
    from autoft.cli.run import process_start
    from autoft.console import Screen

    with Screen(verbose=verbose, json=as_json) as screen:
        done = resume(
            run,
            budget=budget,
            ray_address=ray_address,
            database=database,
            offline=offline or None,
            verbose=verbose or None,
            started=process_start(),
            listeners=[screen.event],
        )
    screen.show_result(done.result, done.leaderboard)
    return 0
