"""BentoML around tokenizer and onnxruntime: `bentoml serve bento_service:Classify`, with the variables FOLDER, GRAPH and WORKERS. One text
a request, one thread a worker."""

from __future__ import annotations

import os

import bentoml
from graph import Graph


@bentoml.service(workers=int(os.environ["WORKERS"]))
class Classify:
    def __init__(self) -> None:
        self.graph = Graph(os.environ["FOLDER"], os.environ["GRAPH"])

    @bentoml.api
    def predict(self, text: str) -> dict[str, float]:
        return self.graph.answer(text)
