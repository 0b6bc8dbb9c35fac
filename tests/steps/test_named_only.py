"""`--named-only`: what the user named is served, and the baseline stays what it is held against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoft.errors import RunFailed, SettingsError
from autoft.scaffold import plugin_text

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def written(folder: Path, old: str, new: str) -> Path:
    text = plugin_text("model", "mine", "mine")
    assert old in text
    (folder / "mine.py").write_text(text.replace(old, new))
    return folder / "mine.py"


def test_it_is_served_though_the_baseline_does_better(autoft_project: Project) -> None:
    wrong = written(autoft_project.folder, "sharpness * means, -sharpness", "-sharpness * means, sharpness")
    run = autoft_project.run(wrong, models=["mine"], named_only=True, trials=1)
    assert [row.candidate for row in run.leaderboard] == ["linear", "mine"]
    assert run.result["best"]["candidate"] == "mine"
    assert run.result["baseline"]["candidate"] == "linear"
    assert "It does NOT beat the baseline linear" in run.result["verdict"]
    assert "linear, which was not named, scores better" in run.result["verdict"]


def test_without_a_model_of_those_that_are_named_the_run_fails_and_says_what_would_be_served(autoft_project: Project) -> None:
    broken = written(autoft_project.folder, "        member = np.eye", "        raise ValueError('boom')\n        member = np.eye")
    with pytest.raises(RunFailed, match=r"no trial of what was named gave a model\. mine gave no model: .*boom") as caught:
        autoft_project.run(broken, models=["mine"], named_only=True, trials=1)
    assert "without --named-only the baseline" in (caught.value.hint or "")


def test_where_nothing_is_named_it_is_refused(autoft_project: Project) -> None:
    with pytest.raises(SettingsError, match="--named-only without --models"):
        autoft_project.run(models=[], named_only=True)
    assert not (autoft_project.folder / "run-1").exists()
