"""A small vision transformer of transformers, from random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, EncoderSpec, Tensor
from autoft.interfaces.model import Candidate, FitData, Limits, Part, Program, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Choice, Integer, LogUniform, Parameter, Space
from autoft_digits.images import PixelEncoding, Pixels

AT_ONCE = 256


class VitFitted:
    """`module` is a ViTForImageClassification."""

    def __init__(self, problem: Problem, module: Any) -> None:
        self.problem, self.module = problem, module
        self.encoding = PixelEncoding(*_size(problem))

    def outputs(self, rows: Table) -> Arrays:
        import torch

        self.module.eval()
        pixels: Any = torch.from_numpy(self.encoding.encode(rows).arrays["pixel_values"])
        with torch.inference_mode():
            found = [self.module(pixel_values=some).logits.float().numpy() for some in pixels.split(AT_ONCE)] if len(rows) else []
        return {"logits": np.concatenate(found) if found else np.zeros((0, self.problem.head.outputs), np.float32)}

    def extra(self) -> Arrays:
        return {}

    def save(self, folder: Path) -> None:
        self.module.save_pretrained(folder)
        (folder / "problem.json").write_text(self.problem.model_dump_json(), encoding="utf-8")

    def program(self) -> Program:
        height, width = _size(self.problem)
        logits = Tensor("logits", "float32", ("batch", self.problem.head.outputs))
        example = {"pixel_values": np.zeros((2, 1, height, width), np.float32)}
        part = Part("model", self.module.eval(), self.encoding.inputs, (logits,), example)
        spec = EncoderSpec(Pixels.name, {"height": height, "width": width})
        return Program((part,), spec, {**self.module.config.to_diff_dict(), "architectures": ["ViTForImageClassification"]})


class VisionTransformer:
    """The plugin. Patches of a quarter of the image's side; AdamW with a cosine schedule."""

    name = "vit"
    summary = "a small vision transformer, from random weights"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        if problem.task != "image-classification" or min(_size(problem)) < 4:
            return []
        return [Candidate(self.name, reason="small enough to learn from nothing")]

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:
        return []

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:
        parameters: dict[str, Parameter] = {
            "learning_rate": LogUniform(3e-4, 1e-2),
            "epochs": Integer(4, 30),
            "batch_size": Choice((32, 64, 128)),
        }
        return Space(parameters, {"learning_rate": 3e-3, "epochs": 12, "batch_size": 64})

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> VitFitted:
        import torch

        chosen, train = spec.hyperparameters, data.rows.take(data.train)
        with torch.random.fork_rng():
            torch.manual_seed(spec.seed % 2**63)
            fitted = VitFitted(data.problem, _random(data.problem))
        pixels = torch.from_numpy(fitted.encoding.encode(train).arrays["pixel_values"])
        codes = torch.from_numpy(data.targets[data.train])
        validation, order = data.rows.take(data.validation), np.random.default_rng(spec.seed)
        steps = chosen["epochs"] * -(-len(codes) // chosen["batch_size"])
        optimizer = torch.optim.AdamW(fitted.module.parameters(), lr=chosen["learning_rate"], weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, chosen["learning_rate"], total_steps=steps + 1, pct_start=0.2)
        for epoch in range(chosen["epochs"]):
            fitted.module.train()
            for some in np.array_split(order.permutation(len(codes)), -(-len(codes) // chosen["batch_size"])):
                if report.stop_requested():
                    return fitted
                places = torch.from_numpy(some)
                loss: Any = torch.nn.functional.cross_entropy(fitted.module(pixel_values=pixels[places]).logits, codes[places])
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
            if report((epoch + 1) / chosen["epochs"], fitted.outputs(validation), fitted.save, train_loss=float(loss)) == "stop":
                break
        return fitted

    def load(self, folder: Path) -> VitFitted:
        from transformers import ViTForImageClassification

        problem = Problem.model_validate_json((folder / "problem.json").read_bytes())
        return VitFitted(problem, ViTForImageClassification.from_pretrained(folder, local_files_only=True))


def _random(problem: Problem) -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    height, width = _size(problem)
    config = ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, image_size=(height, width),
        patch_size=(max(1, height // 4), max(1, width // 4)), num_channels=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(problem.labels)), label2id={label: code for code, label in enumerate(problem.labels)},
    )  # fmt: skip
    return ViTForImageClassification(config)


def _size(problem: Problem) -> tuple[int, int]:
    return int(str(problem.extra["height"])), int(str(problem.extra["width"]))
