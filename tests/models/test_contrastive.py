from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, Limits, TrialSpec
from autoft.interfaces.problem import Head
from autoft_plugins.models.contrastive import FEW, Contrastive
from autoft_plugins.models.transformer.batches import by_class

LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)
TEXTS = Table({"text": ["good", "the screen is awful", "very " * 60, ""]})


def spec_of(source, data, seed=3, **changes):
    candidate = Candidate("contrastive", source)
    default = Contrastive().space(candidate, data.problem, len(data.train)).default
    return TrialSpec(1, candidate, default | {"epochs": 2, "batch_size": 16} | changes, seed)


def counted(problem, *counts):
    return problem.model_copy(update={"extra": {"class_counts": list(counts)}})


@pytest.mark.parametrize("architecture", ["bert", "mpnet", "modernbert"])
def test_fit_save_load_same_answers(architecture, tiny_source, text_data, listening, tmp_path):
    import torch

    data, report = text_data(rows=40), listening()
    fitted = Contrastive().fit(spec_of(tiny_source(architecture), data, learning_rate=1e-3), data, report)
    assert report.progress[-1] == 1.0
    fitted.save(tmp_path)
    again, answers = Contrastive().load(tmp_path), fitted.outputs(TEXTS)["logits"]
    assert answers.shape == (4, 2)
    np.testing.assert_allclose(again.outputs(TEXTS)["logits"], answers, atol=1e-5)
    # What was reported came from the small look-up table, in bfloat16 where the processor has it.
    given = fitted.outputs(data.rows.take(data.validation))["logits"]
    np.testing.assert_allclose(report.outputs[-1]["logits"], given, atol=0.1 * np.abs(given).max())
    assert again.outputs(data.rows.take([]))["logits"].shape == (0, 2)
    (part,) = again.program().parts
    with torch.no_grad():
        made = part.graph(**{name: torch.from_numpy(value) for name, value in part.example.items()})
    assert made["logits"].shape == (2, 2)
    config = again.program().config
    assert (config["id2label"], config["architectures"]) == ({"0": "blame", "1": "praise"}, ["PooledClassifier"])


def test_it_draws_classes_apart_where_fixed_features_do_not_tell_them(tiny_source, text_data, listening):
    from autoft_plugins.models.frozen import Frozen

    data, source = text_data(rows=160), tiny_source("bert")
    fixed, report = listening(), listening()
    Frozen().fit(TrialSpec(1, Candidate("frozen", source), {"C": 0.02}, 3), data, fixed)
    Contrastive().fit(spec_of(source, data, learning_rate=3e-3, epochs=12), data, report)
    truth = data.targets[data.validation]
    before, after = ((r.outputs[-1]["logits"].argmax(1) == truth).mean() for r in (fixed, report))
    assert report.measures[-1]["train_loss"] < report.measures[0]["train_loss"]
    assert after > 0.9
    assert after > before + 0.1


def test_the_same_seed_gives_the_same_weights(tiny_source, text_data, listening):
    data, source = text_data(rows=40), tiny_source("bert")
    first, second, other = (
        Contrastive().fit(spec_of(source, data, seed, learning_rate=1e-3), data, listening()).model.state_dict() for seed in (3, 3, 4)
    )
    assert all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)
    name = "body.encoder.layer.0.output.dense.weight"
    assert not np.array_equal(first[name].numpy(), other[name].numpy())


def test_saved_on_the_way_is_what_was_reported(tiny_source, text_data, listening, tmp_path):
    data, kept = text_data(rows=40), []

    class Saving(listening):
        def __call__(self, progress, outputs, save, **measures):
            kept.append((folder := tmp_path / str(len(kept)), outputs["logits"]))
            folder.mkdir()
            save(folder)
            return super().__call__(progress, outputs, save, **measures)

    Contrastive().fit(spec_of(tiny_source("bert"), data, learning_rate=1e-3, epochs=3), data, Saving())
    assert len(kept) == 3
    for folder, reported in kept:
        given = Contrastive().load(folder).outputs(data.rows.take(data.validation))["logits"]
        np.testing.assert_allclose(given, reported, atol=0.1 * np.abs(given).max())
    assert not np.allclose(kept[0][1], kept[-1][1], atol=1e-3)


