"""Task, encoder and model keep their contracts; a run learns scikit-learn's digits, and the bundle answers about an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import autoft_digits
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.testing import check_encoder, check_model, check_task
from autoft_digits.__main__ import write
from autoft_digits.images import Pixels
from autoft_digits.task import ImageClassification
from autoft_digits.vit import VisionTransformer

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def digits(folder: Path, rows: int) -> Path:
    write(folder / "digits.jsonl", rows)
    return folder / "digits.jsonl"


def table(path: Path) -> Table:
    return Table.from_records([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()], str(path))


def test_they_keep_their_contracts(tmp_path: Path) -> None:
    rows = table(digits(tmp_path, 100))
    check_task(ImageClassification(), rows)
    check_encoder(Pixels(), {"height": 8, "width": 8}, rows=Table({"image": rows["image"][:9]}))
    check_model(VisionTransformer(), rows, plugin=autoft_digits, prove=False)  # the run below is proved


@pytest.mark.parametrize("image", [None, [], [[0.5] * 8] * 7, [[2.0] * 8] * 8, [["a"] * 8] * 8, "digit.png"])
def test_what_is_no_image_of_that_size_is_refused_by_its_row(tmp_path: Path, image: object) -> None:
    rows, task = table(digits(tmp_path, 60)), ImageClassification()
    match = task.match(rows, {})
    assert match is not None
    problem = task.problem(rows, match, metric=None, seed=0)
    with pytest.raises(DataError, match="row 2"):
        task.check_inputs(problem, [{"image": rows["image"][0]}, {"image": image}])


def test_a_run_learns_digits(autoft_project: Project) -> None:
    path = digits(autoft_project.folder, 700)
    run = autoft_project.run(autoft_digits, data=path, models=["vit"], trials=1)
    assert run.result["task"] == "image-classification"
    assert run.result["verified"]["passed"]
    assert run.result["best"]["test"]["accuracy"] > 0.6
    rows = table(path)
    answers = run.predict([{"image": image} for image in rows["image"][:50]])
    right = sum(answer["label"] == str(label) for answer, label in zip(answers, rows["label"], strict=False))
    assert right > 35
