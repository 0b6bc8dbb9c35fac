"""Evidence of sources before anything is trained, and features that are computed once for it and for `frozen`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Ranks, TrialSpec
from autoft.interfaces.problem import Head
from autoft.interfaces.task import Match
from autoft_plugins.models import MODELS
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full
from autoft_plugins.models.transformer import evidence as module
from autoft_plugins.models.transformer import feature_cache, loading
from autoft_plugins.models.transformer.encoding import token_config
from autoft_plugins.models.transformer.feature_cache import features_of, views_of
from autoft_plugins.models.transformer.features import related
from autoft_plugins.models.transformer.precision import Device
from autoft_plugins.tasks.token_classification import TokenClassification


def ask(data, source, *, model=None, stop=lambda: False):
    return (model or Full()).evidence(Candidate("full", source), data, threads=1, gpus=0, stop=stop)


def with_targets(data, kind, outputs, targets):
    return replace(data, problem=data.problem.model_copy(update={"head": Head(kind=kind, outputs=outputs)}), targets=targets)


def shuffled(data):
    return replace(data, targets=np.random.default_rng(0).permutation(data.targets))


@pytest.fixture
def exactly(monkeypatch):
    """Full precision, so that batches of any size give the same."""
    plain = Device(torch.device("cpu"), torch.float32)
    for place in (module, feature_cache):
        monkeypatch.setattr(place, "device_for", lambda _: plain)


def test_who_can_tell():
    assert {model.name for model in MODELS if isinstance(model, Ranks)} >= {"frozen", "full"}
    assert ask(None, None) is None


def test_targets_that_follow_from_the_text_have_more_evidence_than_shuffled_ones(tiny_source, text_data):
    data, source = text_data(rows=200), tiny_source("bert")
    told, by_chance = ask(data, source), ask(shuffled(data), source)
    assert told.measure == "H-score"
    assert told.score > by_chance.score + 0.1
    assert ask(data, source, model=Frozen()) == told, "it is the source's, whatever is done with it"


@pytest.mark.parametrize("kind", ["labels", "scores", "pairs"])
def test_each_kind_of_target(kind, tiny_source, text_data):
    data, source = text_data(rows=200), tiny_source("bert")
    long = np.array([len(text.split()) for text in data.rows["text"]])
    if kind == "labels":
        targets = np.column_stack([data.targets, long > 15, np.zeros(len(long))]).astype(np.int8)
        data, measure = with_targets(data, "multi_label_classification", 3, targets), "H-score"
    elif kind == "scores":
        data, measure = with_targets(data, "regression", 1, long.astype(np.float32)), "LogME"
    else:
        texts = data.rows["text"]
        others = [text if code else texts[row - 1] for row, (text, code) in enumerate(zip(texts, data.targets, strict=True))]
        rows = Table({"text": texts, "text_pair": others})
        data = replace(data, rows=rows, problem=data.problem.model_copy(update={"inputs": ("text", "text_pair")}))
        measure = "H-score"
    told, by_chance = ask(data, source), ask(shuffled(data), source)
    assert told.measure == by_chance.measure == measure
    assert told.score > by_chance.score + 0.1


def test_the_greater_of_the_two_views_counts(tiny_source, text_data, monkeypatch):
    data, source = text_data(rows=60), tiny_source("bert")
    rows = len(data.train)
    views = {"vectors": np.zeros((rows, 3), np.float32), "layers": np.eye(2, dtype=np.float32)[data.targets[data.train]]}
    views["layers"] += 0.01 * np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    for changed in (views, dict(zip(views, reversed(views.values()), strict=True))):
        monkeypatch.setattr(module, "views_of", lambda *_, made=changed: made)
        assert ask(data, source).score > 0.9


def test_where_there_is_nothing_to_compare_there_is_none(tiny_source, text_data, writing_data):
    data, source = text_data(rows=40), tiny_source("bert")
    assert ask(replace(data, targets=np.zeros(40, np.int64)), source) is None
    assert ask(writing_data, tiny_source("t5")) is None


def test_it_ends_when_told_to_and_lets_the_weights_go(tiny_source, text_data):
    data, source = text_data(rows=40), tiny_source("bert")
    with pytest.raises(TrialError, match="stopped"):
        ask(data, source, stop=lambda: True)
    assert source.sha256 not in loading._states
    ask(data, source)
    assert source.sha256 not in loading._states


def test_what_was_read_for_the_ranking_is_not_read_again_for_frozen(tiny_source, text_data, listening, monkeypatch, exactly):
    data, source = text_data(rows=80), tiny_source("bert")
    sampled = replace(data, train=data.train[::2], validation=np.empty(0, np.int64))
    config = token_config(source, 24, ("text",))
    read, views_in = [], feature_cache.views_in

    def counting(tokens, rows, *others):
        read.append(rows)
        return views_in(tokens, rows, *others)

    monkeypatch.setattr(feature_cache, "views_in", counting)
    ask(sampled, source)
    features = features_of(source, data, config, 0, lambda: False)
    assert np.array_equal(read[0], sampled.train)
    assert np.array_equal(read[1], np.setdiff1d(np.arange(80), sampled.train))
    Frozen().fit(TrialSpec(1, Candidate("frozen", source), {"C": 1.0}, 3), data, listening())
    ask(sampled, source)
    ask(replace(sampled, train=sampled.train[::2]), source)
    assert len(read) == 2, "a smaller set of rows is in what was read"
    fresh = replace(data, cache=data.cache.with_name("fresh"))
    np.testing.assert_allclose(features, features_of(source, fresh, config, 0, lambda: False), atol=1e-5)


def test_views_are_the_last_layer_and_the_mean_of_all_behind_the_table(tiny_source, text_data, exactly):
    data, source = text_data(rows=12), tiny_source("mpnet")
    made = views_of(source, data, token_config(source, 24, ("text",)), 0, lambda: False)
    model, tokens = loading.body(source), feature_cache.tokenised(source, data.rows, token_config(source, 24, ("text",)), data.cache)
    for place, row in enumerate(data.train):
        inputs = {name: torch.from_numpy(array) for name, array in tokens.inputs(np.array([row])).items()}
        with torch.no_grad():
            found = model(**inputs, output_hidden_states=True)
        np.testing.assert_allclose(made["vectors"][place], found.last_hidden_state[0].mean(0), atol=1e-5)
        np.testing.assert_allclose(made["layers"][place], torch.stack(found.hidden_states[1:])[:, 0].mean((0, 1)), atol=1e-5)


def test_two_texts_are_compared_in_each_view(tiny_source, text_data, exactly):
    data, source = text_data(rows=12), tiny_source("bert")
    pairs = replace(
        data,
        rows=Table({"text": data.rows["text"], "text_pair": data.rows["text"][::-1]}),
        problem=data.problem.model_copy(update={"inputs": ("text", "text_pair")}),
        train=np.arange(12),
    )
    alone = views_of(source, replace(data, train=np.arange(12)), token_config(source, 24, ("text",)), 0, lambda: False)
    made = views_of(source, pairs, token_config(source, 24, ("text", "text_pair")), 0, lambda: False)
    for name, vectors in alone.items():
        expected = related(torch.from_numpy(np.stack([vectors, vectors[::-1]], axis=1))).numpy()
        np.testing.assert_allclose(made[name], expected, atol=1e-5)


@pytest.fixture
def words_data(tmp_path):
    """Things are entities; the first text is longer than a window."""
    generator = np.random.default_rng(1)
    kinds = {"O": ["the", "a", "it", "is", "was"], "B-THING": ["phone", "case", "sound", "screen"]}
    tags = [list(generator.choice(list(kinds), 30 if row == 0 else int(generator.integers(1, 9)))) for row in range(60)]
    words = [[str(generator.choice(kinds[tag])) for tag in own] for own in tags]
    task, table = TokenClassification(), Table({"tokens": words, "ner_tags": tags}, "things.jsonl")
    problem = task.problem(table, Match(1.0, {"text": ("tokens",), "label": ("ner_tags",)}, ""), metric=None, seed=0)
    problem = problem.model_copy(update={"max_length": 16})
    rows = np.arange(60)
    return FitData(problem, task.inputs(problem, table), task.targets(problem, table), rows[:45], rows[45:], tmp_path / "cache")


def test_words_are_compared_at_their_first_tokens(words_data, tiny_source, monkeypatch, exactly):
    source = tiny_source("bert")
    told = ask(words_data, source)
    assert told.measure == "H-score"
    assert told.score > ask(shuffled(words_data), source).score + 0.1
    views, tags = module._words(source, words_data, 0, lambda: False)
    assert len(tags) == sum(len(words) for words in words_data.rows["words"][:45])
    assert np.array_equal(np.sort(np.bincount(tags)), np.sort(np.bincount(words_data.targets[:45][words_data.targets[:45] >= 0])))
    monkeypatch.setattr(module, "MOST_WORDS", 100)
    some, few = module._words(source, words_data, 0, lambda: False)
    assert 50 < len(few) <= 100
    whole = {vector.tobytes(): tag for vector, tag in zip(views["layers"].round(3), tags, strict=True)}
    found = [whole.get(vector.tobytes()) for vector in some["layers"].round(3)]
    assert sum(tag == own for tag, own in zip(found, few, strict=True)) > 0.9 * len(few)
