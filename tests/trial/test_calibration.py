"""Temperature and Platt scaling, and how far probabilities can be taken at their word."""

from __future__ import annotations

import numpy as np
import pytest

from autoft.calibration import BINS, FEWEST_OF_A_LABEL, FEWEST_ROWS, MOST, Scaling, binned, calibrate, certainty, error


def drawn(logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A class a row, by the softmax of its logits."""
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return (shares.cumsum(1) / shares.sum(1, keepdims=True) < generator.random((len(logits), 1))).sum(1)


def classes(rows: int, *, seed: int = 0, outputs: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Logits that tell the truth, and classes drawn by them."""
    generator = np.random.default_rng(seed)
    logits = 2 * generator.normal(size=(rows, outputs))
    return logits, drawn(logits, generator)


def labels(rows: int, *, seed: int = 0, outputs: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    logits = 2 * generator.normal(size=(rows, outputs))
    return logits, (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.int8)


@pytest.mark.parametrize("temperature", [0.3, 2.5])
def test_a_temperature_is_found_again(temperature):
    logits, targets = classes(4000)
    scaling, found = calibrate((logits * temperature).astype(np.float32), targets, "softmax")
    assert found.method == "temperature"
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    np.testing.assert_allclose(scaling.scale, 1 / found.temperature)
    assert not scaling.shift.any()
    assert (scaling.applied(logits).argmax(1) == logits.argmax(1)).all()
    assert found.ece_before > 0.1
    assert found.ece_after < 0.03
    assert found.log_loss_after < found.log_loss_before
    assert (found.rows, found.reason, found.folded) == (4000, "", False)


def test_no_other_temperature_makes_the_rows_likelier():
    logits, targets = classes(4000)
    scaling, _ = calibrate(3 * logits, targets, "softmax")

    def loss(factor):
        scaled = 3 * logits * factor
        return (np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(scaled)), targets]).mean()

    assert loss(scaling.scale[0]) < min(loss(scaling.scale[0] * by) for by in (0.95, 1.05))


def test_figures_after_are_those_of_rows_never_seen():
    """Few rows, several parameters: what was fitted looks better on its own rows than it is."""
    fresh, truth = labels(20_000, seed=100, outputs=4)
    gaps, flattering = [], []
    for seed in range(40):
        logits, targets = labels(80, seed=seed, outputs=4)
        scaling, found = calibrate(3 * logits, targets, "sigmoid")
        assert scaling is not None
        ours, theirs = (
            np.logaddexp(0, z) - t * z for z, t in ((scaling.applied(3 * logits), targets), (scaling.applied(3 * fresh), truth))
        )
        gaps.append(found.log_loss_after - theirs.mean())
        flattering.append(ours.mean() - theirs.mean())
    assert np.mean(flattering) < -0.01
    assert abs(np.mean(gaps)) < 0.5 * abs(np.mean(flattering))


def test_rows_without_a_mistake_promise_no_certainty():
    logits, _ = classes(100, outputs=2)
    scaling, found = calibrate(logits, logits.argmax(1), "softmax")
    sure, right = certainty(scaling.applied(logits), logits.argmax(1), "softmax")
    assert right.all()
    assert found.temperature > 1 / MOST
    margins = np.ptp(logits, axis=1)
    assert (margins @ (1 - sure)) / margins.sum() == pytest.approx(1 / 102, rel=0.01)  # one row of 102 is taken to be wrong


def test_scale_and_shift_of_each_label_are_those_of_a_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    logits, targets = labels(3000)
    given = (logits + np.array([1.0, -2.0, 0.0])) * np.array([0.5, 3.0, 1.0])
    scaling, found = calibrate(given, targets, "sigmoid")
    assert (found.method, found.temperature) == ("platt", None)
    for label in range(3):
        regression = linear_model.LogisticRegression(C=1e9, tol=1e-8).fit(given[:, [label]], targets[:, label])
        assert scaling.scale[label] == pytest.approx(regression.coef_[0, 0], rel=0.02)
        assert scaling.shift[label] == pytest.approx(regression.intercept_[0], abs=0.03)
    assert found.ece_after < 0.02 < found.ece_before