def test_a_refit_without_validation_rows_has_a_head(tiny_source, text_data, listening, tmp_path):
    data, report = text_data(rows=24), listening()
    data = replace(data, train=np.arange(24), validation=np.empty(0, np.int64))
    fitted = Contrastive().fit(spec_of(tiny_source("bert"), data), data, report)
    assert report.outputs[-1]["logits"].shape == (0, 2)
    assert len(report.progress) == 1, "nobody is told of a head on the way"
    assert np.isfinite(fitted.outputs(TEXTS)["logits"]).all()


@pytest.mark.parametrize(("epochs", "heads"), [(1, 1), (2, 2), (6, 3)])
def test_a_head_costs_a_third_of_an_epoch_and_is_fitted_rarely(tiny_source, text_data, listening, epochs, heads):
    data, report = text_data(rows=40), listening()
    Contrastive().fit(spec_of(tiny_source("bert"), data, batch_size=8, epochs=epochs), data, report)
    assert len(report.progress) == heads
    assert report.progress[-1] == 1.0


def test_what_an_evaluation_takes_counts_the_rows_that_the_head_reads():
    from autoft_plugins.models.transformer.objectives.base import Objective
    from autoft_plugins.models.transformer.objectives.contrast import Contrast

    plain, reads = (kind.evaluation(None, train=300, validation=60) for kind in (Objective, Contrast))
    assert plain == pytest.approx(60 / 900)
    assert reads == pytest.approx(360 / 900), "in epochs, each of which reads 300 rows at three times the cost"


def test_a_stop_between_evaluations_leaves_no_head_of_other_weights(tiny_source, text_data, listening):
    data, report = text_data(rows=40), listening(stop_after=1)
    with pytest.raises(TrialError, match="stopped before a head"):
        Contrastive().fit(spec_of(tiny_source("bert"), data, batch_size=8, epochs=5), data, report)
    assert report.progress == []


def test_memory_that_runs_out_cuts_the_batch(tiny_source, text_data, listening, monkeypatch):
    import torch

    from autoft_plugins.models.transformer import stepping
    from autoft_plugins.models.transformer.objectives.contrast import Contrast

    monkeypatch.setattr(stepping, "_known_limits", {})
    real, seen = Contrast.forward, []

    def forward(self, model, inputs):
        seen.append(len(inputs["input_ids"]))
        if seen[-1] > 5:
            raise torch.OutOfMemoryError("injected")
        return real(self, model, inputs)

    monkeypatch.setattr(Contrast, "forward", forward)
    data, report = text_data(rows=40), listening()
    Contrastive().fit(spec_of(tiny_source("bert"), data, epochs=1), data, report)
    assert report.progress[-1] == 1.0
    assert sum(size > 5 for size in seen) < 4 < len(seen)
    assert np.isfinite(report.outputs[-1]["logits"]).all()


def test_what_it_cannot_do_is_refused(tiny_source, text_data, listening):
    data, source, model = text_data(rows=20), tiny_source("bert"), Contrastive()
    pairs = data.problem.model_copy(update={"inputs": ("text", "text_pair")})
    labels = data.problem.model_copy(update={"head": Head(kind="multi_label_classification", outputs=2)})
    for problem in (pairs, labels):
        assert model.candidates(problem, [source], LIMITS, data.rows) == []
        assert model.wanted(problem, [], LIMITS) == []
        with pytest.raises(TrialError, match="one of several classes of one text"):
            model.fit(spec_of(source, data), replace(data, problem=problem), listening())
    with pytest.raises(TrialError, match="one class"):
        model.fit(spec_of(source, data), replace(data, targets=np.zeros(20, np.int64)), listening())
    with pytest.raises(TrialError, match="teacher"):
        model.fit(spec_of(source, data), replace(data, teacher=np.zeros((20, 2), np.float32)), listening())


