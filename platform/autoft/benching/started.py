"""The process whose start is measured: it opens a bundle and answers, as `autoft predict` does.

It reads a line {"bundle", "plugins", "exporter", "threads", "rows", "load"} and answers the first row, then, with `load`, all of them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from autoft.benching.lines import answer, answering, resident


def main() -> None:
    """Says how long it took, then how much memory."""
    begun, bare = time.perf_counter(), resident()
    lines = answering()
    order = json.loads(sys.stdin.readline())
    from autoft.data.table import Table
    from autoft.loading import load_predictor

    predictor = load_predictor(
        Path(order["bundle"]),
        plugin_files=[Path(path) for path in order["plugins"]],
        threads=order["threads"],
        at_once=1,
        exporter=order["exporter"],
    )
    opened, held = time.perf_counter(), resident()
    rows = Table(order["rows"])
    predictor.answers(rows.take([0]))
    answer(lines, {"opening": opened - begun, "answering": time.perf_counter() - opened})
    if order["load"]:
        predictor.answers(rows)
        loaded = resident()
        known = {} if bare is None or held is None or loaded is None else {
            "started": bare[0], "opened": held[0], "answered": loaded[0], "peak": loaded[1], "rows": len(rows),
        }  # fmt: skip
        answer(lines, known)


if __name__ == "__main__":
    main()
