"""Servers under load: `autoft serve`, and what it is held against, on one machine in one run.

    PYTHONPATH=benchmarks python -m serving BUNDLE --model RUN/model --data product_reviews [--seconds 20] [--clients 32]

BUNDLE holds the formats onnx and onnx-int8 of one model (`autoft export RUN --to onnx,onnx-int8`), RUN/model is that model in its own
library's format. Measured are, each in processes of its own and the systems in turn:

| system | what it is |
|---|---|
| autoft onnx, autoft onnx-int8 | `autoft serve BUNDLE --format ...`, with the bundle's advice if it has one |
| bare onnx, bare onnx-int8 | no server: tokenizer and onnxruntime alone, a text at a time, as many threads as processors; the limit |
| autoft onnx, quickest | the same with all processors for one batch, `--sessions 1 --threads` all: for the latency of one client |
| litserve, bentoml, infinity | the same tokenizer and graph in these servers, in environments of their own |
| snippet | FastAPI around transformers' pipeline in PyTorch, as tutorials have it, with its default threads |

Rows go to benchmarks/serving/figures.jsonl, with the commit; what is there already for the commit is not measured again. Nothing else may
run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from common import code, read
from common import once as measured_once

from serving.load import flood, latencies, throughput
from serving.systems import Server, autoft_server, bare, bentoml, graph_of, infinity, litserve, snippet

FIGURES = Path(__file__).with_name("figures.jsonl")
FORMATS = ("onnx", "onnx-int8")
SHARE = 0.7
"""Of the highest load, for the latency under load."""


def main() -> None:
    """Measure what has not been measured of this commit, and print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--model", type=Path, help="the same model in its own library's format; without it the snippet is left out")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave litserve, bentoml and infinity out")
    parser.add_argument("--data", default="product_reviews", help="a data set of BENCH_DATA, whose test texts are asked about")
    parser.add_argument("--texts", type=Path, help="a file of texts, a line each, instead")
    parser.add_argument("--formats", nargs="+", default=list(FORMATS))
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--flood", type=float, default=60.0, help="seconds of the flood, which is in the first round; 0 for none")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--connections", type=int, default=320, help="of the flood")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=FIGURES)
    options = parser.parse_args()
    texts = options.texts.read_text(encoding="utf-8").splitlines() if options.texts else read(f"{options.data}.test.csv")[0]
    starts = {f"autoft {name}": lambda name=name: autoft_server(options.bundle, name) for name in options.formats}
    starts |= {f"autoft {name}, quickest": lambda name=name: autoft_server(options.bundle, name, lone=True) for name in options.formats}
    graphs = {name: graph_of(options.bundle, name) for name in options.formats}
    for peer in (litserve, bentoml, infinity) if options.peers else ():
        starts |= {f"{peer.__name__} {name}": lambda peer=peer, graph=graph: peer(options.bundle, graph) for name, graph in graphs.items()}
    if options.model:
        starts["snippet"] = lambda: snippet(options.model)
    for turn in range(options.rounds):
        for name in options.formats:
            found = once(options, f"bare {name}", turn, lambda name=name: bare(options.bundle, name, texts, options.seconds))
            show(f"bare {name}", turn, found)
        for system, start in starts.items():
            found = once(options, system, turn, lambda start=start, turn=turn: serve(start(), texts, options, flooded=not turn))
            show(system, turn, found)


def once(options: argparse.Namespace, system: str, turn: int, measure: Any) -> dict[str, Any]:
    """The row of this system and turn of this commit."""
    key = {
        "system": system,
        "turn": turn,
        "data": str(options.texts or options.data),
        "clients": options.clients,
        "seconds": options.seconds,
    }
    return measured_once(options.output, key | {"code": code(), "cores": len(os.sched_getaffinity(0))}, measure)


def serve(server: Server, texts: list[str], options: argparse.Namespace, *, flooded: bool) -> dict[str, Any]:
    """All figures of one server, in this order: alone, under the highest load, at a share of it, and, of autoft's, under a flood."""
    with server:
        figures: dict[str, Any] = {"ready_seconds": server.ready_seconds, "started_mb": server.resident_mb()}
        alone = latencies(server, texts, clients=1, seconds=options.seconds)
        figures |= {"one_client_p50_ms": alone["p50_ms"], "one_client_p99_ms": alone["p99_ms"]}
        highest = throughput(server, texts, clients=options.clients, seconds=options.seconds)
        figures |= {"requests_per_second": highest["requests_per_second"], "errors": highest["errors"]}
        rate = SHARE * highest["requests_per_second"]
        under = latencies(server, texts, clients=options.clients, seconds=options.seconds, rate=rate)
        figures |= {"load_p50_ms": under["p50_ms"], "load_p99_ms": under["p99_ms"], "load_rate": rate, "load_errors": under["errors"]}
        figures["loaded_mb"] = server.resident_mb()
        if server.limits and options.flood and flooded:
            figures |= flood(server, texts, connections=options.connections, seconds=options.flood, calm_ms=alone["p99_ms"])
    return figures


def show(system: str, turn: int, figures: dict[str, Any]) -> None:
    """One line a system."""
    shown = {
        name: f"{value:.2f}" if isinstance(value, float) else value for name, value in figures.items() if name not in ("system", "turn")
    }
    sys.stdout.write(f"{system} ({turn}): " + ", ".join(f"{name} {value}" for name, value in shown.items()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
