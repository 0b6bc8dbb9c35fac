"""`POST /` in the shapes of Hugging Face's inference API, and its own client against a running server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import task_bundles
from autoft.interfaces.problem import Problem
from autoft.loading import load_predictor
from autoft.serving.app import create_app
from autoft.serving.huggingface import question_of
from small_bundle import make_bundle

Make = Callable[[Path], Path]
SENTENCES = ["a man sleeps", "A dog sleeps", "nothing else"]


def client_of(folder: Path) -> TestClient:
    predictor = load_predictor(folder, plugin_files=[task_bundles.PLUGIN], threads=1)
    return TestClient(create_app(predictor, name="toy"), raise_server_exceptions=False)


@pytest.fixture
def multi_label(tmp_path: Path) -> TestClient:
    return client_of(task_bundles.multi_label(tmp_path / "labels"))


@pytest.fixture
def pairs(tmp_path: Path) -> TestClient:
    return client_of(task_bundles.pair_score(tmp_path / "pairs"))


@pytest.fixture
def names(tmp_path: Path) -> TestClient:
    return client_of(task_bundles.entities(tmp_path / "names"))


def test_labels_have_each_a_probability(multi_label: TestClient) -> None:
    answer = multi_label.post("/predict", json={"text": "great but broken"}).json()
    assert set(answer["labels"]) == {"bad", "good"}
    assert sum(answer["scores"].values()) > 1.5
    ((first, second),) = multi_label.post("/", json={"inputs": "great", "parameters": {"function_to_apply": "sigmoid"}}).json()
    assert (first["label"], second["label"]) == ("good", "bad")
    assert first["score"] > 0.9
    assert second["score"] == pytest.approx(0.5)
    assert len(multi_label.post("/", json={"inputs": ["great", "awful"], "parameters": {"top_k": 1}}).json()[1]) == 1


def test_a_pair_and_sentence_similarity(pairs: TestClient) -> None:
    pair = {"text": "a man sleeps", "text_pair": "a man eats"}
    score = pairs.post("/predict", json=pair).json()["score"]
    assert score == pytest.approx(2.5)
    assert pairs.post("/predict", json={"premise": "a man sleeps", "hypothesis": "a man eats"}).json() == {"score": score}
    assert pairs.post("/predict", json={"inputs": [pair, pair]}).json() == [{"score": score}] * 2
    assert pairs.post("/", json={"inputs": pair}).json() == [[{"label": "score", "score": score}]]
    assert pairs.post("/", json={"inputs": [pair], "parameters": {"function_to_apply": "none"}}).json()[0][0]["score"] == score
    similar = pairs.post("/", json={"inputs": {"source_sentence": "a man sleeps", "sentences": SENTENCES}}).json()
    assert similar == pytest.approx([5.0, 2.5, 0.0])
    assert pairs.post("/", json={"inputs": {"source_sentence": "a man sleeps", "sentences": []}}).json() == []


def test_entities_are_flat_for_a_text_and_lists_for_a_list(names: TestClient) -> None:
    text = "so Ada Lovelace met Babbage"
    ada, babbage = names.post("/", json={"inputs": text}).json()
    assert (ada["word"], ada["entity_group"], text[ada["start"] : ada["end"]]) == ("Ada Lovelace", "NAME", "Ada Lovelace")
    assert (babbage["start"], babbage["end"]) == (20, 27)
    assert 0 < babbage["score"] <= 1
    lists = names.post("/", json={"inputs": [text, "nobody"], "parameters": {"aggregation_strategy": "simple"}}).json()
    assert lists == [[ada, babbage], []]
    assert names.post("/", json={"inputs": text, "parameters": {"ignore_labels": ["NAME"]}}).json() == []
    assert names.post("/predict", json={"text": text}).json() == {"entities": [ada, babbage]}


def test_a_text_is_generated_text() -> None:
    problem = task_bundles.problem("seq2seq", "seq2seq")
    schema = task_bundles.schema(text=task_bundles.TEXT)
    for inputs, rows in (("long", ["long"]), (["long", "longer"], ["long", "longer"])):
        question = question_of({"inputs": inputs}, "text", problem, schema)
        assert question.rows == rows
        assert question.shaped([{"text": row.upper()} for row in rows]) == [{"generated_text": row.upper()} for row in rows]


def test_other_answers_have_no_shape(tmp_path: Path) -> None:
    made = task_bundles.changed(make_bundle(tmp_path / "other"), output_schema={"type": "object", "properties": {"box": {}}})
    response = client_of(made).post("/", json={"inputs": "a"})
    assert response.status_code == 422
    assert "/predict" in response.json()["error"]


def test_a_column_may_be_called_sentences(tmp_path: Path) -> None:
    problem = task_bundles.problem("text-classification", "single_label_classification", ("bad", "good"))
    renamed = problem.model_copy(update={"fields": {"text": ("sentences",), "label": ("rating",)}})
    made = task_bundles.changed(make_bundle(tmp_path / "odd"), problem=renamed)
    assert client_of(made).post("/", json={"inputs": {"sentences": "great"}}).json()[0][0]["label"] == "good"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": "a text"}, "inputs"),
        ({"inputs": ["a text"]}, "inputs.0"),
        ({"inputs": {"text": "a"}}, "inputs.text_pair"),
        ({"inputs": {"premise": "a"}}, "inputs.text_pair"),
        ({"inputs": [{"text": "a", "text_pair": 3}]}, "inputs.0.text_pair"),
        ({"inputs": {"text": "a", "text_pair": "b"}, "parameters": {"top_k": 1}}, "parameters.top_k"),
        ({"inputs": {"text": "a", "text_pair": "b"}, "parameters": {"function_to_apply": "sigmoid"}}, "parameters.function_to_apply"),
        ({"inputs": {"source_sentence": "a"}}, "inputs.sentences"),
        ({"inputs": {"sentences": ["a"]}}, "inputs.source_sentence"),
        ({"inputs": {"source_sentence": 3, "sentences": ["a"]}}, "inputs.source_sentence"),
        ({"inputs": {"source_sentence": "a", "sentences": "b"}}, "inputs.sentences"),
        ({"inputs": {"source_sentence": "a", "sentences": ["b", None]}}, "inputs.sentences.1"),
    ],
)
def test_malformed_pairs(pairs: TestClient, body: dict, field: str) -> None:
    response = pairs.post("/", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field)


def test_too_many_sentences_and_empty_ones(pairs: TestClient) -> None:
    many = pairs.post("/", json={"inputs": {"source_sentence": "a", "sentences": ["b"] * 1025}})
    assert (many.status_code, many.json()["field"]) == (413, "inputs.sentences")
    assert pairs.post("/", json={"inputs": {"source_sentence": "a", "sentences": ["b", " "]}}).status_code == 422


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"aggregation_strategy": "none"}, "aggregation_strategy"),
        ({"ignore_labels": "O"}, "ignore_labels"),
        ({"ignore_labels": [1]}, "ignore_labels"),
        ({"stride": 3}, "stride"),
        ({"top_k": 3}, "top_k"),
    ],
)
def test_parameters_that_entities_do_not_take(names: TestClient, parameters: dict, field: str) -> None:
    response = names.post("/", json={"inputs": "Ada", "parameters": parameters})
    assert (response.status_code, response.json()["field"]) == (422, f"parameters.{field}")


def test_a_model_of_one_text_has_no_similarity(names: TestClient) -> None:
    response = names.post("/", json={"inputs": {"source_sentence": "a", "sentences": ["b"]}})
    assert (response.status_code, response.json()["field"]) == (422, "inputs.source_sentence")


@pytest.mark.parametrize("make", [task_bundles.multi_label, task_bundles.pair_score, task_bundles.entities])
def test_openapi_describes_both_ways_to_ask(tmp_path: Path, make: Make) -> None:
    client = client_of(make(tmp_path / "bundle"))
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/predict", "/"):
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        assert client.post(path, json=content["example"]).status_code == 200
    asked = paths["/"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    similar = [kind for kind in asked["inputs"]["anyOf"] if "source_sentence" in kind.get("properties", {})]
    assert len(similar) == (make is task_bundles.pair_score)
    assert ("aggregation_strategy" in asked["parameters"]["properties"]) == (make is task_bundles.entities)


# Hugging Face's own client


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "autoft", "serve", str(folder), "--port", "0", "--plugin", str(task_bundles.PLUGIN)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert address, line + process.stderr.read()
        yield address[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_its_client_classifies_texts(tmp_path: Path) -> None:
    from huggingface_hub import InferenceClient

    with serving(make_bundle(tmp_path / "classes")) as address:
        found = InferenceClient(address).text_classification("great", top_k=2, function_to_apply="softmax")
    assert [one.label for one in found] == ["good", "bad"]
    assert found[0].score > 0.9


def test_its_client_finds_entities(tmp_path: Path) -> None:
    from huggingface_hub import InferenceClient

    with serving(task_bundles.entities(tmp_path / "names")) as address:
        client = InferenceClient(address)
        (found,) = client.token_classification("we met Ada Lovelace", aggregation_strategy="simple")
        assert client.token_classification("nobody", ignore_labels=["NAME"]) == []
    assert (found.entity_group, found.word, found.start, found.end) == ("NAME", "Ada Lovelace", 7, 19)


def test_its_client_compares_sentences(tmp_path: Path) -> None:
    from huggingface_hub import InferenceClient

    with serving(task_bundles.pair_score(tmp_path / "pairs")) as address:
        found = InferenceClient(address).sentence_similarity("a man sleeps", other_sentences=SENTENCES)
    assert found == pytest.approx([5.0, 2.5, 0.0])


def test_its_client_is_refused_with_a_reason(pairs: TestClient) -> None:
    problem: Problem = task_bundles.problem("pair-classification", "single_label_classification", ("no", "yes"), pair=True)
    from autoft.serving.requests import RequestError

    body = {"inputs": {"source_sentence": "a", "sentences": ["b"]}}
    with pytest.raises(RequestError, match="score pairs") as caught:
        question_of(body, "classes", problem, {})
    assert "pair-classification" in caught.value.message
