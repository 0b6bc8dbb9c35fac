"""The model and its encoder keep their contracts, and the model takes part in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autoft.scaffold.templates.model.plugin as plugin
from autoft.scaffold.templates.model.plugin import HashedWords, NearestCentroid
from autoft.testing import check_encoder, check_model

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def test_it_keeps_the_contract_of_a_model() -> None:
    check_model(NearestCentroid(), plugin=plugin)


def test_its_encoder_keeps_the_contract_of_an_encoder() -> None:
    check_encoder(HashedWords(), {})


def test_it_takes_part_in_a_run(autoft_project: Project) -> None:
    run = autoft_project.run(plugin, models=["example-plugin"], named_only=True)
    assert run.result["best"]["candidate"] == "example-plugin"
    assert run.result["verified"]["passed"]
    assert run.predict(["a superb phone"])[0]["label"] == "good"
