"""`autoft run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autoft.cli.options import data_options


@click.command("run")
@click.argument("data", type=click.Path())
@click.option("--output", type=click.Path(path_type=Path), help="Folder for all that the run leaves.  [default: runs/<data>-<time>]")
@click.option("--budget", metavar="TIME", help="Wall time from the command to the result: 90s, 5m, 1h30m.  [default: ten minutes or less]")
@click.option(
    "--trials", type=int, metavar="N", help="Number of trials besides the baselines; without --budget no choice depends on the clock."
)
@click.option("--gpu-hours", type=float, metavar="H", help="Most GPU time, summed over the trials.")
@click.option("--concurrency", type=int, metavar="N", help="Trials side by side.  [default: by cores, memory and GPUs]")
@click.option(
    "--hang-after", metavar="TIME", help="Silence after which a trial is ended.  [default: ten times what one is expected to take]"
)
@click.option("--like", metavar="RUN", help="An earlier run on like data (autoft runs): what was best there is tried first.")
@click.option(
    "--models", metavar="NAMES", multiple=True, help="Models, sources or candidates, by comma: full:all-MiniLM-L6-v2,linear,./my-bert."
)
@click.option(
    "--named-only",
    is_flag=True,
    default=None,
    help="Serve the best of what --models names, also where the baseline, which is not named, scores higher; the verdict says so.",
)
@click.option("--licences", metavar="NAMES", multiple=True, help="Try only sources under one of these licences: apache-2.0,mit.")
@data_options
@click.option(
    "--tracker", "trackers", metavar="NAME", multiple=True, help="Copy the events: jsonl, mlflow, tensorboard, wandb, or a plugin's."
)
@click.option("--tuner", metavar="NAME", help="The tuner plugin.  [default: ray]")
@click.option(
    "--ray-address", metavar="ADDRESS", help="Search on this Ray cluster: HOST:PORT of its head, or auto.  [default: this machine]"
)
@click.option("--exporter", metavar="NAME", help="The format of the bundle.  [default: onnx]")
@click.option("--max-latency", metavar="TIME", help="Take the best model that answers one row in this time here (95 of 100 rows): 10ms.")
@click.option("--max-size", metavar="SIZE", help="Take the best model whose bundle is not larger: 50MB.")
@click.option("--max-loss", type=float, metavar="POINTS", help="What the rounding of a format may cost in the metric.  [default: 0.5]")
@click.option(
    "--distill",
    metavar="[SOURCE]",
    is_flag=False,
    flag_value="smallest",
    help="Behind DATA: let the winner teach a smaller model, which is served: the smallest source at hand, SOURCE, or layers=N of its own.",
)
@click.option("--offline", is_flag=True, default=None, help="Fetch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Standard output holds result.json and nothing else.")
@click.option("-v", "--verbose", is_flag=True, default=None, help="Show what Ray, transformers and Python warnings say.")
def command(data: str, config: Path | None, as_json: bool, **flags: Any) -> int:
    """Learn from DATA: search, fine-tune, export, prove, and leave a bundle that serves.

    DATA is a CSV, TSV, JSON, JSON lines, CoNLL, Excel or Parquet file (.gz, .zip and .zst too), a folder saved by `datasets`, a folder
    of .txt files for each class, or - for standard input.
    Ctrl-C once finishes with the best model so far; twice leaves.
    """
    from autoft.api import execute
    from autoft.console import Screen
    from autoft.settings import Settings

    for several in ("models", "licences"):
        flags[several] = [name for group in flags[several] for name in group.split(",") if name]
    settings = Settings.collect({"data": data, **flags}, config)
    with Screen(verbose=settings.verbose, json=as_json) as screen:
        run = execute(settings, started=process_start(), listeners=[screen.event])
    screen.show_result(run.result, run.leaderboard)
    return 0


def process_start() -> float:
    """When this process began, on `time.time()`: the budget counts from the command, imports included."""
    import time

    try:
        import psutil

        created = float(psutil.Process().create_time())
    except ImportError:
        return time.time()
    # A clock that was set since the machine started must not eat the budget.
    return created if 0 <= time.time() - created < 60 else time.time()
