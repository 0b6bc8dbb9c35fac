"""Several bundles behind one address, keys, origins, and the log."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

import task_bundles
from autoft.cli.serve import _named, command
from autoft.errors import InputError
from autoft.serving import keys as keys_module
from autoft.serving.access import REQUEST_ID, AccessLog
from autoft.serving.assembled import assembled
from autoft.serving.keys import VARIABLE, read_keys
from autoft.serving.logs import JsonLines, Lines
from http_servers import ADMIN_KEY, KEY, options_for
from small_bundle import make_bundle


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "reviews")


@pytest.fixture
def client(reviews: Path) -> Iterator[TestClient]:
    with assembled(options_for(reviews)) as made:
        yield TestClient(made.app, raise_server_exceptions=False)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# of the shop\n{KEY}\n\n  admin:{ADMIN_KEY}  \n")
    return file


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


# Several bundles


def test_several_bundles_and_the_first_one_without_a_name(tmp_path: Path, reviews: Path) -> None:
    shops = task_bundles.multi_label(tmp_path / "shops")
    with assembled(options_for(reviews, shops)) as made:
        client = TestClient(made.app)
        first = client.post("/predict", json={"text": "great"}).json()
        assert first["label"] == "good"
        assert client.post("/models/reviews/predict", json={"text": "great"}).json() == first
        assert client.post("/models/shops/predict", json={"text": "great great"}).json()["labels"] == ["good"]
        assert client.post("/models/shops", json={"inputs": "great"}).status_code in (200, 307)
        assert client.post("/models/shops/", json={"inputs": "great"}).status_code == 200
        assert client.get("/models/shops/info").json()["task"] == "multi-label"
        assert client.get("/info").json()["task"] == "text-classification"
        assert client.get("/models/shops/health/ready").json() == {"status": "ready"}
        assert "/predict" in client.get("/models/shops/openapi.json").json()["paths"]
        assert client.get("/models/shops/docs").status_code == 200
        listed = client.get("/models").json()
        assert [(one["name"], one["task"], one["path"]) for one in listed] == [
            ("reviews", "text-classification", "/models/reviews"),
            ("shops", "multi-label", "/models/shops"),
        ]
        for name, task in (("reviews", "text-classification"), ("shops", "multi-label")):
            assert client.get(f"/v2/models/{name}").json()["name"] == name
            assert client.get(f"/models/{name}/info").json()["task"] == task
        asked = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["great great"]}]}
        answer = client.post("/v2/models/shops/infer", json=asked).json()
        assert answer["model_name"] == "shops"
        assert next(one for one in answer["outputs"] if one["name"] == "labels")["data"] == ['["good"]']
        for path in ("/models/other/predict", "/models/", "/models//predict", "/v2/models/other/infer"):
            assert client.post(path, json={"text": "great"}).status_code == 404
        assert "reviews, shops" in client.get("/models/other/info").json()["error"]


def test_names_of_bundles(tmp_path: Path) -> None:
    one, two = make_bundle(tmp_path / "runs" / "shop 1" / "bundle"), make_bundle(tmp_path / "other" / "bundle")
    assert [named.name for named in _named((str(one), str(two)))] == ["shop-1", "other"]
    assert [(named.name, named.folder) for named in _named((f"a={one}", f"b.2={two.parent}"))] == [("a", one), ("b.2", two)]
    with pytest.raises(InputError, match="two bundles would be served as other") as caught:
        _named((str(two), str(two.parent)))
    assert "NAME" not in str(caught.value)
    assert caught.value.exit_code == 2
    odd = make_bundle(tmp_path / "x=y")
    assert [named.name for named in _named((str(odd),))] == ["x-y"]


# Keys


def test_nobody_is_answered_without_a_key(reviews: Path, key_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with assembled(options_for(reviews, keys=key_file)) as made, caplog.at_level(logging.INFO):
        client = TestClient(made.app)
        paths = [("POST", "/predict"), ("POST", "/"), ("GET", "/info"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/models")]
        paths += [("GET", "/nothing"), ("POST", "/models/reviews/predict"), ("POST", "/admin/swap")]
        wrong: list[dict] = [
            {},
            bearer("w" * 16),
            bearer(KEY[:-1]),
            bearer(KEY + "k"),
            bearer(""),
            bearer(f"admin:{ADMIN_KEY}"),
            {"authorization": KEY},
        ]
        wrong += [{"authorization": f"Basic {KEY}"}, {"authorization": b"Bearer \xff\xfe"}]
        for method, path in paths:
            for headers in wrong:
                response = client.request(method, path, json={"text": "great"}, headers=headers)
                assert response.status_code == 401, (path, headers)
                assert response.headers["www-authenticate"].startswith("Bearer")
                assert response.json()["error"]
        for path in ("/health/live", "/health/ready", "/models/reviews/health/ready"):
            assert client.get(path).status_code == 200
        for key in (KEY, ADMIN_KEY):
            assert client.post("/predict", json={"text": "great"}, headers=bearer(key)).json()["label"] == "good"
        assert client.post("/predict", json={"text": "great"}, headers={"authorization": f"bearer  {KEY} "}).status_code == 200
        assert client.post("/admin/swap", headers=bearer(KEY)).status_code == 403
        assert client.post("/admin/swap", headers=bearer(ADMIN_KEY)).status_code == 200
    assert KEY not in caplog.text
    assert ADMIN_KEY not in caplog.text


def test_without_keys_nobody_swaps(client: TestClient) -> None:
    response = client.post("/admin/swap")
    assert response.status_code == 403
    assert VARIABLE in response.json()["error"]


def test_keys_of_the_environment(reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f" {KEY} ,,admin:{ADMIN_KEY}")
    with assembled(options_for(reviews)) as made:
        client = TestClient(made.app)
        assert client.get("/info").status_code == 401
        assert client.get("/info", headers=bearer(KEY)).status_code == 200
        assert client.post("/admin/swap", headers=bearer(ADMIN_KEY)).status_code == 200


def test_keys_are_compared_in_a_time_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    compare = keys_module.hmac.compare_digest
    monkeypatch.setattr(keys_module.hmac, "compare_digest", lambda a, b: seen.append(len(b)) or compare(a, b))
    keys = read_keys(None, {VARIABLE: ",".join(letter * 16 for letter in "abc")})
    for key, status in (("a" * 16, 200), ("c" * 16, 200), ("x", 401), ("x" * 500, 401)):
        seen.clear()
        headers = keys_module.Headers(bearer(key))
        assert keys.allow(headers, "/predict", "POST") == status
        assert seen == [32] * 3


def test_the_page_opens_without_a_key_and_asks_for_one_itself(reviews: Path, key_file: Path) -> None:
    with assembled(options_for(reviews, keys=key_file)) as made:
        client = TestClient(made.app)
        for path in ("/", "/page/page.css", "/page/page.js", "/models/reviews/", "/ping", "/v2/health/ready", "/health/live"):
            assert client.get(path).status_code == 200, path
        assert client.post("/", json={"inputs": "great"}).status_code == 401
        for path in ("/info", "/metrics", "/docs", "/models", "/models/reviews", "/models/reviews/info", "/v2/models/reviews"):
            assert client.get(path, follow_redirects=False).status_code == 401, path
        assert client.get("/info", headers=bearer(KEY)).status_code == 200


@pytest.mark.parametrize(
    ("text", "said"), [("", "holds no key"), ("# only\n", "holds no key"), ("short\n", "line 1"), (f"{KEY}\nkey of mine 1234\n", "line 2")]
)
def test_keys_that_are_none_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_keys(file, {})
    assert caught.value.exit_code == 2
    assert "key of mine" not in caught.value.message
    with pytest.raises(InputError, match="cannot be read"):
        read_keys(tmp_path / "none", {})
    with pytest.raises(InputError, match=VARIABLE):
        read_keys(None, {VARIABLE: "short"})


# Origins


def test_pages_of_other_origins_are_let_in_by_name_only(reviews: Path, key_file: Path) -> None:
    ask = {"origin": "https://shop.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    with assembled(options_for(reviews)) as made:
        client = TestClient(made.app)
        response = client.post("/predict", json={"text": "great"}, headers={"origin": "https://shop.example"})
        assert "access-control-allow-origin" not in response.headers
        assert client.options("/predict", headers=ask).status_code == 405
    with assembled(options_for(reviews, keys=key_file, cors=("https://shop.example",))) as made:
        client = TestClient(made.app)
        before = client.options("/predict", headers=ask)
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, "https://shop.example")
        assert client.options("/predict", headers=ask | {"origin": "https://other.example"}).status_code == 400
        refused = client.post("/predict", json={"text": "great"}, headers={"origin": "https://shop.example"})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://shop.example")


# The log


def test_requests_have_ids(client: TestClient) -> None:
    assert client.get("/info", headers={"x-request-id": "order-17.a_b"}).headers["x-request-id"] == "order-17.a_b"
    made = set()
    for odd in ("", " ", "a b", "x" * 200, "a\tb", "<script>"):
        made.add(client.get("/info", headers={"x-request-id": odd}).headers["x-request-id"])
    assert len(made) == 6
    assert all(len(one) == 32 and one.isalnum() for one in made)
    assert client.post("/predict", json={}, headers={"x-request-id": "bad"}).headers["x-request-id"] == "bad"
    assert client.get("/nothing").headers["x-request-id"]


def test_the_log_as_json_holds_facts_and_no_text(client: TestClient) -> None:
    lines: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(self.format(record)))

    handler, log = Kept(), logging.getLogger("autoft.serving")
    handler.setFormatter(JsonLines())
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        client.post("/predict", json={"text": "private words"}, headers={"x-request-id": "one"})
        client.post("/predict", json={"text": 3}, headers={"x-request-id": "two"})
        client.get("/nothing?text=private")
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/predict", 200), ("POST", "/predict", 422), ("GET", "/nothing", 404)
    ]  # fmt: skip
    assert [line["request_id"] for line in lines[:2]] == ["one", "two"]
    assert all(line["ms"] >= 0 and line["level"] == "INFO" and line["time"].endswith("+00:00") for line in lines)
    assert "private" not in json.dumps(lines)


@pytest.mark.parametrize("formatter", [JsonLines(), Lines()])
def test_no_traceback_is_written(formatter: logging.Formatter) -> None:
    try:
        raise ValueError("private words")
    except ValueError as error:
        record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception in ASGI application\n", (), (ValueError, error, None))
    written = formatter.format(record)
    assert "Exception in ASGI" in written
    assert "private" not in written


def test_what_fails_outside_of_the_routes_is_a_500_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("private words")

    with caplog.at_level(logging.INFO, logger="autoft.serving"):
        response = TestClient(AccessLog(failing)).get("/x")
    assert response.status_code == 500
    assert set(response.json()) == {"error"}
    assert "RuntimeError" in caplog.text
    assert "private" not in caplog.text


def test_ids_are_those_of_their_own_request(reviews: Path) -> None:
    seen: dict[str, str | None] = {}

    async def telling(scope: Any, receive: Any, send: Any) -> None:
        seen[scope["path"]] = REQUEST_ID.get()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = TestClient(AccessLog(telling))
    threads = [threading.Thread(target=client.get, args=(f"/{n}",), kwargs={"headers": {"x-request-id": f"id{n}"}}) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == {f"/{number}": f"id{number}" for number in range(8)}


# The command


@pytest.mark.parametrize("flags", [("--queue", "0"), ("--timeout", "0"), ("--workers", "0"), ("--log-format", "xml"), ()])
def test_flags_that_make_no_sense_end_with_2(reviews: Path, flags: tuple[str, ...]) -> None:
    bundles = [str(reviews)] if flags else []
    done = CliRunner().invoke(command, [*bundles, *flags])
    assert done.exit_code == 2
