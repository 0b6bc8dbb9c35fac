from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, Limits, TrialSpec
from autoft_plugins.models.full import Full

ARCHITECTURES = ("bert", "distilbert", "roberta", "deberta-v2", "electra", "albert", "xlm-roberta", "modernbert", "mpnet")
SEQUENCE = "AutoModelForSequenceClassification"
LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)
TEXTS = Table({"text": ["good", "the screen is awful and the sound is weak", "very " * 60, ""]})


def spec_of(source, data, seed=3, **changes):
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, len(data.train)).default
    return TrialSpec(1, candidate, default | {"epochs": 1, "batch_size": 8} | changes, seed)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_two_steps_save_load_same_answers(architecture, tiny_source, text_data, listening, tmp_path):
    data = text_data(rows=20)
    report = listening()
    fitted = Full().fit(spec_of(tiny_source(architecture), data), data, report)
    assert report.progress == [0.5, 1.0]
    assert report.outputs[-1]["logits"].shape == (5, 2)
    folder = tmp_path / "model"
    folder.mkdir()
    fitted.save(folder)
    again = Full().load(folder)
    answers = fitted.outputs(TEXTS)["logits"]
    assert answers.shape == (4, 2)
    np.testing.assert_allclose(again.outputs(TEXTS)["logits"], answers, atol=1e-6)
    # What was reported came from the small look-up table, in bfloat16 where the processor has it.
    np.testing.assert_allclose(report.outputs[-1]["logits"], fitted.outputs(data.rows.take(data.validation))["logits"], atol=0.03)
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {"0": "blame", "1": "praise"}
    assert config["problem_type"] == "single_label_classification"
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == 24
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    assert tokenizer["padding"] is None
    assert tokenizer["truncation"]["max_length"] == 24


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_the_library_loads_what_was_saved(architecture, tiny_source, text_data, listening, tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    data = text_data(rows=20)
    fitted = Full().fit(spec_of(tiny_source(architecture), data), data, listening())
    fitted.save(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        batch = tokenizer(TEXTS["text"], padding=True, truncation=True, return_tensors="pt")
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.numpy()
    np.testing.assert_allclose(fitted.outputs(TEXTS)["logits"], logits, atol=1e-5)


def test_it_learns_and_the_same_seed_gives_the_same_weights(tiny_source, text_data, listening):
    data = text_data(rows=200)
    source = tiny_source("bert")
    spec = spec_of(source, data, learning_rate=3e-3, epochs=6)
    reports = [listening(), listening()]
    first, second = (Full().fit(spec, data, report).model.state_dict() for report in reports)
    assert all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)
    assert np.array_equal(reports[0].outputs[-1]["logits"], reports[1].outputs[-1]["logits"])
    other = Full().fit(replace(spec, seed=4), data, listening()).model.state_dict()
    assert not np.array_equal(first["classifier.weight"].numpy(), other["classifier.weight"].numpy())
    assert reports[0].measures[-1]["train_loss"] < 0.5 * reports[0].measures[0]["train_loss"]
    right = reports[0].outputs[-1]["logits"].argmax(1) == data.targets[data.validation]
    assert right.mean() > 0.9


def test_training_leaves_unused_rows_of_the_table_and_the_kept_source_alone(tiny_source, text_data, listening):
    from autoft_plugins.models.transformer.loading import state_of

    source = tiny_source("bert")
    data = text_data(rows=20)
    before = {name: value.clone() for name, value in state_of(source).items()}
    fitted = Full().fit(spec_of(source, data, learning_rate=1e-2), data, listening())
    assert all(np.array_equal(before[name].numpy(), value.numpy()) for name, value in state_of(source).items())
    table = fitted.model.get_input_embeddings().weight.detach().numpy()
    original = before["embeddings.word_embeddings.weight"].numpy()
    changed = (table != original).any(axis=1)
    assert table.shape == original.shape
    assert changed[4:].any()
    assert not changed[-2]  # "##z" comes in no text


def test_an_open_vocabulary_learns_the_same_as_the_whole_table(tiny_source, text_data, listening, monkeypatch):
    from autoft_plugins.models.transformer import training

    class Whole(training.CompactEmbedding):
        def __init__(self, model, used):
            super().__init__(model, np.arange(model.get_input_embeddings().num_embeddings))

    source, data = tiny_source("mpnet"), text_data(rows=20)
    spec = spec_of(source, data, learning_rate=1e-3)
    small = Full().fit(spec, data, listening()).outputs(TEXTS)["logits"]
    monkeypatch.setattr(training, "CompactEmbedding", Whole)
    np.testing.assert_allclose(Full().fit(spec, data, listening()).outputs(TEXTS)["logits"], small, atol=1e-4)


def test_out_of_memory_halves_the_batch_and_is_remembered(tiny_source, text_data, listening, monkeypatch):
    import torch

    from autoft_plugins.models.transformer import stepping

    monkeypatch.setattr(stepping, "_known_limits", {})
    source, data = tiny_source("distilbert"), text_data(rows=40)
    spec = spec_of(source, data, dropout=0.0)
    expected = Full().fit(spec, data, listening()).outputs(TEXTS)["logits"]
    from transformers import DistilBertForSequenceClassification as Kind

    sizes, forward = [], Kind.forward

    def scarce(self, input_ids=None, **rest):
        if self.training:
            sizes.append(len(input_ids))
            if len(input_ids) > 3:
                raise torch.OutOfMemoryError("injected")
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(Kind, "forward", scarce)
    got = Full().fit(spec, data, listening()).outputs(TEXTS)["logits"]
    assert max(sizes) == 8
    np.testing.assert_allclose(got, expected, atol=3e-3)
    known = dict(stepping._known_limits)
    assert len(known) == 1
    sizes.clear()
    Full().fit(spec, data, listening())
    assert sum(size > 3 for size in sizes) <= 2, "the limit was forgotten"


def test_a_row_that_does_not_fit_ends_the_trial(tiny_source, text_data, listening, monkeypatch):
    from transformers import DistilBertForSequenceClassification as Kind

    from autoft_plugins.models.transformer import stepping

    monkeypatch.setattr(stepping, "_known_limits", {})

    def none_left(self, **rest):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    monkeypatch.setattr(Kind, "forward", none_left)
    data = text_data(rows=20)
    with pytest.raises(TrialError, match="single row"):
        Full().fit(spec_of(tiny_source("distilbert"), data), data, listening())


def test_another_error_is_not_taken_for_memory(tiny_source, text_data, listening, monkeypatch):
    from transformers import DistilBertForSequenceClassification as Kind

    def broken(self, **rest):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Kind, "forward", broken)
    data = text_data(rows=20)
    with pytest.raises(RuntimeError, match="mat1"):
        Full().fit(spec_of(tiny_source("distilbert"), data), data, listening())


