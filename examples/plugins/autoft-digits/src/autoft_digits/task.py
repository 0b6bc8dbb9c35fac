"""Image classification: one image in, one of several classes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder, Link, Match
from autoft_digits.images import as_image


class ImageClassification:
    """Roles: `image`, a list of rows of grey values from 0 to 1, all images of one size; `label`."""

    name = "image-classification"
    summary = "one image, one of several classes"
    link: Link = "softmax"

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        image, label = given.get("image", ("image",)), given.get("label", ("label",))
        if image[0] not in table or label[0] not in table or not any(as_image(value) is not None for value in table[image[0]]):
            return None
        return Match(0.95, {"image": image, "label": label}, f"the images are read from {image[0]}, the label from {label[0]}")

    def problem(self, table: Table, match: Match, *, metric: str | None, seed: int) -> Problem:
        """Raises DataError where images differ in size or are of one class, SettingsError for a metric that there is not."""
        (image,), (label,) = match.columns["image"], match.columns["label"]
        sizes = {found.shape for value in table[image] if (found := as_image(value)) is not None}
        if len(sizes) != 1:
            raise DataError(
                f"{table.origin}: the images have {len(sizes)} sizes, {sorted(sizes)[:3]}", hint="bring them to one size before"
            )
        labels = sorted({str(value) for value in table[label] if value is not None})
        if len(labels) < 2:
            raise DataError(f"{table.origin}: all images are of one class", hint="add images of another")
        if metric not in (None, "accuracy"):
            raise SettingsError(f"there is no metric {metric!r} in {self.name}", hint="--metric accuracy")
        height, width = next(iter(sizes))
        head = Head(kind="single_label_classification", outputs=len(labels))
        return Problem(
            task=self.name,
            fields=dict(match.columns),
            inputs=("image",),
            labels=tuple(labels),
            head=head,
            metric=Metric(name="accuracy"),
            seed=seed,
            extra={"height": height, "width": width},
        )

    def usable(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        (image,), (label,) = problem.fields["image"], problem.fields["label"]
        pairs = zip(table[image], table[label], strict=True)
        return np.array([_fits(problem, value) and name is not None for value, name in pairs], np.bool_)

    def inputs(self, problem: Problem, table: Table) -> Table:
        """Raises DataError where the column is absent."""
        (image,) = problem.fields["image"]
        if image not in table:
            raise DataError(f"{table.origin}: there is no column {image!r}", hint=f"there are {', '.join(table.names)}")
        return Table({"image": list(table[image])}, table.origin)

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[np.int64]:
        """Codes (n,). Raises DataError naming the row of a label that is none of those to learn."""
        codes = {label: code for code, label in enumerate(problem.labels)}
        found = [str(value) for value in table[problem.fields["label"][0]]]
        for row, value in enumerate(found):
            if value not in codes:
                known = ", ".join(problem.labels)
                raise DataError(f"{table.origin}, row {table.number(row)}: {value!r} is none of the classes {known}")
        return np.array([codes[value] for value in found], np.int64)

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return targets

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:
        shares = np.maximum(np.bincount(targets, minlength=problem.head.outputs), 0.5)
        return {"logits": np.tile(np.log(shares / shares.sum()).astype(np.float32), (rows, 1))}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:
        return Decoder({"function": "softmax"})

    def rescaled(self, decoder: Decoder, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Decoder:
        return decoder

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[np.int64]:
        return np.asarray(outputs["logits"].argmax(axis=1))

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:
        return {"accuracy": float((targets == decisions).mean())}

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:
        logits = outputs["logits"].astype(np.float64)
        likely = np.exp(logits - logits.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        best = logits.argmax(axis=1).tolist()
        return [
            {"label": problem.labels[code], "score": row[code], "scores": dict(zip(problem.labels, row, strict=True))}
            for row, code in zip(likely.tolist(), best, strict=True)
        ]

    def check_inputs(self, problem: Problem, records: Sequence[Mapping[str, Any]]) -> Table:
        """Raises DataError naming the row."""
        for number, record in enumerate(records, 1):
            if not _fits(problem, record.get("image")):
                size = f"{problem.extra['height']} rows of {problem.extra['width']} numbers from 0 to 1"
                raise DataError(f"row {number}: the field 'image' is no image: {size} are needed")
        return Table({"image": [record["image"] for record in records]})


def _fits(problem: Problem, value: object) -> bool:
    found = as_image(value)
    return found is not None and found.shape == (problem.extra["height"], problem.extra["width"])
