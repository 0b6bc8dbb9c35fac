"""README.md of a bundle."""

from __future__ import annotations

import re

import yaml

from autoft.interfaces.problem import Head, Metric, Problem
from autoft.report import model_card
from autoft.runtime.bundle import EncoderRecord, Manifest, PluginRecord, Provenance, TrimRecord
from stream_of_events import RESULT


def manifest(**more) -> Manifest:
    fields = {
        "autoft": "0.1.0",
        "created": "2026-01-01T00:00:00+00:00",
        "problem": Problem(
            task="text-classification",
            fields={"text": ("review",), "label": ("stars",)},
            inputs=("text",),
            labels=("negative", "positive"),
            head=Head(kind="single_label_classification", outputs=2),
            metric=Metric(name="f1_macro"),
            max_length=128,
            data_sha256="ab" * 32,
            language="en",
        ),
        "exporter": "onnx",
        "encoder": EncoderRecord(name="tokens", config={"max_length": 128}),
        "files": {"onnx/model.onnx": "cd" * 32, "tokenizer.json": "ef" * 32},
        "provenance": Provenance(
            candidate="full:all-mpnet-base-v2", source="all-mpnet-base-v2", run_id="reviews-1", versions={"torch": "2.13.0"}
        ),
        "licences": {"all-mpnet-base-v2": "Apache-2.0"},
        "figures": {"test": {"f1_macro": 0.9, "accuracy": 0.91}, "validation": {"f1_macro": 0.91}},
        "proof": {"passed": True, "max_difference": 6e-7, "combinations": [{}] * 15, "rows": 100, "changed_labels": 0},
    }
    return Manifest(**{**fields, **more})


def front_matter(card: str) -> dict:
    head = re.match(r"---\n(.*?)\n---\n", card, re.S)
    return yaml.safe_load(head[1])