def test_a_loss_that_is_not_finite_ends_the_trial(tiny_source, text_data, listening):
    data = text_data(rows=20)
    data = replace(data, weights=np.full(20, np.inf))
    with pytest.raises(TrialError, match="not finite"):
        Full().fit(spec_of(tiny_source("bert"), data), data, listening())


def test_stops_at_the_step_it_is_asked_to(tiny_source, text_data, listening):
    data = text_data(rows=48)
    report = listening(stop_after=3)
    fitted = Full().fit(spec_of(tiny_source("bert"), data, epochs=4), data, report)
    assert report.steps == 4
    assert report.progress == []
    assert np.isfinite(fitted.outputs(TEXTS)["logits"]).all()


def test_a_short_clock_shortens_the_horizon_to_its_end(tiny_source, text_data, listening, monkeypatch):
    from autoft_plugins.models.transformer import training

    now = [0.0]

    def tick():
        now[0] += 1.0  # a step asks once
        return now[0]

    monkeypatch.setattr(training, "monotonic", tick)
    data = text_data(rows=128)
    spec = spec_of(tiny_source("bert"), data, epochs=4)  # 48 steps, about 48 s by this clock
    free, short = listening(), listening(left=lambda: 36.0 - now[0])
    Full().fit(spec, data, free)
    assert free.steps >= 48
    now[0] = 0.0
    Full().fit(spec, data, short)
    assert short.progress[-1] == 1.0
    assert short.measures[-1]["learning_rate"] < 0.1 * spec.hyperparameters["learning_rate"]
    assert now[0] <= 36.0
    assert 15 <= short.steps < free.steps


def test_without_a_clock_no_choice_depends_on_it(tiny_source, text_data, listening, monkeypatch):
    from autoft_plugins.models.transformer import training

    data = text_data(rows=40)
    spec = spec_of(tiny_source("bert"), data, epochs=3)
    usual, slow = listening(), listening()
    Full().fit(spec, data, usual)
    now = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(training, "monotonic", lambda: float(next(now)))
    Full().fit(spec, data, slow)
    assert usual.progress == slow.progress
    assert np.array_equal(usual.outputs[-1]["logits"], slow.outputs[-1]["logits"])


def test_uneven_classes_open_the_balance(tiny_source, text_data, listening):
    source = tiny_source("bert")
    even, uneven = text_data(rows=48), text_data(rows=48, uneven=True)
    model, candidate = Full(), Candidate("full", source)
    assert "balance" not in model.space(candidate, even.problem, 48).parameters
    space = model.space(candidate, uneven.problem, 48)
    assert "balance" in space.parameters
    logits = {}
    for balance in ("none", "weights", "oversample"):
        report = listening()
        model.fit(spec_of(source, uneven, balance=balance, epochs=3), uneven, report)
        logits[balance] = report.outputs[-1]["logits"]
    rare = {name: float((values[:, 1] - values[:, 0]).mean()) for name, values in logits.items()}
    assert rare["weights"] > rare["none"]
    assert rare["oversample"] > rare["none"]


def test_a_refit_has_no_validation_rows(tiny_source, text_data, listening):
    data = text_data(rows=20)
    data = replace(data, train=np.arange(20), validation=np.zeros(0, np.int64))
    report = listening()
    Full().fit(spec_of(tiny_source("bert"), data), data, report)
    assert report.outputs[-1]["logits"].shape == (0, 2)


