"""The process that holds the fitted model in its own library: it answers the rows that the bundle answers, with the bundle's decoder.

It reads a line {"bundle", "plugins", "model", "name", "few", "many"}, says which torch it has, or why there is nothing to measure, and then
for each line {"what", "seconds"} how long its calls took: `few` rows one by one, or `many` at a time.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autoft.benching.lines import answer, answering


def main() -> None:
    """Ends with its standard input."""
    lines = answering()
    warnings.simplefilter("ignore")
    os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_OFFLINE="1")
    order = json.loads(sys.stdin.readline())
    calls = _calls(order)
    for call in calls.values():
        call()
    torch = sys.modules.get("torch")
    answer(lines, {"torch": torch.__version__ if torch else None})
    from autoft.benching.turns import Calls

    for line in sys.stdin:
        asked = json.loads(line)
        call = calls[asked["what"]]
        answer(lines, {"seconds": Calls(call, calls["few"]).turn(asked["seconds"])})


def _calls(order: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    from autoft.catalog import Catalog
    from autoft.data.table import Table
    from autoft.plugins import read_plugin_file
    from autoft.runtime.bundle import open_bundle

    bundle = open_bundle(Path(order["bundle"]))
    catalog = Catalog.build([read_plugin_file(Path(path)) for path in order["plugins"]], kinds=("tasks", "models", "encoders"))
    task, problem, decoder = catalog.task(bundle.problem.task), bundle.problem, bundle.decoder()
    model = catalog.model(order["name"]).load(Path(order["model"]))
    few, many = Table(order["few"]), Table(order["many"])
    one = itertools.cycle([few.take([row]) for row in range(len(few))])

    def answers(rows: Table) -> object:
        return task.decode(problem, decoder, model.outputs(rows), rows)

    return {"few": lambda: answers(next(one)), "many": lambda: answers(many)}


if __name__ == "__main__":
    main()
