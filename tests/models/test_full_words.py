"""Token classification from weights to bundle: windows, CRF, and the same tags everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.encoder import joined
from autoft.interfaces.model import Candidate, FitData, Limits, TrialSpec
from autoft.interfaces.task import Decoder, Match
from autoft.proof import prove
from autoft.runtime.bundle import write_decoder
from autoft.trial import run_trial
from autoft_exporters.onnx_fp32 import OnnxFp32
from autoft_plugins.encoders.tokens import open_tokenizer
from autoft_plugins.encoders.words import OVERLAP, WordEncoder, WordEncoding
from autoft_plugins.models.full import Full
from autoft_plugins.models.transformer.anatomy import anatomy, tokenizer_path
from autoft_plugins.models.transformer.objectives import OBJECTIVES
from autoft_plugins.models.transformer.proposals import fine_tuning, propose, sample
from autoft_plugins.tasks.token_classification import TokenClassification

TASK = TokenClassification()
FILLER = ["the", "a", "it", "is", "was", "and", "but", "very", "so", "works"]
THINGS = ["phone", "case", "sound", "screen", "cable"]


def sentences(rows: int) -> Table:
    """Things are entities, with the praise before them if there is one; every seventh text is far longer than a window."""
    generator = np.random.default_rng(7)
    texts, labels = [], []
    for row in range(rows):
        words, tags = [], []
        for _ in range(60 if row % 7 == 3 else int(generator.integers(1, 6))):
            kind = generator.integers(0, 4)
            if kind == 0:
                words += ["good", str(generator.choice(THINGS))]
                tags += ["B-THING", "I-THING"]
            elif kind == 1:
                words.append(str(generator.choice(THINGS)))
                tags.append("B-THING")
            else:
                words.append(str(generator.choice(FILLER)))
                tags.append("O")
        if row == 5:
            words[1:1], tags[1:1] = ["\u0007"], ["O"]
        texts.append(words)
        labels.append(tags)
    return Table({"tokens": texts, "ner_tags": labels}, "things.jsonl")


@pytest.fixture
def data(tmp_path) -> FitData:
    table = sentences(60)
    problem = TASK.problem(table, Match(1.0, {"text": ("tokens",), "label": ("ner_tags",)}, ""), metric=None, seed=0)
    problem = problem.model_copy(update={"max_length": 16})
    places = np.arange(len(table))
    held = places % 4 == 3
    return FitData(problem, TASK.inputs(problem, table), TASK.targets(problem, table), places[~held], places[held], tmp_path / "cache")


def fit(data: FitData, source, folder: Path, **settings):
    model, candidate = Full(), Candidate("full", source)
    default = model.space(candidate, data.problem, len(data.train)).default
    spec = TrialSpec(1, candidate, {**default, "learning_rate": 3e-3, "epochs": 26, "batch_size": 8, **settings}, 11)
    outcome = run_trial(spec, data, model, TASK, folder)
    assert outcome.status == "done", outcome.reason
    return outcome


@pytest.mark.parametrize("crf", [False, True])
def test_learns_saves_exports_and_serves_the_same_tags(crf, data, tiny_source, tmp_path):
    outcome = fit(data, tiny_source("bert"), tmp_path / "trial", crf=crf)
    assert outcome.value > 0.7
    fitted, rows = outcome.fitted, data.rows.take(data.validation)
    assert sorted(fitted.extra()) == (["ends", "starts", "transitions"] if crf else [])
    decoder = TASK.fit_decoder(data.problem, {}, data.targets).joined(fitted.extra())
    expected = TASK.decide(data.problem, decoder, fitted.outputs(rows))
    assert expected.shape == (len(rows), max(map(len, rows["words"])))
    assert (expected >= 0).sum() == sum(map(len, rows["words"]))

    assert sorted(Full().load(tmp_path / "trial" / "model").extra()) == sorted(fitted.extra())
    fitted.save(_made(tmp_path / "saved"))
    again = Full().load(tmp_path / "saved")
    for name, array in fitted.extra().items():
        np.testing.assert_array_equal(again.extra()[name], array)
    np.testing.assert_allclose(again.outputs(rows)["logits"], fitted.outputs(rows)["logits"], atol=1e-5)

    folder = _made(tmp_path / "bundle")
    program = fitted.program()
    for name, content in program.encoder.files.items():
        (folder / name).write_bytes(content)
    OnnxFp32().export(program, data.problem, folder)
    encoding, session = WordEncoder().open(folder, program.encoder.config), OnnxFp32().open(folder, 1)
    proof = prove(fitted, session, encoding, TASK, data.problem, rows)
    assert proof.passed, proof.reasons
    assert proof.rows == len(rows)

    config = write_decoder(folder, decoder)
    served = Decoder(config, dict(np.load(folder / "decoder.npz")) if crf else {})
    pieces = []
    for row in range(len(rows)):
        encoded = encoding.encode(rows.take([row]))
        pieces.append(([row], encoded.by_row(session.run(encoded.arrays))))
    outputs = joined(pieces, len(rows))
    np.testing.assert_array_equal(TASK.decide(data.problem, served, outputs), expected)
    answers = TASK.decode(data.problem, served, outputs, rows)
    long = next(row for row in range(len(rows)) if len(rows["words"][row]) > 60)
    assert max(entity["end"] for entity in answers[long]["entities"]) > len(rows["text"][long]) * 0.8


def test_a_crf_is_searched_and_its_transitions_are_reported(data, tiny_source, listening):
    source = tiny_source("distilbert")
    model, candidate = Full(), Candidate("full", source)
    space = model.space(candidate, data.problem, 45)
    assert space.parameters["crf"].values == (False, True)
    assert any(point["crf"] for point in space.first)
    report = listening()
    fitted = model.fit(TrialSpec(1, candidate, {**space.default, "epochs": 2, "crf": True}, 0), data, report)
    assert all(extra["transitions"].shape == (3, 3) for extra in report.extras)
    np.testing.assert_array_equal(report.extras[-1]["transitions"], fitted.extra()["transitions"])
    assert fitted.extra()["transitions"].any()
    assert report.outputs[-1]["logits"].shape[0] == len(data.validation)
    again = model.fit(TrialSpec(2, candidate, {**space.default, "epochs": 2, "crf": True}, 0), data, listening())
    np.testing.assert_array_equal(again.extra()["transitions"], fitted.extra()["transitions"])


def test_a_refit_without_validation_rows_and_answers_to_nothing(data, tiny_source, listening):
    from dataclasses import replace

    model, candidate = Full(), Candidate("full", tiny_source("bert"))
    default = model.space(candidate, data.problem, 60).default
    whole = replace(data, train=np.arange(60), validation=np.zeros(0, np.int64))
    report = listening()
    fitted = model.fit(TrialSpec(1, candidate, {**default, "epochs": 1, "crf": True}, 0), whole, report)
    assert report.outputs[-1]["logits"].shape[0] == 0
    empty = TASK.check_inputs(data.problem, [{"text": ""}, {"text": "  "}])
    outputs = fitted.outputs(empty)
    assert outputs["logits"].shape[:2] == (2, 0)
    decoder = Decoder(arrays=fitted.extra())
    assert TASK.decode(data.problem, decoder, outputs, empty) == [{"entities": []}, {"entities": []}]
    assert fitted.outputs(empty.take([]))["logits"].shape[0] == 0


def test_windows_are_mapped_and_parsed_once(data, tiny_source, monkeypatch):
    from autoft_plugins.models.transformer import windows
    from autoft_plugins.models.transformer.encoding import token_config

    source = tiny_source("bert")
    config = token_config(source, 16, ("text",))
    parsed = []
    monkeypatch.setattr(windows, "open_tokenizer", lambda *given: parsed.append(given) or open_tokenizer(*given))
    made, again = (windows.cached_windows(source, data.rows, config, data.cache) for _ in range(2))
    assert len(parsed) == 1
    fresh = windows.windowed(WordEncoding(open_tokenizer(parsed[0][0], None), config), data.rows)
    units = np.arange(len(fresh.owners))
    for one in (made, again):
        assert isinstance(one.tokens.ids, np.memmap)
        assert isinstance(one.places.words, np.memmap)
        np.testing.assert_array_equal(one.owners, fresh.owners)
        for name, array in fresh.inputs(units).items():
            np.testing.assert_array_equal(one.inputs(units)[name], array)


def test_a_long_text_is_costed_in_all_its_windows(data, tiny_source):
    source = tiny_source("bert")
    shape = anatomy(source)
    long = Table({"text": [" ".join(["phone"] * 300)] * 2, "words": [[(6 * k, 6 * k + 5) for k in range(300)]] * 2})
    seen = sample(source, data.problem, long, shape)
    tokens = len(open_tokenizer(tokenizer_path(source), None).encode(long["text"][0]).ids) - 2
    room = 14
    assert seen.length == pytest.approx(tokens / (1 - (room // OVERLAP) / room) * 16 / room, rel=0.05)
    cut = data.problem.model_copy(update={"head": data.problem.head.model_copy(update={"kind": "single_label_classification"})})
    assert sample(source, cut, long, shape).length == 16
    limits = Limits(memory=1 << 40, threads=1, gpus=0, seconds=None, flops=0.0)
    asked = [propose("full", problem, [source], limits, long, passes=fine_tuning, heads=OBJECTIVES) for problem in (data.problem, cut)]
    (whole,), (short,) = asked
    passes = [fine_tuning(2, shape, problem, seen.length)[0] for problem in (data.problem, cut)]
    assert whole.flops / short.flops == pytest.approx(seen.length / 16 * passes[0] / passes[1])


def test_words_without_a_token_are_answered_with_o_and_learned_so(data, tiny_source):
    from autoft_plugins.encoders.words import Places
    from autoft_plugins.models.transformer.objectives.words import learnable_tags
    from autoft_plugins.models.transformer.tokenization import TokenisedRows
    from autoft_plugins.models.transformer.windows import WindowedRows

    nothing = np.zeros(0, np.int64)
    places = Places(np.array([0, 0, 1, 1]), np.array([0, 2, 0, 1]), nothing, nothing, np.array([3, 2]))
    windows = WindowedRows(TokenisedRows(np.zeros(0, np.int32), np.zeros(1, np.int64)), nothing, places)
    assert learnable_tags(windows, np.array([[1, 2, 2], [1, 2, -1]])).tolist() == [1, 1, 1, 2]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
