"""Another bundle takes the place of one that is served, while requests come."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import task_bundles
from autoft.loading import load_predictor
from autoft.runtime.bundle import Provenance
from autoft.serving import watching
from autoft.serving.served import Served, swapped
from autoft.serving.watching import Orders, Watch
from http_servers import ADMIN_KEY, Client, in_thread, options_for, until
from small_bundle import LABELS, make_bundle, problem


def bundle_of(folder: Path, labels: tuple[str, ...] = LABELS) -> Path:
    """What says `good` of a text; with other labels, the second of them. They tell which bundle has answered."""
    candidate = Provenance(candidate=labels[1])
    return make_bundle(folder, problem=problem().model_copy(update={"labels": labels}), provenance=candidate)


NEW = ("new-bad", "new-good")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"admin:{ADMIN_KEY}\n")
    return file


@pytest.fixture
def served(tmp_path: Path, key_file: Path) -> Iterator[tuple[str, Client, Path]]:
    """The address of a server, a client with the key, and the bundle's folder."""
    folder = bundle_of(tmp_path / "shop")
    with in_thread(folder, keys=key_file) as (address, _), Client(address, authorization=f"Bearer {ADMIN_KEY}") as client:
        yield address, client, folder


def replaced(folder: Path, make: Callable[[Path], Path]) -> None:
    """Another bundle in the folder's place, at once."""
    aside = make(folder.with_name("aside"))
    folder.rename(folder.with_name("before"))
    aside.rename(folder)


class Asking:
    """Clients that ask without pause; `labels` are those of their answers in order, `statuses` all others than 200."""

    def __init__(self, address: str, clients: int = 4) -> None:
        self.labels: list[str] = []
        self.statuses: list[Any] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(address,)) for _ in range(clients)]

    def _ask(self, address: str) -> None:
        with Client(address, authorization=f"Bearer {ADMIN_KEY}") as client:
            while not self._ended.is_set():
                try:
                    status, _, answer = client.ask("POST", "/predict", {"text": "great"})
                except OSError as error:
                    self.statuses.append(repr(error))
                    return
                if status == 200:
                    self.labels.append(answer["label"])
                else:
                    self.statuses.append(status)

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)


def test_no_request_fails_while_bundles_are_swapped(served: tuple[str, Client, Path]) -> None:
    address, client, folder = served
    with Asking(address) as asking:
        until(lambda: len(asking.labels) >= 20)
        for labels in (NEW, LABELS, NEW):
            shutil.rmtree(folder)
            bundle_of(folder, labels)
            status, _, facts = client.ask("POST", "/admin/swap")
            assert (status, facts["candidate"]) == (200, labels[1])
            assert client.predict()["label"] == labels[1]
            count = len(asking.labels)
            until(lambda count=count: len(asking.labels) >= count + 20)
    assert asking.statuses == []
    assert set(asking.labels) == {"good", "new-good"}
    assert client.ask("GET", "/info")[2]["labels"] == list(NEW)
    assert client.ask("GET", "/models")[2][0]["candidate"] == "new-good"