def test_a_label_that_few_rows_have_or_lack_is_left_alone():
    logits, targets = labels(400, outputs=4)
    targets[:, 0] = 0
    targets[: FEWEST_OF_A_LABEL - 1, 0] = 1
    targets[:, 1] = 1
    scaling, _ = calibrate(5 * logits, targets, "sigmoid")
    assert scaling.scale[:2].tolist() == [1, 1]
    assert scaling.shift[:2].tolist() == [0, 0]
    assert (scaling.scale[2:] < 0.5).all()


def test_no_label_is_turned_round():
    logits, targets = labels(400)
    logits[:, 0] *= -1
    scaling, _ = calibrate(5 * logits, targets, "sigmoid")
    assert (scaling.scale[0], scaling.shift[0]) == (1, 0)
    assert (scaling.scale > 0).all()


@pytest.mark.parametrize(("made", "link"), [(classes, "softmax"), (labels, "sigmoid")])
def test_where_nothing_is_changed_the_reason_is_told(made, link):
    logits, targets = made(FEWEST_ROWS - 1)
    scaling, found = calibrate(5 * logits, targets, link)
    assert (scaling, found.method, found.ece_after, found.log_loss_after) == (None, None, None, None)
    assert found.reason == f"{FEWEST_ROWS - 1} rows tell too little: at least {FEWEST_ROWS} are needed"
    assert found.ece_before > 0.1
    logits, targets = made(300, seed=1)
    scaling, found = calibrate(logits, targets, link)
    assert scaling is None
    assert "did not become likelier" in found.reason
    scaling, found = calibrate(logits[:0], targets[:0], link)
    assert (scaling, found.rows, found.ece_before, found.reason) == (None, 0, None, "there are no rows to judge it by")


@pytest.mark.parametrize(("made", "link"), [(classes, "softmax"), (labels, "sigmoid")])
def test_logits_that_are_no_numbers_and_those_far_out(made, link):
    logits, targets = made(400)
    given = 400 * logits
    given[3, 1], given[7, 0] = np.nan, np.inf
    scaling, found = calibrate(given, targets, link)
    assert found.rows == 398
    assert np.isfinite(scaling.scale).all() if scaling else found.reason
    assert np.isfinite([found.ece_before, found.log_loss_before]).all()
    same, _ = calibrate(np.zeros((200, 3)), targets[:200], link)
    assert same is None or np.isfinite(same.scale).all()


def test_the_expected_error_by_hand():
    probabilities, happened = np.array([0.9, 0.9, 0.1, 1.0]), np.array([True, False, False, True])
    assert error(probabilities, happened) == pytest.approx((abs(1.8 - 1) + 0.1 + 0) / 4)
    counts, sure, right = binned(probabilities, happened)
    assert (len(counts), counts.sum(), counts[-1], sure[-1], right[-1]) == (BINS, 4, 1, 1.0, 1)
    assert np.isnan(error(np.zeros(0), np.zeros(0)))


def test_certainty_is_of_the_likeliest_class_and_of_each_label():
    logits = np.array([[0.0, np.log(3)], [np.log(9), 0.0]])
    sure, right = certainty(logits, np.array([1, 1]), "softmax")
    assert sure == pytest.approx([0.75, 0.9])
    assert right.tolist() == [True, False]
    sure, right = certainty(logits, np.array([[1, 0], [0, 1]]), "sigmoid")
    assert sure == pytest.approx([0.5, 0.75, 0.9, 0.5])
    assert right.tolist() == [True, False, False, True]


def test_a_scaling_is_applied_column_by_column():
    made = Scaling(np.array([2.0, 3.0]), np.array([1.0, -1.0])).applied(np.array([[1, 1], [0, 2]], np.float32))
    assert made.tolist() == [[3, 2], [1, 5]]
