"""A text as a list of its words, over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import task_bundles
from autoft.data.table import Table
from autoft.interfaces.problem import Problem
from autoft.loading import load_predictor
from autoft.runtime.bundle import Manifest
from autoft.runtime.schemas import input_schema
from autoft.serving.app import create_app
from autoft_plugins.tasks.token_classification import MOST_CHARACTERS

WORDS = ["so", "O'Ada", "Lovelace", "met", "Babbage"]
FOUND = [("O'Ada Lovelace", 3, 17), ("Babbage", 22, 29)]


def client_of(folder: Path) -> TestClient:
    predictor = load_predictor(folder, plugin_files=[task_bundles.PLUGIN], threads=1)
    return TestClient(create_app(predictor, name="names"), raise_server_exceptions=False)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(task_bundles.entities(tmp_path / "names"))


def places(entities: list[dict]) -> list[tuple[str, int, int]]:
    return [(entity["word"], entity["start"], entity["end"]) for entity in entities]


def test_words_are_answered_word_for_word(client: TestClient) -> None:
    string = client.post("/predict", json={"text": " ".join(WORDS)}).json()
    assert places(string["entities"]) != FOUND, "a string is parted at the apostrophe"
    for body in ({"text": WORDS}, {"review": WORDS}):
        assert places(client.post("/predict", json=body).json()["entities"]) == FOUND
    many = client.post("/predict", json={"inputs": [WORDS, "Babbage", {"text": WORDS}, {"review": []}, []]})
    assert [places(answer["entities"]) for answer in many.json()] == [FOUND, [("Babbage", 0, 7)], FOUND, [], []]


def test_hugging_faces_inputs_are_texts_unless_they_are_lists(client: TestClient) -> None:
    for inputs, expected in ((["Babbage", "Ada"], [[("Babbage", 0, 7)], [("Ada", 0, 3)]]), ([WORDS, "Ada"], [FOUND, [("Ada", 0, 3)]])):
        assert [places(found) for found in client.post("/", json={"inputs": inputs}).json()] == expected
    assert places(client.post("/", json={"inputs": {"text": WORDS}}).json()) == FOUND


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"text": 3}, "text", "should be a text or a list, not a number"),
        ({"text": None}, "text", "should be a text or a list, not null"),
        ({"text": ["a", 3]}, "text", "item 1 should be a text, not a number"),
        ({"inputs": [["a", ["b"]]]}, "inputs.0", "item 1 should be a text, not a list"),
    ],
)
def test_what_is_neither_is_refused(client: TestClient, body: dict, field: str, reason: str) -> None:
    response = client.post("/predict", json=body)
    assert (response.status_code, response.json()) == (422, {"error": f"{field} {reason}", "field": field})


def test_texts_without_end_are_refused(client: TestClient) -> None:
    for text in ("! " * MOST_CHARACTERS, ["!"] * MOST_CHARACTERS):
        response = client.post("/predict", json={"inputs": ["fine", text]})
        assert response.status_code == 422
        assert "row 2: the text has 400,000 characters, more than the 200,000 of a request" in response.json()["error"]


def test_a_column_called_inputs_holds_rows(tmp_path: Path) -> None:
    folder = task_bundles.entities(tmp_path / "odd")
    problem = Manifest.model_validate_json((folder / "autoft.json").read_bytes()).problem
    client = client_of(task_bundles.changed(folder, problem=problem.model_copy(update={"fields": {"text": ("inputs",), "label": ("x",)}})))
    many = client.post("/predict", json={"inputs": ["Babbage", {"inputs": WORDS}]}).json()
    assert [places(answer["entities"]) for answer in many] == [[("Babbage", 0, 7)], FOUND]
    assert len(client.post("/predict", json={"inputs": ["Babbage", "Ada"]}).json()) == 2


def test_the_page_says_so(client: TestClient) -> None:
    row = client.get("/info").json()["input_schema"]
    assert row["required"] == ["text"]
    assert row["properties"]["text"] == {"type": ["string", "array"], "items": {"type": "string"}}
    asked = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert row in asked["schema"]["anyOf"]
    assert asked["example"] == {"text": "some text"}


def test_only_a_task_that_says_so_takes_more_than_its_rows_show() -> None:
    problem: Problem = task_bundles.problem("text-classification", "single_label_classification", ("bad", "good"))
    assert input_schema(problem, Table({"text": ["a"]}), object()) == task_bundles.schema(text=task_bundles.TEXT)