@pytest.mark.parametrize(("counts", "proposed"), [((FEW, FEW), True), ((3, FEW, 5_000), True), ((FEW + 1, FEW + 1), False), ((), False)])
def test_it_is_proposed_for_few_rows_of_the_median_class(counts, proposed, tiny_source, text_data):
    data = text_data(rows=20)
    (candidate,) = Contrastive().candidates(counted(data.problem, *counts), [tiny_source("bert")], LIMITS, data.rows)
    assert candidate.proposed == candidate.preferred == proposed
    assert candidate.flops > 0
    if not proposed:
        assert "rows a class" in candidate.reason


def test_fewer_rows_are_compared_more_often_and_uneven_classes_may_be_balanced(tiny_source, text_data):
    model, candidate, problem = Contrastive(), Candidate("contrastive", tiny_source("bert")), text_data(rows=20).problem
    few, many = (model.space(candidate, problem, rows) for rows in (32, 5_000))
    assert few.default["epochs"] > many.default["epochs"]
    assert "balance" not in few.parameters
    uneven = model.space(candidate, counted(problem, 8, 60), 68)
    assert uneven.default["balance"] == "none"
    for space in (few, many, uneven):
        for point in (space.default, *space.first):
            for name in ("learning_rate", "epochs", "temperature", "dropout", "C"):
                assert space.parameters[name].low <= point[name] <= space.parameters[name].high


def test_a_source_that_does_not_suit_keeps_its_own_reason(tiny_source, text_data):
    data = text_data(rows=20)
    problem = counted(data.problem.model_copy(update={"language": "zh"}), 500, 500)
    (candidate,) = Contrastive().candidates(problem, [tiny_source("bert")], LIMITS, data.rows)
    assert (candidate.proposed, candidate.reason) == (False, "knows en; the text is zh")


def test_every_row_once_and_classes_in_groups():
    codes = np.random.default_rng(1).permutation(np.repeat(np.arange(30), 8))
    batches = by_class(codes, 32, 4, np.random.default_rng(0))
    assert len(batches) == 8
    assert sorted(np.concatenate(batches).tolist()) == list(range(240))
    assert {len(batch) for batch in batches} == {30}
    counts = np.concatenate([np.unique(codes[batch], return_counts=True)[1] for batch in batches])
    assert counts.mean() > 3
    again = by_class(codes, 32, 4, np.random.default_rng(0))
    assert all(np.array_equal(one, two) for one, two in zip(batches, again, strict=True))


def test_the_loss_is_that_of_the_formula():
    import torch

    from autoft_plugins.models.transformer.objectives.contrast import contrastive_loss

    vectors, codes, heat = np.random.default_rng(2).normal(size=(5, 3)), np.array([0, 0, 0, 1, 2]), 0.5
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = []
    for i in range(5):
        others = [j for j in range(5) if j != i]
        below = sum(np.exp(unit[i] @ unit[j] / heat) for j in others)
        terms = [-np.log(np.exp(unit[i] @ unit[j] / heat) / below) for j in others if codes[j] == codes[i]]
        wanted.append(np.mean(terms) if terms else 0.0)
    tensor = torch.from_numpy(vectors).requires_grad_()
    losses = contrastive_loss(tensor, torch.from_numpy(codes), heat)
    np.testing.assert_allclose(losses.detach().numpy(), wanted, rtol=1e-9)
    losses.sum().backward()
    assert torch.isfinite(tensor.grad).all()
    alone = contrastive_loss(tensor[:1], torch.zeros(1, dtype=torch.int64), heat)
    assert alone.tolist() == [0.0]
