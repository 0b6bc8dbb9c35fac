"""Requests drawn from the OpenAPI document, right and wrong ones, against every route: schemathesis finds nothing amiss."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import task_bundles
from autoft.loading import load_predictor
from autoft.serving.app import create_app
from small_bundle import make_bundle

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

WITHOUT_RULES = (make_bundle, task_bundles.entities)
"""Whatever suits their schema is answered. Pairs may not be empty; elsewhere columns and data, or shape and data, have to agree, which a
schema cannot say."""

EXAMPLES = 20
FIXED = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


def operations(folder: Path) -> list:
    app = create_app(load_predictor(folder, plugin_files=[task_bundles.PLUGIN], threads=1), name="toy")
    return [found.ok() for found in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations()]


def requests_of(operation):
    """Right ones, and where there is a body, wrong ones."""
    right = operation.as_strategy(schemathesis.GenerationMode.POSITIVE)
    return right | operation.as_strategy(schemathesis.GenerationMode.NEGATIVE) if operation.body else right


@pytest.mark.parametrize("make", [make_bundle, task_bundles.pair_score, task_bundles.entities])
def test_what_the_document_says_holds(tmp_path: Path, make) -> None:
    found = operations(make(tmp_path / "bundle"))
    assert len(found) > 10
    wrong = []
    for operation in found:

        @settings(max_examples=EXAMPLES if operation.body else 2, **FIXED)
        @given(requests_of(operation))
        def ask(case) -> None:
            free = make in WITHOUT_RULES and case.operation.path in ("/predict", "/")
            response = case.call()
            excluded = [] if free else [checks.positive_data_acceptance]
            if response.status_code == 413:  # wrong by its size, and refused for that, which the check does not count as refused
                excluded.append(checks.negative_data_rejection)
            case.validate_response(response, excluded_checks=excluded)

        try:
            ask()
        except (Exception, BaseExceptionGroup) as error:
            wrong.append(f"{operation.label}: {error}")
    assert not wrong, "\n\n".join(wrong)
