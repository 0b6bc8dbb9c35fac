"""Whole runs with a plugin that raises: a model costs its trials and is told of, a task ends the run and is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import autoft.testing.failing
from autoft.errors import AutoftError
from autoft.faults import plugin_fault
from autoft.scaffold import plugin_text
from autoft.testing import grades

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def test_the_verdict_tells_of_a_model_of_which_every_trial_failed(autoft_project: Project) -> None:
    text = Path(autoft.testing.failing.__file__).read_text(encoding="utf-8")
    assert "raise TrialError(REASON)\n\n" in text
    file = autoft_project.folder / "boom.py"
    file.write_text(text.replace("raise TrialError(REASON)\n\n", 'raise ValueError("boom")\n\n', 1), encoding="utf-8")
    run = autoft_project.run(file, models=["linear", "failing"])
    verdict = run.result["verdict"]
    assert "failing gave no model: " in verdict
    assert "failed (ValueError: boom); the traceback is in trials/" in verdict
    place = verdict.partition("the traceback is in ")[2].partition(" of the run's folder")[0]
    assert "ValueError: boom" in (run.folder / place).read_text()
    assert "failing gave no model: " in (run.folder / "bundle" / "README.md").read_text()


def test_a_run_that_a_task_ends_says_so(autoft_project: Project) -> None:
    text = plugin_text("task", "my-grades", "my_grades")
    assert "    def strata(" in text
    file = autoft_project.folder / "buggy.py"
    file.write_text(
        text.replace("    def constant(", "    def constant(self, *_):\n        return {}[3]\n\n    def before("), encoding="utf-8"
    )
    with pytest.raises(KeyError) as caught:
        autoft_project.run(file, grades(), task="my-grades")
    assert not isinstance(caught.value, AutoftError), "in Python it is what it is"
    told = "task my-grades (file buggy.py) raised KeyError: 3 in constant, line"
    assert str(plugin_fault(caught.value)).startswith(told)
    (result,) = autoft_project.folder.glob("run-*/result.json")
    assert json.loads(result.read_text())["reason"].startswith(told)
