"""The recipe that runs are held against gets what it needs: the right words, the right rows, steps that fit its budget."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.task import Decoder
from autoft_plugins.tasks.text_classification import TextClassification
from autoft_plugins.tasks.token_classification import TokenClassification

PRAISE = ("good", "fine", "great", "nice", "superb")


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, for a source of 64 positions that begins with nothing."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = import_module("tutorial")
    monkeypatch.setattr(module, "LENGTH", 32)
    monkeypatch.setattr(module, "RATE", 1e-2)
    return module


@pytest.fixture
def tagged() -> Table:
    """Words of praise are entities; `zoom` is four tokens long, so that words and tokens are out of step."""
    generator = np.random.default_rng(0)
    rows = [generator.choice([*PRAISE, "zoom", "case", "is"], generator.integers(2, 9)).tolist() for _ in range(64)]
    tags = [["B-PRAISE" if word in PRAISE else "O" for word in row] for row in rows]
    return Table({"tokens": rows, "ner_tags": tags})


def asked_about(task, table):
    problem = task.problem(table, task.match(table, {}), metric=None, seed=0)
    return problem, task.inputs(problem, table), task.targets(problem, table)


def test_words_are_learned_and_answered_at_their_first_tokens(recipe, tiny_source, tagged):
    task = TokenClassification()
    problem, rows, targets = asked_about(task, tagged)
    made = recipe.tutorial(tiny_source("bert").folder, problem, rows, targets, rows, 0, epochs=8)
    decided = task.decide(problem, Decoder(), made.outputs)
    assert task.score(problem, targets, decided)["f1"] > 0.95
    assert made.epochs == 8


def test_what_is_cut_off_is_no_entity(recipe, tiny_source, tagged):
    task = TokenClassification()
    problem, rows, targets = asked_about(task, tagged)
    long = task.inputs(problem, Table({"tokens": [["good"] * 200, ["good"]]}))
    made = recipe.tutorial(tiny_source("bert").folder, problem, rows.take([0]), targets[:1], long, 0, epochs=1)
    decided = task.decide(problem, Decoder(), made.outputs)
    assert decided.shape == (2, 200)
    assert (decided[0] >= 0).all()
    assert not decided[0, recipe.LENGTH :].any()
    assert (decided[1, 1:] == -1).all()


def test_a_batch_without_its_padding_has_the_same_loss_and_answers(recipe, tiny_source, tagged):
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    source = tiny_source("bert").folder
    problem, rows, targets = asked_about(TokenClassification(), tagged)
    labelled = recipe._labelled(AutoTokenizer.from_pretrained(source), problem, rows, targets)
    some = [labelled[number] for number in range(8)]
    model = AutoModelForTokenClassification.from_pretrained(source, num_labels=problem.head.outputs).eval()
    padded = {name: torch.stack([row[name] for row in some]) for name in some[0]}
    trimmed = recipe.trimmed(some)
    longest = trimmed["input_ids"].shape[1]
    assert longest == padded["attention_mask"].sum(1).max() < recipe.LENGTH
    with torch.no_grad():
        whole, part = model(**padded), model(**trimmed)
    assert torch.allclose(whole.loss, part.loss, atol=1e-6)
    assert torch.allclose(whole.logits[:, :longest], part.logits, atol=1e-5)


def test_what_is_a_value_a_label_is_no_place(recipe):
    import torch

    row = {"attention_mask": torch.tensor([1, 0]), "input_ids": torch.tensor([5, 0]), "labels": torch.tensor([1.0, 0.0])}
    made = recipe.trimmed([row, row])
    assert made["input_ids"].tolist() == [[5], [5]]
    assert made["labels"].tolist() == [[1, 0], [1, 0]]


def test_a_trimmed_recipe_learns_as_well_and_counts_padded_steps(recipe, tiny_source, tagged):
    task = TokenClassification()
    problem, rows, targets = asked_about(task, tagged)
    made = recipe.tutorial(tiny_source("bert").folder, problem, rows, targets, rows, 0, epochs=8, trim=True)
    assert task.score(problem, targets, task.decide(problem, Decoder(), made.outputs))["f1"] > 0.95
    assert made.training > 0
    assert made.seconds > made.training


def test_a_budget_that_does_not_hold_the_epochs_cuts_them(recipe, tiny_source):
    task = TextClassification()
    table = Table({"text": [f"the case is {PRAISE[i % 5] if i % 2 else 'dull'}" for i in range(64)], "label": ["bad", "good"] * 32})
    problem, rows, targets = asked_about(task, table)
    source = tiny_source("bert").folder
    short = recipe.tutorial(source, problem, rows, targets, rows.take(range(7)), 0, budget=1e-3)
    assert short.epochs == 0.25, "one step of four"
    assert short.outputs["logits"].shape == (7, 2)
    assert recipe.tutorial(source, problem, rows, targets, rows.take(range(7)), 0, budget=1e6).epochs == 3
