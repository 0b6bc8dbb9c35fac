"""What all checks of contracts have in common."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from autoft.testing import ContractBroken
from autoft.testing.contract import HOMES, difference


def test_every_kind_has_a_home_that_is_there() -> None:
    from importlib import import_module

    for home in HOMES.values():
        module, name = home.split(".")
        assert hasattr(import_module(f"autoft.interfaces.{module}"), name)


def test_what_is_broken_survives_a_process() -> None:
    broken = ContractBroken("a rule", "a home", "a page")
    assert str(pickle.loads(pickle.dumps(broken))) == str(broken) == "a rule. The rule: a home; a page"


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([[1.0, 2.0]], [[1.0, 2.5]], 0.5),
        ([[1.0, 0.0]], [[1.0]], 0.0),
        ([[1.0, 3.0]], [[1.0]], None),
        ([["a"]], [["a"]], 0.0),
        ([["a"]], [["b"]], None),
        ([1.0, 2.0], [1.0], None),
    ],
)
def test_the_difference_of_outputs(one: list[Any], other: list[Any], apart: float | None) -> None:
    assert difference(np.array(one), np.array(other)) == apart


def test_the_checks_need_neither_pytest_nor_torch() -> None:
    heavy = ("pytest", "torch", "transformers", "ray", "sklearn", "onnx")
    code = f"import sys, autoft.testing; sys.stdout.write(' '.join({{*{heavy!r}}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
