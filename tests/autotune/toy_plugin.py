"""A task and models over numbers that fit at once: what the search does with trials, without what trials cost."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

import autoft
from autoft.interfaces.space import Choice, Integer, LogUniform, Space, Uniform
from autoft.interfaces.task import Decoder


class Rest:
    """Whatever else the interfaces ask for; a search calls none of it."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self._unused

    def _unused(self, *args, **kwargs):
        raise NotImplementedError


class ToyTask(Rest):
    name = "toy"
    summary = "numbers"

    def fit_decoder(self, problem, outputs, targets):
        return Decoder()

    def decide(self, problem, decoder, outputs):
        return outputs["logits"][:, 0]

    def score(self, problem, targets, decisions):
        return {"accuracy": float(decisions[0])}


class Base(Rest):
    summary = "toy"

    def space(self, candidate, problem, rows):
        parameters = {"rate": LogUniform(1e-3, 1.0), "depth": Integer(1, 4), "kind": Choice(("a", "b")), "drop": Uniform(0.0, 0.5)}
        return Space(parameters, {"rate": 0.1, "depth": 2, "kind": "a", "drop": 0.1})

    def save(self, folder):
        (folder / "weights.json").write_text(json.dumps({"pid": os.getpid()}))

    def reports(self, spec, report, values, pause=0.0):
        for index, value in enumerate(values):
            ends = time.monotonic() + pause
            while time.monotonic() < ends:
                if report.stop_requested():
                    return self
                time.sleep(0.01)
            outputs = {"logits": np.full((2, 1), value)}
            measures = {"pid": float(os.getpid()), "gpus": spec.gpus, "threads": float(spec.threads), "nice": float(os.nice(0))}
            measures["flops_per_second"] = 1.0
            measures["torch_threads"] = float(sys.modules["torch"].get_num_threads() if "torch" in sys.modules else 0)
            if report((index + 1) / len(values), outputs, self.save, **measures) == "stop":
                return self
        return self


class Quick(Base):
    """The score is a function of the hyperparameters alone; it rises with the reports."""

    name = "quick"

    def fit(self, spec, data, report):
        h = spec.hyperparameters
        best = 1 - abs(np.log10(h["rate"]) + 1.5) / 3 - 0.05 * (h["kind"] == "b") - 0.2 * h["drop"]
        return self.reports(spec, report, [best * share for share in (0.4, 0.7, 0.9, 1.0)])


class Slow(Quick):
    """Ten reports, 0.15 s each."""

    name = "slow"

    def fit(self, spec, data, report):
        return self.reports(spec, report, np.linspace(0.1, 0.6, 10), pause=0.15)


class Deaf(Base):
    """Hears no stop."""

    name = "deaf"

    def fit(self, spec, data, report):
        self.reports(spec, report, [0.3])
        time.sleep(60)
        return self


class Hangs(Base):
    """The first point says something once, then nothing for ever, whatever it is asked."""

    name = "hangs"

    def fit(self, spec, data, report):
        self.reports(spec, report, [0.1, 0.2] if spec.hyperparameters["rate"] == 0.1 else [0.3, 0.4])
        while spec.hyperparameters["rate"] == 0.1:
            time.sleep(1)
        return self


class Lingers(Base):
    """The third and later trials are worse than the first two, and do not return when they are stopped for it."""

    name = "lingers"

    def fit(self, spec, data, report):
        import autoft_autotune.trainable as worker

        worker.END_SECONDS = 0.5
        bad = spec.number > 2
        report(0.2, {"logits": np.full((2, 1), 0.1 if bad else 0.9)}, self.save, pid=float(os.getpid()))
        while bad:
            time.sleep(1)
        return self.reports(spec, report, [0.9])


class Greedy(Base):
    """Half of the batches are too large: for a process that says so, or for the kernel, which ends the worker."""

    name = "greedy"

    def space(self, candidate, problem, rows):
        return Space({"rate": LogUniform(1e-3, 1.0), "batch_size": Choice((4, 8, 16, 32))}, {"rate": 0.1, "batch_size": 32})

    def fit(self, spec, data, report):
        if spec.hyperparameters["batch_size"] == 32:
            raise MemoryError("no room for a batch of 32")
        if spec.hyperparameters["batch_size"] == 16:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes")
        return self.reports(spec, report, [0.3, 0.4])


class Raises(Base):
    name = "raises"

    def fit(self, spec, data, report):
        raise ValueError(f"no depth {spec.hyperparameters['depth']}")


class Dies(Base):
    """The first point takes its worker along, others do not."""

    name = "dies"

    def fit(self, spec, data, report):
        if spec.hyperparameters["rate"] == 0.1:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.reports(spec, report, [0.1, 0.2])


class Diverges(Base):
    name = "diverges"

    def fit(self, spec, data, report):
        return self.reports(spec, report, [float("nan"), float("nan")])


class Chatty(Base):
    """Says things on both streams."""

    name = "chatty"

    def fit(self, spec, data, report):
        import sys
        import warnings

        print("a model speaks")  # noqa: T201
        print("a model complains", file=sys.stderr)  # noqa: T201
        warnings.warn("a model warns", stacklevel=1)
        return self.reports(spec, report, [0.5])


class Reads(Quick):
    """Learns from the files of a source, and says whether it sees the folder of the driver."""

    name = "reads"

    def fit(self, spec, data, report):
        source = spec.candidate.source
        weights = (source.folder / "model.safetensors").read_bytes()
        seen = float(Path(data.problem.extra["driver"]).exists())
        data.cache.mkdir(exist_ok=True)
        (data.cache / "shared").write_text("by the trials of a node")
        self.save = lambda folder: (folder / "model.safetensors").write_bytes(weights)
        for progress in (0.5, 1.0):
            time.sleep(1.5)  # so that the other node comes up as well
            outputs = {"logits": np.full((2, 1), progress)}
            report(progress, outputs, self.save, seen=seen, size=float(len(weights)), clock=time.time())
        return self


@autoft.hookimpl
def autoft_register_tasks():
    return [ToyTask()]


@autoft.hookimpl
def autoft_register_models():
    return [Quick(), Slow(), Deaf(), Hangs(), Lingers(), Greedy(), Raises(), Dies(), Diverges(), Chatty(), Reads()]
