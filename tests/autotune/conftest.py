"""A search over toy models given as a one-file plugin, and one Ray instance for all tests."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.interfaces.model import Candidate, FitData
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.tuner import PluginFile, SearchRequest


class Toys:
    """Makes requests for the toy models and runs them."""

    def __init__(self, folder: Path) -> None:
        text = (Path(__file__).parent / "toy_plugin.py").read_text(encoding="utf-8")
        self.plugin = PluginFile("toy_plugin.py", hashlib.sha256(text.encode()).hexdigest(), text)
        self.problem = Problem(task="toy", fields={}, inputs=("x",), head=Head(kind="toy", outputs=1), metric=Metric(name="accuracy"))
        self.folder = folder
        self.catalog = Catalog.build([self.plugin])

    def request(self, *names: str, **changes: object) -> SearchRequest:
        rows = Table({"x": [1, 2, 3, 4]})
        data = FitData(self.problem, rows, np.arange(4), np.arange(2), np.arange(2, 4), self.folder / "cache")
        candidates = [Candidate(name) for name in names]
        request = SearchRequest(
            data=data,
            candidates=candidates,
            spaces={c.name: self.catalog.model(c.model).space(c, self.problem, 2) for c in candidates},
            named=frozenset(),
            folder=self.folder,
            plugin_files=(self.plugin,),
            seed=7,
            deadline=None,
            trials=None,
            gpu_hours=None,
            concurrency=None,
            stop_file=self.folder / "stop",
        )
        return replace(request, **changes)

    def search(self, *names: str, hear=lambda event: None, **changes: object) -> list:
        from autoft_autotune import RayTuner

        events: list = []

        def on_event(event):
            events.append(event)
            hear(event)

        RayTuner().search(self.request(*names, **changes), on_event)
        return events


@pytest.fixture
def toys(tmp_path):
    return Toys(tmp_path)


@pytest.fixture(scope="session")
def ray_instance():
    """Two logical GPUs on whatever machine this is; searches use it and leave it running."""
    import ray

    ray.init(num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", object_store_memory=128 * 2**20)
    yield
    ray.shutdown()