def test_the_front_matter_is_what_hubs_read():
    head = front_matter(model_card(manifest(), RESULT))
    assert (head["license"], head["language"], head["pipeline_tag"]) == ("apache-2.0", ["en"], "text-classification")
    assert head["metrics"] == ["f1_macro"]
    (result,) = head["model-index"][0]["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]} == {"f1_macro": 0.9, "accuracy": 0.91}


def test_the_card_says_use_data_figures_and_proof():
    card = model_card(manifest(), RESULT)
    assert 'autoft predict . "a text"' in card
    assert "Tokenizer.from_file" in card
    assert 'ask = pipeline("text-classification", model="../model", tokenizer=".")' in card
    assert "| f1_macro | 0.9100 | 0.9000 |" in card
    assert "f1_macro of this model: 0.900, 95 % interval 0.850 to 0.940" in card
    assert "gives the same answers as the trained model: largest difference 6.0e-07 over 15 combinations" in card
    assert "Columns: text from review, label from stars." in card
    assert "longer than 128" in card
    assert "all-mpnet-base-v2: Apache-2.0" in card


def test_the_card_says_how_far_its_probabilities_are_off():
    calibration = {"method": "temperature", "temperature": 1.5, "folded": True, "rows": 300, "ece_before": 0.05, "ece_after": 0.02}
    assert "off by 5.0 points on average, after it, on rows that were held out, by 2.0." in model_card(
        manifest(), RESULT | {"calibration": calibration}
    )
    assert "points on average" not in model_card(manifest(), RESULT)
    left = model_card(manifest(), RESULT | {"calibration": {"rows": 40, "ece_before": 0.1, "reason": "40 rows tell too little"}})
    assert "left as they are: 40 rows tell too little." in left


def test_an_interval_without_width_is_not_told():
    card = model_card(manifest(), RESULT | {"interval": {"winner": {"value": 1.0, "low": 1.0, "high": 1.0}}})
    assert "- f1_macro of this model: 1.000\n" in card
    assert "95 %" not in card


def test_a_trimmed_vocabulary_is_told_with_what_it_costs():
    loss = {"metric": "f1_macro", "points": 0.25, "before": 0.91, "after": 0.9075, "rows": 400}
    card = model_card(manifest(trimmed=TrimRecord(kept=8123, of=30522, share=0.0, loss=loss)), RESULT)
    assert "8,123 of 30,522 tokens were kept" in card
    assert "costs 0.25 points of f1_macro (0.9100 to 0.9075, 400 rows)" in card
    assert "trimmed" not in model_card(manifest(), RESULT)


def test_a_bundle_of_another_encoder_and_with_a_plugin_says_so():
    problem = manifest().problem.model_copy(
        update={"inputs": ("a", "b"), "labels": (), "task": "numbers", "language": None, "max_length": None}
    )
    other = manifest(
        problem=problem,
        encoder=EncoderRecord(name="numbers"),
        plugin_files=(PluginRecord(name="mine.py", sha256="12" * 32),),
        licences={},
        proof={},
    )
    card = model_card(other, {})
    assert "transformers" not in card
    assert 'model.predict([{"a": "...", "b": "..."}])' in card
    assert "`mine.py` (sha256 1212" in card
    assert "## Proof" not in card
    assert "license" not in front_matter(card)


SCORE = {"properties": {"score": {"type": "number"}}}
LABELS = {"properties": {"labels": {}, "scores": {}}}
ENTITIES = {"properties": {"entities": {}}}


def kind(task: str, head: str, labels: tuple[str, ...], **more) -> Problem:
    return manifest().problem.model_copy(
        update={"task": task, "labels": labels, "head": Head(kind=head, outputs=max(1, len(labels))), **more}
    )


def test_a_pair_is_asked_with_two_texts():
    fields = {"text": ("premise",), "text_pair": ("hypothesis",), "label": ("score",)}
    pair = kind("pair-score", "regression", (), inputs=("text", "text_pair"), fields=fields)
    card = model_card(manifest(problem=pair, output_schema=SCORE), {})
    assert 'autoft predict . "a text" "another text"' in card
    assert 'encode("a text", "another text")' in card
    assert "print(float(logits[0, 0]))" in card
    assert "Answers: a number." in card
    assert 'ask({"text": "a text", "text_pair": "another text"})' in card
    assert front_matter(card)["pipeline_tag"] == "sentence-similarity"


def test_labels_and_entities_say_what_they_are():
    labels = model_card(manifest(problem=kind("multi-label", "multi_label_classification", ("a", "b")), output_schema=LABELS), {})
    assert "Answers: any number of a, b." in labels
    assert "np.exp(-logits[0])" in labels
    assert "top_k=None" in labels
    assert "knows no thresholds" in labels
    tags = kind("token-classification", "token_classification", ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
    made = {"problem": tags, "output_schema": ENTITIES, "encoder": EncoderRecord(name="words")}
    card = model_card(manifest(**made), {})
    assert "Answers: entities of the kinds PER, LOC." in card
    assert 'aggregation_strategy="first"' in card
    assert "drops what is behind" in card
    assert "onnxruntime and tokenizers alone" not in card
    crf = Provenance(candidate="full:tiny", hyperparameters={"crf": True})
    assert "transformers" not in model_card(manifest(**made, provenance=crf), {})


def test_names_that_are_markup_stay_names():
    hostile = "<script>x</script> | [a](b) `c`\n---\n# d"
    problem = manifest().problem.model_copy(update={"labels": (hostile, "b"), "language": hostile, "fields": {"text": (hostile,)}})
    card = model_card(manifest(problem=problem, licences={hostile: hostile}), {**RESULT, "verdict": hostile, "rows": {hostile: 1}})
    assert front_matter(card)["language"] == [hostile]
    body = card.split("\n---\n", 1)[1]
    assert not re.search(r"(?<!\\)<script", body)
    assert not re.search(r"(?<!\\)\[a\\?\]\(b\)", body)
    assert "\n# d" not in body


def test_the_python_in_the_card_compiles():
    blocks = re.findall(r"```python\n(.*?)```", model_card(manifest(), RESULT), re.S)
    assert len(blocks) == 3
    for block in blocks:
        compile(block, "card", "exec")


def test_a_mean_of_weights_is_told() -> None:
    origin = manifest().provenance
    assert "- weights:" not in model_card(manifest(), {})
    card = model_card(manifest(provenance=origin.model_copy(update={"averaged": (3, 2)})), {})
    assert "- weights: the mean of those of trials 3, 2 of the run" in card
