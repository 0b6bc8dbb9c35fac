"""What the lower layers make of each token is read once, and learning above it comes to what it would have come to with them."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import SHARED, Candidate, TrialSpec
from autoft.sources.cache import fingerprint
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full
from autoft_plugins.models.transformer import anatomy, feature_cache, freezing, loading
from autoft_plugins.models.transformer import precision as precisions
from autoft_plugins.models.transformer.encoding import token_config
from autoft_plugins.models.transformer.feature_cache import states_of
from autoft_plugins.models.transformer.known_states import KnownStates
from autoft_plugins.models.transformer.precision import Device
from autoft_plugins.models.transformer.tokenization import tokenised

ARCHITECTURES = ["bert", "distilbert", "roberta", "deberta-v2", "electra", "xlm-roberta", "camembert", "mpnet"]


@pytest.fixture(autouse=True)
def two_layers_are_enough(monkeypatch):
    monkeypatch.setattr(anatomy, "_DEEP", 2)


@pytest.fixture
def exactly(monkeypatch):
    """Full precision, so that batches of any size give the same."""
    for place in (precisions, feature_cache):
        monkeypatch.setattr(place, "device_for", lambda _: Device(torch.device("cpu"), torch.float32))


@pytest.fixture
def passes(monkeypatch):
    """The rows of each pass through a source."""
    read, views_in = [], feature_cache.views_in

    def counting(tokens, rows, *others):
        read.append(rows)
        return views_in(tokens, rows, *others)

    monkeypatch.setattr(feature_cache, "views_in", counting)
    return read


def config_of(source):
    return token_config(source, 24, ("text",))


def states(source, data, depth=1):
    return states_of(source, data, config_of(source), depth, 0, lambda: False)


def fit(source, data, report, **changes):
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, len(data.train)).default
    point = default | {"epochs": 2, "batch_size": 8, "dropout": 0.0, "frozen_share": 0.5, "learning_rate": 3e-3} | changes
    return Full().fit(TrialSpec(1, candidate, point, 3), data, report)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_answers_by_the_states_of_its_tokens(architecture, tiny_source, text_data, classifier, exactly):
    source, data = tiny_source(architecture), text_data(rows=12)
    model, tokens = classifier(architecture), tokenised(source, data.rows, config_of(source), data.cache)
    rows = np.array([0, 3, 5])
    assert len(set(tokens.lengths[rows])) > 1, "and some of them are padded"

    def ask(inputs):
        with torch.no_grad():
            return model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits

    whole, keys = ask(tokens.inputs(rows)), list(model.state_dict())
    known = KnownStates(model, 1, states(source, data))
    assert len(list(model.state_dict())) < len(keys)
    torch.testing.assert_close(ask(tokens.numbered().inputs(rows)), whole, atol=2e-3, rtol=0)
    with known.whole():
        assert list(model.state_dict()) == keys
        torch.testing.assert_close(ask(tokens.inputs(rows)), whole)
    assert len(list(model.state_dict())) < len(keys)
    known.close()
    assert list(model.state_dict()) == keys
    torch.testing.assert_close(ask(tokens.inputs(rows)), whole)


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "mpnet"])
def test_a_trial_learns_what_it_would_have_learned_with_its_lower_layers(
    architecture, tiny_source, text_data, listening, exactly, monkeypatch
):
    source, data = tiny_source(architecture), text_data(rows=48)
    known, reports = fit(source, data, (report := listening())), [report]
    monkeypatch.setattr(freezing, "MOST_BYTES", 0)
    data = replace(data, cache=data.cache.with_name("other"))
    whole = fit(source, data, (report := listening()))
    reports.append(report)
    for (name, one), other in zip(known.model.named_parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=5e-3, rtol=0, msg=name)
    moved = [not torch.equal(one, other) for one, other in zip(known.model.parameters(), whole.model.parameters(), strict=True)]
    assert any(moved), "they differ by the rounding of the states, or this compares one way with itself"
    of_both = [report.outputs[-1]["logits"] for report in reports]
    np.testing.assert_allclose(*of_both, atol=2e-2)
    validation = known.outputs(data.rows.take(data.validation))["logits"]
    np.testing.assert_allclose(validation, of_both[0], atol=2e-3)
    assert [SHARED in measures for measures in reports[0].measures] == [True, *[False] * (len(reports[0].measures) - 1)]
    assert not any(SHARED in measures for measures in reports[1].measures), "it left nothing to others"


def test_a_pass_for_frozen_is_not_made_again(tiny_source, text_data, listening, passes):
    source, data = tiny_source("bert"), text_data(rows=40)
    Frozen().fit(TrialSpec(1, Candidate("frozen", source), {"C": 1.0}, 3), data, listening())
    fit(source, data, listening())
    fit(source, replace(data, train=np.arange(40), validation=np.empty(0, np.int64)), listening())
    assert len(passes) == 1, "nor for a refit to all rows"


def test_what_is_saved_on_the_way_is_whole(tiny_source, text_data, tmp_path):
    source, data = tiny_source("bert"), text_data(rows=24)
    saved = []

    def report(progress, outputs, save, **_):
        saved.append((tmp_path / f"{len(saved)}", outputs["logits"]))
        save(saved[-1][0])
        return "go"

    report.stop_requested, report.seconds_left = lambda: False, lambda: None
    fit(source, data, report)
    assert len(saved) > 1
    for folder, logits in saved:
        np.testing.assert_allclose(Full().load(folder).outputs(data.rows.take(data.validation))["logits"], logits, atol=5e-2)


def test_rows_that_are_known_are_not_read_again_and_twins_have_their_states(tiny_source, text_data, passes, exactly):
    source, data = tiny_source("mpnet"), text_data(rows=24)
    texts = list(data.rows["text"])
    texts[7] = texts[2]
    data = replace(data, rows=Table({"text": texts}))
    fresh = replace(data, cache=data.cache.with_name("fresh"))
    nobody = np.empty(0, np.int64)
    states(source, replace(data, train=np.arange(3, 10), validation=nobody))
    made = states(source, replace(data, train=np.arange(12), validation=nobody))
    assert np.array_equal(passes[1], [0, 1, 2, 10, 11])
    tokens = tokenised(source, data.rows, config_of(source), data.cache)
    assert not made[torch.from_numpy(tokens.of(np.arange(12, 24)))].any(), "nobody asked for these"
    asked = states(source, fresh)
    places = tokens.of(np.arange(12))
    torch.testing.assert_close(made[places], asked[places], atol=2e-3, rtol=0)
    assert torch.equal(asked[tokens.of(np.array([7]))], asked[tokens.of(np.array([2]))])
    assert asked.abs().sum(1).bool().all()


def test_where_none_are_kept(tiny_source, text_data, listening, monkeypatch):
    source, data = tiny_source("bert"), text_data(rows=24)
    assert states(source, data, depth=2) is None, "no space leaves all layers"
    pairs = replace(data, problem=data.problem.model_copy(update={"inputs": ("text", "text_pair")}))
    assert states(source, pairs) is None
    size = 2 * len(tokenised(source, data.rows, config_of(source), data.cache).ids) * anatomy.anatomy(source).width
    monkeypatch.setattr(freezing, "MOST_BYTES", size - 1)
    assert states(source, data) is None
    Frozen().fit(TrialSpec(1, Candidate("frozen", source), {"C": 1.0}, 3), data, listening())
    assert not list(data.cache.rglob("states-*"))
    monkeypatch.setattr(freezing, "MOST_BYTES", size)
    assert states(source, data) is not None


def test_a_disk_without_room_has_none_and_what_is_there_is_taken(tiny_source, text_data, listening, monkeypatch, exactly):
    source, data, usage = tiny_source("bert"), text_data(rows=24), shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=1_000))
    assert states(source, data) is None
    Frozen().fit(TrialSpec(1, Candidate("frozen", source), {"C": 1.0}, 3), data, listening())
    assert [path.name for path in data.cache.glob("features-*/*.npy") if "states" in path.name] == []
    fit(source, data, report := listening())
    assert report.progress[-1] == 1.0
    monkeypatch.setattr(shutil, "disk_usage", usage)
    made = states(source, data)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=1_000))
    assert torch.equal(states(source, data), made)


def test_a_convolution_behind_the_first_layer_would_be_made_again(tiny_source, text_data):
    source, data = tiny_source("deberta-v2"), text_data(rows=12)
    assert states(source, data) is not None
    folder = data.cache.parent / "convolving"
    model = loading.body(source)
    model.config.conv_kernel_size = 3
    type(model)(model.config).save_pretrained(folder)
    for file in source.folder.glob("tokenizer*.json"):
        (folder / file.name).write_bytes(file.read_bytes())
    assert states(replace(source, folder=folder, sha256=fingerprint(folder)), data) is None


def test_it_ends_when_told_to(tiny_source, text_data, listening):
    source, data = tiny_source("bert"), text_data(rows=24)
    report = listening()
    report.stop_requested = lambda: True
    with pytest.raises(TrialError, match="stopped"):
        fit(source, data, report)
    assert not [path for path in data.cache.glob("features-*") if "." not in path.name]