def test_what_the_old_bundle_has_begun_it_ends(served: tuple[str, Client, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bundle_of(tmp_path / "other")
    with in_thread(folder) as (address, made), Client(address) as client:
        one = made.bundles["other"]
        gone = weakref.ref(one.predictor)
        held = threading.Event()
        hold(one, held, monkeypatch)
        labels: list[str] = []
        thread = threading.Thread(target=lambda: labels.append(client.predict()["label"]))
        thread.start()
        until(lambda: made.engine.waiting == 1)
        assert swapped(one, bundle_of(tmp_path / "newer", NEW)) is None
        with Client(address) as other:
            assert other.predict()["label"] == "new-good"
        held.set()
        thread.join(60)
        assert labels == ["good"]
        monkeypatch.undo()

        def freed() -> bool:
            gc.collect()
            return gone() is None

        until(freed, 20)


def hold(served: Served, held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    run = served.predictor._session.run
    monkeypatch.setattr(served.predictor._session, "run", lambda arrays: held.wait(60) and run(arrays))


def damaged(folder: Path) -> Path:
    bundle_of(folder, NEW)
    (folder / "onnx" / "model.onnx").write_bytes(b"no graph")
    return folder


def without_graph(folder: Path) -> Path:
    bundle_of(folder, NEW)
    (folder / "onnx" / "model.onnx").unlink()
    return folder


def of_another_task(folder: Path) -> Path:
    return task_bundles.multi_label(folder)


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("make", "said"),
    [(damaged, "was changed"), (without_graph, "model.onnx is absent"), (of_another_task, "multi-label"), (empty, "is no bundle")],
)
def test_a_bundle_that_cannot_be_served_leaves_the_old_one(
    served: tuple[str, Client, Path], make: Callable[[Path], Path], said: str
) -> None:
    _, client, folder = served
    replaced(folder, make)
    status, _, answer = client.ask("POST", "/admin/swap")
    assert (status, answer["field"]) == (422, "bundle")
    assert said in answer["error"]
    assert "served on" in answer["error"]
    assert client.predict()["label"] == "good"
    shutil.rmtree(folder)
    bundle_of(folder, NEW)
    assert client.ask("POST", "/admin/swap")[0] == 200
    assert client.predict()["label"] == "new-good"


def test_a_bundle_of_another_folder(served: tuple[str, Client, Path], tmp_path: Path) -> None:
    _, client, _ = served
    other = bundle_of(tmp_path / "other", NEW)
    assert client.ask("POST", "/admin/swap", {"model": "shop", "bundle": str(other)})[0] == 200
    assert client.predict(path="/models/shop/predict")["label"] == "new-good"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "none"}, "model"),
        ({"model": 3}, "model"),
        ({"bundle": []}, "bundle"),
        ({"bundle": "a\0b"}, "bundle"),
        ({"bundel": "x"}, "bundel"),
        ({"bundle": "/no/such"}, "bundle"),
        ({"bundle": "/dev/null"}, "bundle"),
    ],
)
def test_swaps_that_make_no_sense(served: tuple[str, Client, Path], body: dict[str, Any], field: str) -> None:
    _, client, _ = served
    status, _, answer = client.ask("POST", "/admin/swap", body)
    assert (status, answer["field"]) == (422, field)
    assert client.predict()["label"] == "good"


def test_a_bundle_that_was_removed_is_served_on(served: tuple[str, Client, Path]) -> None:
    _, client, folder = served
    shutil.rmtree(folder)
    for path in ("/info", "/openapi.json", "/models", "/health/ready"):
        assert client.ask("GET", path)[0] == 200
    assert client.predict()["label"] == "good"


# Watching


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.05)


@pytest.mark.usefixtures("soon")
def test_a_folder_that_is_replaced_is_noticed_and_no_request_fails(tmp_path: Path) -> None:
    folder = bundle_of(tmp_path / "shop")
    with in_thread(folder, watch=True) as (address, _), Asking(address, clients=2) as asking:
        until(lambda: "good" in asking.labels)
        replaced(folder, lambda aside: bundle_of(aside, NEW))
        until(lambda: "new-good" in asking.labels)
        shutil.rmtree(folder)
        time.sleep(0.3)
        count = len(asking.labels)
        until(lambda: len(asking.labels) > count + 5)
        bundle_of(folder)
        until(lambda: asking.labels[-1] == "good")
    assert asking.statuses == []


def test_one_that_is_copied_file_by_file_is_taken_once_it_is_whole(tmp_path: Path) -> None:
    folder = bundle_of(tmp_path / "shop")
    (named,) = options_for(folder).bundles
    served = Served(named, lambda one: load_predictor(one, threads=1), lambda predictor: predictor)
    watch = Watch({"shop": served}, changes=True, orders=None)
    first = served.predictor
    new = bundle_of(tmp_path / "new", NEW)
    whole = (new / "vocabulary.json").read_bytes() + b"\n"
    (new / "vocabulary.json").write_bytes(whole)
    task_bundles.changed(new)
    for name, content in (("autoft.json", (new / "autoft.json").read_bytes()), ("vocabulary.json", whole[:40])):
        (folder / name).write_bytes(content)
        for _ in range(3):
            watch.look()
        assert served.predictor is first
    (folder / "vocabulary.json").write_bytes(whole)
    watch.look()
    assert served.predictor is first  # it may be changing still
    watch.look()
    assert served.predictor.problem.labels == NEW
    second = served.predictor
    watch.look()
    assert served.predictor is second


def test_workers_follow_the_swap_of_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    folder, other = bundle_of(tmp_path / "shop"), bundle_of(tmp_path / "other", NEW)
    (named,) = options_for(folder).bundles
    two = [Served(named, lambda one: load_predictor(one, threads=1), lambda predictor: predictor) for _ in range(2)]
    watches = [Watch({"shop": one}, changes=False, orders=Orders(tmp_path / "orders")) for one in two]
    for place, target in ((0, other), (1, folder), (1, other)):
        assert swapped(two[place], target) is None
        watches[place].given(two[place])
        before = two[place].predictor
        for watch in watches:
            watch.look()
        assert two[place].predictor is before
        assert [one.folder for one in two] == [target.absolute()] * 2
    assert json.loads((tmp_path / "orders" / "shop.json").read_text())[0] == 3
