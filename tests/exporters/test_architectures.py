"""Every architecture the catalogue offers: two steps, save, load, export, proof."""

from __future__ import annotations

import pytest

ARCHITECTURES = ("distilbert", "roberta", "deberta-v2", "electra", "albert", "xlm-roberta", "modernbert", "mpnet")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_two_steps_save_load_export_proof(architecture, exported_full, capfd):
    exported = exported_full(architecture)
    shown = capfd.readouterr()
    assert "torch" not in shown.out + shown.err, "the tracer is to be quiet"
    proof = exported.prove()
    assert proof.passed, proof.reasons
    assert len(proof.combinations) >= 12
    assert proof.rows == len(exported.rows)
    assert proof.changed_labels == 0
    assert proof.max_difference < 1e-4
    assert {c.batch for c in proof.combinations} >= {1, 3, 33}
    assert max(c.length for c in proof.combinations) == 24
    assert max(c.padding for c in proof.combinations) >= 15
