"""A mean of weights is exported and proved as any fitted model is."""

from __future__ import annotations

from pathlib import Path

from autoft.interfaces.model import Candidate, TrialSpec
from autoft_plugins.models.full import Full


def test_a_mean_of_weights_is_proved(tiny_source, text_data, listening, export_bundle, tmp_path: Path) -> None:
    data, model, candidate = text_data(rows=40), Full(), Candidate("full", tiny_source("bert"))
    chosen = {**model.space(candidate, data.problem, 30).default, "batch_size": 16, "learning_rate": 1e-2}
    folders = [tmp_path / str(seed) for seed in range(2)]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        model.fit(TrialSpec(1, candidate, chosen, seed), data, listening()).save(folder)
    mean = model.average(folders)
    assert mean is not None
    proof = export_bundle(mean, data, tmp_path / "bundle").prove()
    assert proof.passed, proof.reasons
    assert proof.changed_labels == 0
