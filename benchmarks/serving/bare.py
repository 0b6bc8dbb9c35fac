"""The limit: a text is tokenised and goes through the graph, with nothing before or behind it but a softmax. Reads an order from standard
input, writes figures to standard output.

One text at a time with all processors for the graph gives the latency; a thread a processor, each with texts one by one and one thread in
the graph, gives the throughput.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer


def main() -> None:
    """Measure, and write."""
    order = json.load(sys.stdin)
    bundle, texts, seconds = Path(order["bundle"]), order["texts"], order["seconds"]
    manifest = json.loads((bundle / "autoft.json").read_text())
    formats = manifest.get("formats") or {}
    files = formats[order["format"]]["files"] if formats else ["onnx/model.onnx"]
    graph = bundle / next(name for name in files if name.endswith(".onnx"))
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    tokenizer.no_padding()
    cores = len(os.sched_getaffinity(0))

    alone = opened(graph, cores)
    times = []
    end = time.perf_counter() + seconds
    place = 0
    while time.perf_counter() < end or place < 10:
        started = time.perf_counter()
        answer(alone, tokenizer, texts[place % len(texts)])
        times.append(time.perf_counter() - started)
        place += 1

    session, counts = opened(graph, 1), [0] * cores
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end:
            answer(session, tokenizer, texts[(number + counts[number] * cores) % len(texts)])
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(cores)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - started
    quantiles = np.percentile(np.array(times) * 1000, [50, 99])
    figures = {"one_client_p50_ms": quantiles[0], "one_client_p99_ms": quantiles[1], "requests_per_second": sum(counts) / taken}
    json.dump(figures, sys.stdout)


def opened(graph: Path, threads: int) -> ort.InferenceSession:
    """The graph, with so many threads for one run."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def answer(session: ort.InferenceSession, tokenizer: Tokenizer, text: str) -> np.ndarray:
    """Probabilities."""
    tokens = tokenizer.encode(text)
    given = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
    feed = {one.name: np.array([given[one.name]], np.int64) for one in session.get_inputs()}
    logits = session.run(None, feed)[0][0]
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


if __name__ == "__main__":
    main()
