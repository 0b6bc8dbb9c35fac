"""The page to try a model, in a browser."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

import task_bundles
from autoft.loading import load_predictor
from autoft.serving.app import create_app
from autoft.serving.page import FILES, FOLDER
from http_servers import listening
from small_bundle import make_bundle
from task_bundles import NUMBER, TEXT, schema

PICTURES = Path(__file__).parents[2] / "docs" / "pictures" / "page.py"
CLASSES = schema(label=TEXT, score=NUMBER, scores=schema(bad=NUMBER, good=NUMBER))
ENTITIES = "\U0001f600 so Ada Lovelace met <b>Babbage</b>"


def app_of(folder: Path, name: str):
    return create_app(load_predictor(folder, plugin_files=[task_bundles.PLUGIN], threads=1), name=name)


def test_it_needs_no_other_machine_and_nothing_stands_inline(bundle: Path) -> None:
    client = TestClient(app_of(bundle, "reviews"))
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|<script>|\sstyle=|\son\w+=", page.text)
    for name in FILES:
        found = client.get(f"/page/{name}")
        assert found.headers["content-type"].startswith(FILES[name].partition(";")[0])
        assert not re.search(r"https?://(?!www\.w3\.org)|innerHTML|@import|url\(", found.text)
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted([*FILES, "page.html"])


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    spec = importlib.util.spec_from_file_location("page_pictures", PICTURES)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(pictures: ModuleType) -> Iterator:
    with pictures.chromium() as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_class_is_predicted_by_the_keyboard_alone(bundle: Path, browser, width: int, scheme: str) -> None:
    made = make_bundle(bundle.with_name("scores"), output_schema=CLASSES, licences={"mini": "Apache-2.0"})
    with listening(app_of(made, "full:mini")) as address:
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        page.get_by_role("heading", name="full:mini").wait_for()
        page.keyboard.type("it's great")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.locator("#answer .chosen").wait_for()
        assert page.locator("#answer strong").inner_text() == "good"
        first, second = page.locator(".bars li").all()
        assert (first.locator(".name").inner_text(), second.locator(".name").inner_text()) == ("good", "bad")
        page.wait_for_timeout(400)
        wide, narrow = (row.locator("i").bounding_box()["width"] for row in (first, second))
        assert wide > 5 * narrow > 0
        assert "Apache-2.0 (mini)" in page.locator("#about").inner_text()
        assert "0.900" in page.locator("#figures").inner_text()
        assert f"curl {address}/predict" in page.locator("#curl").inner_text()
        assert """-d '{"text":"it'\\''s great"}'""" in page.locator("#curl").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background))) < 200) == (scheme == "dark")
        assert said == []
        page.close()


@pytest.mark.browser
def test_every_kind_of_answer(tmp_path: Path, browser, pictures: ModuleType) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    with listening(app_of(task_bundles.entities(tmp_path / "names"), "names")) as address:
        pictures.ask(page, address, [ENTITIES])
        shown = page.locator("#answer .marked").evaluate("node => [...node.childNodes].map((n) => n.firstChild?.data ?? n.data).join('')")
        assert shown == ENTITIES
        assert page.locator("mark").first.evaluate("node => node.firstChild.data") == "Ada Lovelace"
        assert re.search(r"Kinds\s+NAME\s", page.locator("#facts").inner_text())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    with listening(app_of(task_bundles.pair_score(tmp_path / "pairs"), "pairs")) as address:
        pictures.ask(page, address, ["a man sleeps", "a man eats"])
        assert page.get_by_label("Hypothesis").input_value() == "a man eats"
        assert page.locator(".number").inner_text() == "2.5"
    with listening(app_of(task_bundles.multi_label(tmp_path / "labels"), "labels")) as address:
        pictures.ask(page, address, ["great but broken"])
        assert page.locator(".bars .chosen").count() == 2
    app = app_of(make_bundle(tmp_path / "writes", output_schema=schema(text=TEXT)), "writes")
    with listening(app) as address:
        page.route("**/predict", lambda route: route.fulfill(body=json.dumps({"text": "a <i>title</i>"}), content_type="application/json"))
        pictures.ask(page, address, ["a long text"])
        assert page.locator(".written").inner_text() == "a <i>title</i>"
    page.close()


@pytest.mark.browser
def test_a_refusal_is_said_and_a_key_is_asked_for(bundle: Path, browser) -> None:
    app = app_of(bundle, "reviews")

    @app.middleware("http")
    async def locked(request: Request, follow):
        from autoft.serving.replies import Json

        right = request.headers.get("authorization") == "Bearer secret"
        free = request.url.path == "/" or request.url.path.startswith("/page/")
        return await follow(request) if right or free else Json({"error": "no key"}, status_code=401)

    with listening(app) as address:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.goto(address)
        page.get_by_label("This server wants a key").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_text("does not take this key").wait_for()
        page.get_by_label("This server wants a key").fill("secret")
        page.keyboard.press("Enter")
        page.get_by_label("Review").fill("awful")
        page.keyboard.press("Control+Enter")
        page.locator("#answer strong").wait_for()
        assert page.locator("#answer strong").inner_text() == "bad"
        assert '"authorization: Bearer $KEY"' in page.locator("#curl").inner_text()
        assert "secret" not in page.locator("body").inner_text()
        page.route("**/predict", lambda route: route.fulfill(status=429, headers={"retry-after": "2"}, body='{"error": "too many wait"}'))
        page.get_by_role("button", name="Predict").click()
        page.get_by_role("alert").get_by_text("too many wait Try again in 2 s.").wait_for()
        page.close()


@pytest.mark.browser
def test_pictures_are_taken(bundle: Path, browser, pictures: ModuleType, tmp_path: Path) -> None:
    with listening(app_of(bundle, "reviews")) as address:
        made = pictures.take(browser, address, ["great"], tmp_path)
    assert [path.name for path in made] == ["page-1280.png", "page-390.png"]
    assert all(path.stat().st_size > 10_000 for path in made)