def test_the_program_runs_on_its_example(tiny_source, text_data, listening):
    import torch

    data = text_data(rows=20)
    fitted = Full().fit(spec_of(tiny_source("bert"), data), data, listening())
    program = fitted.program()
    (part,) = program.parts
    assert [tensor.name for tensor in part.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert all(min(part.example[tensor.name].shape) >= 2 for tensor in part.inputs)
    with torch.no_grad():
        made = part.graph(**{name: torch.from_numpy(value) for name, value in part.example.items()})["logits"]
    assert made.shape == (2, 2)
    assert program.config["id2label"] == {0: "blame", 1: "praise"}
    assert set(program.encoder.files) >= {"tokenizer.json", "tokenizer_config.json"}
    assert part.graph.config._attn_implementation == "sdpa"


def test_candidates_say_why_not(tiny_source, text_data):
    source, data, model = tiny_source("bert"), text_data(rows=48), Full()
    (good,) = model.candidates(data.problem, [source], LIMITS, data.rows)
    assert good.proposed
    assert good.flops > 0
    assert good.memory > 0
    german = data.problem.model_copy(update={"language": "de"})
    strange = Table({"text": ["东西很好 用了一周"] * 20})
    cases = {
        "knows en": (german, LIMITS, data.rows),
        "does not know": (data.problem, LIMITS, strange),
        "memory": (data.problem, replace(LIMITS, memory=1 << 20), data.rows),
        "would take": (data.problem, replace(LIMITS, seconds=0.001, flops=1e6), data.rows),
    }
    for words, (problem, limits, rows) in cases.items():
        (candidate,) = model.candidates(problem, [source], limits, rows)
        assert not candidate.proposed
        assert words in candidate.reason


def test_its_schedule_is_cut_where_it_does_not_fit(tiny_source, text_data):
    source, data, model = tiny_source("bert"), text_data(rows=48), Full()

    def proposed(rows, share):
        """With a time that holds `share` of a trial at the speed that the limits promise."""
        many = data.rows.take(np.arange(rows) % 48)
        (whole,) = model.candidates(data.problem, [source], LIMITS, many)
        (found,) = model.candidates(data.problem, [source], replace(LIMITS, seconds=share * whole.flops / LIMITS.flops), many)
        return found, found.flops / whole.flops

    assert proposed(1_000, 1.3)[1] == 1.0
    few, share = proposed(1_000, 1.0)
    assert few.proposed
    assert share == pytest.approx(0.4)
    assert "its schedule is cut to 40%" in few.reason
    assert not proposed(1_000, 0.5)[0].proposed, "a fifth of the schedule for few rows is rushed"
    assert proposed(40_000, 0.5)[0].proposed, "8,000 rows are enough"
    assert not proposed(40_000, 0.3)[0].proposed, "4,800 are too few"


def test_models_register_without_torch():
    code = "import sys, autoft_plugins.models.full, autoft_plugins.models.frozen, autoft_plugins.encoders.tokens;" + (
        "print(sorted({'torch', 'transformers', 'sklearn', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _copy(source, folder, change):
    """The source with other weights: `change` edits the tensors by name."""
    import shutil

    from safetensors.numpy import load_file, save_file

    shutil.copytree(source.folder, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return replace(source, folder=folder, sha256=str(folder))


@pytest.mark.parametrize("architecture", ["bert", "albert", "modernbert"])
@pytest.mark.parametrize("way", ["classifier", "body"])
def test_a_body_that_would_be_drawn_at_random_is_refused(architecture, way, tiny_source, tmp_path):
    from autoft_plugins.models.transformer import loading

    load = loading.body if way == "body" else lambda source: loading.pretrained(source, SEQUENCE, {}, 0.1, 1)
    source = tiny_source(architecture)

    def without_one(tensors):
        del tensors[next(name for name in sorted(tensors) if "layers." in name or "layer." in name)]

    def of_another_shape(tensors):
        name = next(name for name in sorted(tensors) if "word_embeddings" in name or "tok_embeddings" in name)
        tensors[name] = tensors[name][:, :8].copy()

    for number, change in enumerate((without_one, of_another_shape)):
        with pytest.raises(TrialError, match="1 weights of the body"):
            load(_copy(source, tmp_path / str(number), change))


@pytest.mark.parametrize("architecture", ["bert", "roberta", "electra", "albert", "xlm-roberta", "mpnet"])
def test_a_body_without_a_pooler_or_with_buffers_is_whole(architecture, tiny_source, tmp_path):
    from autoft_plugins.models.transformer import loading

    def published(tensors):
        for name in [name for name in tensors if name.startswith("pooler.")]:
            del tensors[name]
        tensors["embeddings.position_ids"] = np.arange(64)[None]

    source = _copy(tiny_source(architecture), tmp_path / "source", published)
    loaded = loading.pretrained(source, SEQUENCE, {}, 0.1, 1)
    assert all("pooler" in name or "classifier" in name for name in loaded.fresh)
    loading.body(source)
