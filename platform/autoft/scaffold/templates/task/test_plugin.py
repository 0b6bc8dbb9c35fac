"""The task keeps its contract, errs by the least, and a run learns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import autoft.scaffold.templates.task.plugin as plugin
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.scaffold.templates.task.plugin import Grades
from autoft.testing import check_task, grades

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def test_it_keeps_the_contract_of_a_task() -> None:
    check_task(Grades(), grades())


def test_the_answer_is_the_median_of_what_is_likely() -> None:
    head, metric = Head(kind="single_label_classification", outputs=3), Metric(name="mae", greater_is_better=False)
    problem = Problem(task="example-plugin", fields={}, inputs=("text",), labels=("1", "2", "3"), head=head, metric=metric)
    logits = np.log(np.array([[0.4, 0.25, 0.35], [0.1, 0.2, 0.7]]))
    assert Grades().decide(problem, Decoder(), {"logits": logits}).tolist() == [1, 2]


def test_a_run_learns_it(autoft_project: Project) -> None:
    run = autoft_project.run(plugin, table=grades(), task="example-plugin")
    assert run.result["task"] == "example-plugin"
    assert run.result["verified"]["passed"]
    assert run.predict(["the phone is great and superb and nice and fine"])[0]["label"] in ("4", "5")
