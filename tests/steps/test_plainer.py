"""Who is taken where the validation rows do not tell the best trial from the baseline, or from what is known to do better."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from autoft.steps.confirm import Confirmation
from autoft.steps.plainer import plainer, preferring
from autoft.steps.stored import stored_decisions
from benches import Toy, bench_of, trial

BASELINE, LIKE_IT, GOOD = {"a": 0.4, "b": 1.0}, {"a": 1.0, "b": 0.3}, {"a": 1.0, "b": 1.0}


@pytest.fixture
def bench(tmp_path):
    return bench_of(tmp_path, Toy(), candidates=("toy", "plain"))


def order_of(bench, best, baseline=BASELINE, **more):
    """As it stands after the search, the best first."""
    first = trial(bench, "plain", stage="baselines", **baseline)
    return Confirmation((trial(bench, **best), first), **more)


def test_a_lead_that_chance_makes_is_none(bench):
    found = order_of(bench, LIKE_IT)
    best, baseline = found.order
    assert 0 < best.value - baseline.value < 0.02, "ahead, by rows of which about as many others went wrong"
    assert plainer(bench, found).order == (baseline, best)


def test_a_lead_that_the_rows_tell_stays(bench):
    found = order_of(bench, GOOD)
    assert plainer(bench, found) is found


def test_where_both_answer_alike_nothing_is_clearer(bench):
    found = order_of(bench, BASELINE)
    assert plainer(bench, found) is found, "no row differs, and there is no chance to speak of"


def test_what_is_not_asked(bench):
    found = order_of(bench, LIKE_IT)
    best, baseline = found.order
    for other in (
        Confirmation((best,)),  # the baseline may not be served
        Confirmation((baseline, best)),
        replace(found, folds=1, figures={best.trial: [0.9, 0.9], baseline.trial: [0.8, 0.9]}),
        Confirmation((best.model_copy(update={"rows": 20}), baseline)),
    ):
        assert plainer(bench, other) is other
    alone = replace(found, figures={best.trial: [0.9, 0.9], baseline.trial: [0.8]})
    assert plainer(bench, alone).order == (baseline, best), "the best learned again, and the baseline did not"
    met_another = replace(found, folds=1, figures={best.trial: [0.9, 0.9], 7: [0.8, 0.9]})
    assert plainer(bench, met_another).order == (baseline, best)
    (bench.journal.trial_folder(best.trial) / "validation.npz").unlink()
    assert plainer(bench, found) is found


@pytest.fixture
def suited(bench):
    """The bench, where `plain` is known to do better on such data."""
    return replace(bench, candidates={**bench.candidates, "plain": replace(bench.candidates["plain"], preferred=True)})


def test_what_is_known_to_do_better_is_taken_where_the_rows_do_not_tell(suited):
    best, known = trial(suited, **LIKE_IT), trial(suited, "plain", **BASELINE)
    found = Confirmation((best, known))
    assert preferring(suited, found).order == (known, best)
    met = replace(found, folds=1, figures={best.trial: [0.9, 0.9], known.trial: [0.8, 0.9]})
    assert preferring(suited, met) is met, "the folds have told"
    clear = Confirmation((trial(suited, **GOOD), known))
    assert preferring(suited, clear) is clear, "the rows tell"
    shutil.rmtree(suited.journal.trial_folder(known.trial) / "model")
    assert preferring(suited, found) is found, "its weights are gone"


def test_what_answered_for_some_of_the_rows_is_held_against_others_on_these(suited):
    """Where the time is short, it is not known what it makes of the others."""
    best, known = trial(suited, **GOOD), trial(suited, "plain", **BASELINE)
    found = Confirmation((best, known))
    assert preferring(suited, found) is found
    answered = suited.journal.trial_folder(known.trial) / "validation.npz"
    with np.load(answered) as file:
        arrays = {name: file[name] for name in file.files}
    targets = suited.understood.targets[arrays["rows"]]
    right = np.flatnonzero(stored_decisions(suited, known) == targets)[:10]
    np.savez(answered, **{name: array[right] for name, array in arrays.items()})
    ten = Confirmation((best, known.model_copy(update={"value": 1.0})))
    assert preferring(suited, ten).order == (ten.order[1], best), "of these ten rows both know all"


def test_what_is_known_to_do_better_does_not_give_way_to_the_baseline(suited):
    known, baseline = trial(suited, "plain", **LIKE_IT), trial(suited, stage="baselines", **BASELINE)
    found = Confirmation((known, baseline))
    assert plainer(suited, preferring(suited, found)) is found
    other = replace(suited, candidates={name: replace(one, preferred=False) for name, one in suited.candidates.items()})
    assert plainer(other, preferring(other, found)).order == (baseline, known)
