"""Threads of onnxruntime that spin while they wait for work, which is its default, or sleep: what either costs a server.

    PYTHONPATH=benchmarks python -m serving.spinning BUNDLE --texts FILE [--seconds 20] [--clients 32] [--rounds 3]

`autoft serve BUNDLE` with one session of all processors, and with a session of one thread a processor, where a graph has no threads
that could wait; each with threads that spin and with threads that sleep, in turn, in another order every other round. Measured are the
milliseconds of one client (p50, p99), requests a second of `--clients` clients, and the seconds of processor that the server took for
each second while nothing was asked and while that one client asked. Nothing else may run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from common import code, read
from common import once as measured_once

from serving.load import SETTLE, latencies, throughput
from serving.systems import Server, free_port

FIGURES = Path(__file__).with_name("spinning.jsonl")
ASLEEP = str(Path(__file__).with_name("waiting_asleep.py"))
IDLE = 5.0
"""Seconds in which nothing is asked."""


def main() -> None:
    """Measure what has not been measured of this commit, and print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", default="product_reviews", help="a data set of BENCH_DATA, whose test texts are asked about")
    parser.add_argument("--texts", type=Path, help="a file of texts, a line each, instead")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=FIGURES)
    options = parser.parse_args()
    texts = options.texts.read_text(encoding="utf-8").splitlines() if options.texts else read(f"{options.data}.test.csv")[0]
    cores = len(os.sched_getaffinity(0))
    systems = [(waits, sessions, cores // sessions) for sessions in dict.fromkeys((1, cores)) for waits in ("spinning", "asleep")]
    for turn in range(options.rounds):
        for waits, sessions, threads in systems if turn % 2 == 0 else systems[::-1]:
            key = {"waits": waits, "sessions": sessions, "threads": threads, "turn": turn, "clients": options.clients}
            key |= {"data": str(options.texts or options.data), "seconds": options.seconds, "code": code(), "cores": cores}

            def measure(waits: str = waits, sessions: int = sessions, threads: int = threads) -> dict[str, Any]:
                return figures(server(options.bundle, waits, sessions, threads), texts, options)

            found = measured_once(options.output, key, measure)
            shown = ", ".join(f"{name} {value:.2f}" for name, value in found.items() if isinstance(value, float) and name != "seconds")
            sys.stdout.write(f"{waits}, {sessions} x {threads} threads ({turn}): {shown}\n")
            sys.stdout.flush()


def server(bundle: Path, waits: str, sessions: int, threads: int) -> Server:
    """`autoft serve`, its threads waiting so."""
    port = free_port()
    begin = [sys.executable, "-m", "autoft"] if waits == "spinning" else [sys.executable, ASLEEP]
    settings = ["--sessions", str(sessions), "--threads", str(threads), "--port", str(port)]
    return Server([*begin, "serve", str(bundle), *settings], port, limits=True)


def figures(one: Server, texts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Of one server."""
    with one:
        latencies(one, texts, clients=1, seconds=1.0)  # the first ones are slower
        begun = one.processor_seconds()
        time.sleep(IDLE)
        idle = (one.processor_seconds() - begun) / IDLE
        begun = one.processor_seconds()
        alone = latencies(one, texts, clients=1, seconds=options.seconds)
        busy = (one.processor_seconds() - begun) / (SETTLE + options.seconds)
        highest = throughput(one, texts, clients=options.clients, seconds=options.seconds)
    return {
        "one_client_p50_ms": alone["p50_ms"],
        "one_client_p99_ms": alone["p99_ms"],
        "requests_per_second": highest["requests_per_second"],
        "processors_idle": idle,
        "processors_one_client": busy,
        "errors": highest["errors"],
    }


if __name__ == "__main__":
    main()
