"""LitServe around tokenizer and onnxruntime: `python lit_server.py FOLDER GRAPH PORT WORKERS`. One text a request, one thread a worker."""

from __future__ import annotations

import sys

import litserve
from graph import Graph

FOLDER, GRAPH, PORT, WORKERS = sys.argv[1:5]


class Classify(litserve.LitAPI):
    def setup(self, _device):
        self.graph = Graph(FOLDER, GRAPH)

    def decode_request(self, request):
        return request["text"]

    def predict(self, text):
        return self.graph.answer(text)

    def encode_response(self, answer):
        return answer


if __name__ == "__main__":
    server = litserve.LitServer(Classify(), accelerator="cpu", workers_per_device=int(WORKERS))
    server.run(host="127.0.0.1", port=int(PORT), log_level="warning", generate_client_file=False)
