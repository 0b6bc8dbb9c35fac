"""What features tell of targets, held against the formulas of the papers written out."""

from __future__ import annotations

import numpy as np
import pytest

from autoft_plugins.models.transformer.transferability import Components, h_score, h_score_of_labels, log_evidence


def toy(rows: int, width: int, signal: float, seed: int = 0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of which the first ones move with the class."""
    generator = np.random.default_rng(seed)
    codes = generator.permutation(np.arange(rows) % classes)
    features = generator.normal(size=(rows, width)) @ generator.normal(size=(width, width)) / width**0.5
    features[:, :classes] += signal * np.eye(classes)[codes]
    return features, codes


def published(features: np.ndarray, codes: np.ndarray) -> float:
    """tr(cov(f)^-1 cov(E[f|y])) with the covariance as scikit-learn shrinks it."""
    from sklearn.covariance import ledoit_wolf

    x = features - features.mean(0)
    covariance, share = ledoit_wolf(x, assume_centered=True)
    means = np.stack([x[codes == code].mean(0) for code in codes])
    return float((1 - share) * np.trace(np.linalg.solve(covariance, means.T @ means / len(x))))


@pytest.mark.parametrize(("rows", "width"), [(200, 12), (60, 90)])
def test_the_shrunk_h_score_is_the_published_one_above_chance(rows, width):
    features, codes = toy(rows, width, 1.0)
    generator = np.random.default_rng(1)
    plain = published(features, codes)
    by_chance = np.mean([published(features, generator.permutation(codes)) for _ in range(400)])
    assert h_score(features, codes) == pytest.approx((plain - by_chance) / (2 - by_chance), abs=0.02)
    assert plain - by_chance > 0.1


def test_chance_is_exact_where_every_permutation_can_be_made():
    from itertools import permutations

    features, codes = toy(6, 4, 0.0, classes=2)
    scores = [h_score(features, np.array(order)) for order in permutations(codes)]
    assert np.mean(scores) == pytest.approx(0.0, abs=1e-12)
    assert np.ptp(scores) > 0.1


@pytest.mark.parametrize("width", [5, 64, 768])
def test_features_that_tell_nothing_score_nothing_however_wide(width):
    scores = [h_score(*toy(300, width, 0.0, seed=seed)) for seed in range(5)]
    assert abs(np.mean(scores)) < 0.05


def test_the_clearer_the_classes_the_higher_the_score():
    scores = [h_score(*toy(200, 24, signal)) for signal in (0.0, 0.5, 1.0, 3.0, 50.0)]
    assert scores == sorted(scores)
    assert 0.9 < scores[-1] <= 1.0


def test_scale_and_a_rotation_of_the_features_change_nothing():
    features, codes = toy(150, 10, 1.0)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(10, 10)))
    assert h_score(1e-3 * features @ rotation + 7.0, codes) == pytest.approx(h_score(features, codes), abs=1e-9)


def test_two_classes_score_as_their_label_does():
    features, codes = toy(120, 30, 1.0, classes=2)
    assert h_score_of_labels(features, codes[:, None]) == pytest.approx(h_score(features, codes), abs=1e-12)


def test_the_labels_of_a_row_are_averaged_and_constant_ones_left_out():
    features, codes = toy(120, 30, 1.0)
    labels = np.eye(3, dtype=np.int8)[codes]
    each = [h_score(features, labels[:, i]) for i in range(3)]
    constant = np.concatenate([labels, np.zeros((120, 1), np.int8), np.ones((120, 1), np.int8)], axis=1)
    assert h_score_of_labels(features, constant) == pytest.approx(np.mean(each), abs=1e-12)


def test_where_there_is_nothing_to_tell_there_is_no_score():
    features, _ = toy(20, 5, 0.0)
    assert h_score(features, np.zeros(20, np.int64)) is None
    assert h_score_of_labels(features, np.zeros((20, 2), np.int8)) is None
    assert log_evidence(features, np.ones(20)) is None


def brute_force(features: np.ndarray, targets: np.ndarray) -> float:
    """The density of the targets' contrasts, weights and noise being normal, at the best of their two variances, a row."""
    from scipy.optimize import minimize
    from scipy.stats import multivariate_normal

    rows = len(targets)
    contrasts = np.linalg.qr(np.column_stack([np.ones(rows), np.eye(rows)[:, 1:]]))[0][:, 1:].T
    x, y = contrasts @ features, contrasts @ ((targets - targets.mean()) / targets.std())

    def loss(logs: np.ndarray) -> float:
        weights, noise = np.exp(logs)
        return -float(multivariate_normal.logpdf(y, cov=weights * x @ x.T + noise * np.eye(rows - 1)))

    found = [minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7}) for start in ([-2, 0], [-6, -2])]
    return -min(one.fun for one in found) / (rows - 1)


@pytest.mark.parametrize(("rows", "width"), [(40, 6), (25, 40)])
def test_the_evidence_is_the_greatest_there_is(rows, width):
    generator = np.random.default_rng(3)
    features = generator.normal(size=(rows, width)) * np.linspace(0.2, 2.0, width)
    targets = features @ generator.normal(size=width) + 1.5 * generator.normal(size=rows) + 40.0
    assert log_evidence(features, targets) == pytest.approx(brute_force(features, targets), abs=2e-3)


def test_evidence_ranks_what_explains_above_what_does_not():
    generator = np.random.default_rng(4)
    targets = generator.normal(size=300)

    def seen(noise: float, width: int) -> float | None:
        return log_evidence(targets[:, None] * generator.normal(size=width) + noise * generator.normal(size=(300, width)), targets)

    clear, dim, wide = seen(1.0, 20), seen(10.0, 20), seen(1.0, 400)
    nothing = log_evidence(generator.normal(size=(300, 400)), targets)
    assert clear > dim > nothing
    assert wide > nothing
    assert nothing == pytest.approx(-0.5 * (np.log(2 * np.pi) + 1), abs=0.01)


def test_features_that_explain_every_row_have_a_finite_evidence():
    generator = np.random.default_rng(5)
    features = generator.normal(size=(30, 200))
    assert np.isfinite(log_evidence(features, features @ generator.normal(size=200)))


def test_components_are_orthonormal_and_leave_out_what_is_constant():
    features, _ = toy(50, 8, 0.0)
    components = Components.of(np.column_stack([features, np.full(50, 3.0)]).astype(np.float32))
    np.testing.assert_allclose(components.scores.T @ components.scores, np.eye(8), atol=1e-8)
    np.testing.assert_allclose(components.scores.sum(0), 0, atol=1e-6)
    assert components.width == 9
    assert np.all((components.shrunk() > 0) & (components.shrunk() <= 1))
