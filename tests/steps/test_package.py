"""Arranging a bundle: aside first, then in place; what was there stays whole whatever goes wrong."""

from __future__ import annotations

import errno
import inspect
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import autoft
import task_bundles
from autoft.catalog import Catalog, PluginRecord
from autoft.errors import BundleError, ExportError, InputError, PluginError
from autoft.hookspecs import Hooks
from autoft.interfaces.packager import BundleFacts, Packaged
from autoft.plugins import Loaded, read_plugin_file
from autoft.steps.package import KINDS, package
from small_bundle import make_bundle


class Shelf:
    """A packager that copies the manifest, and then does what a test wants."""

    summary = "a shelf"

    def __init__(self, name: str = "shelf", then: Callable[[BundleFacts, Path], object] = lambda *_: None) -> None:
        self.name, self._then = name, then

    def package(self, bundle: BundleFacts, folder: Path) -> Packaged:
        (folder / "inner").mkdir()
        shutil.copyfile(bundle.folder / "autoft.json", folder / "inner" / "card.json")
        self._then(bundle, folder)
        return Packaged(("inner/card.json",), ("read it",))


class Overlong(Shelf):
    def package(self, bundle: BundleFacts, folder: Path) -> Packaged:
        return replace(super().package(bundle, folder), files=("inner/card.json", "absent.txt"))


def fail(error: BaseException) -> Callable[[BundleFacts, Path], object]:
    def then(bundle: BundleFacts, folder: Path) -> None:
        raise error

    return then


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture(scope="module")
def installed() -> Catalog:
    return Catalog.build(kinds=KINDS)


@pytest.fixture
def place(installed: Catalog, bundle: Path, tmp_path: Path) -> Callable[..., Any]:
    """Calls `package` with these packagers, into tmp_path / "out"."""

    def call(*packagers: Any, folder: Path = tmp_path / "out") -> Any:
        catalog = replace(installed, packagers=MappingProxyType({one.name: one for one in packagers}))
        return package(bundle, [one.name for one in packagers], folder, catalog)

    return call


def tree(folder: Path) -> Mapping[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


def test_each_packager_has_a_folder_of_its_own(place: Callable[..., Any], bundle: Path, tmp_path: Path) -> None:
    first, second = place(Shelf(), Shelf("drawer"))
    assert (first.packager, first.folder, first.files, first.next_steps) == (
        "shelf", tmp_path / "out" / "shelf", ("inner/card.json",), ("read it",)
    )  # fmt: skip
    assert second.folder.name == "drawer"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["drawer", "shelf"], "nothing is left aside"
    assert (first.folder / "inner" / "card.json").read_bytes() == (bundle / "autoft.json").read_bytes()
    record = json.loads((first.folder / "packaged.json").read_text())
    assert (record["packager"], list(record["files"])) == ("shelf", ["inner/card.json"])
    assert len(record["bundle"]) == 64


def test_a_packager_hears_what_the_manifest_says(place: Callable[..., Any], bundle: Path) -> None:
    heard: list[BundleFacts] = []
    place(Shelf(then=lambda facts, _: heard.append(facts)))
    (facts,) = heard
    assert (facts.folder, facts.task, facts.candidate, facts.autoft) == (bundle, "text-classification", "linear", "0.1.0")
    assert facts.files == {
        name: (bundle / name).stat().st_size for name in ("autoft.json", "decoder.npz", "onnx/model.onnx", "vocabulary.json")
    }
    assert facts.graphs == ("onnx/model.onnx",)
    assert (facts.plugin_files, facts.requirements) == ((), ())


def test_what_it_wrote_is_replaced(place: Callable[..., Any], tmp_path: Path) -> None:
    place(Shelf(then=lambda _, folder: (folder / "old.txt").write_text("old")))
    place(Shelf(then=lambda _, folder: (folder / "new.txt").write_text("new")))
    assert set(tree(tmp_path / "out" / "shelf")) == {"inner", "inner/card.json", "new.txt", "packaged.json"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shelf"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda shelf: (shelf / "inner" / "card.json").write_text("mine"), "card.json was changed"),
        (lambda shelf: (shelf / "wheels.txt").write_text("mine"), "wheels.txt was added"),
        (lambda shelf: (shelf / "inner" / "link").symlink_to(shelf), "link was added"),
        (lambda shelf: (shelf / "packaged.json").unlink(), "none that `autoft export` wrote"),
        (lambda shelf: (shelf / "packaged.json").write_text("[]"), "none that `autoft export` wrote"),
    ],
)
def test_what_somebody_changed_is_not_replaced(
    place: Callable[..., Any], tmp_path: Path, change: Callable[[Path], object], told: str
) -> None:
    place(Shelf())
    change(tmp_path / "out" / "shelf")
    before = tree(tmp_path / "out")
    with pytest.raises(InputError) as caught:
        place(Shelf("drawer"), Shelf())
    assert told in caught.value.message
    assert tree(tmp_path / "out") == before, "the other packager's folder is not there either"


def test_an_empty_folder_is_no_obstacle_and_a_file_is(place: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "out" / "shelf").mkdir(parents=True)
    place(Shelf())
    (tmp_path / "out" / "drawer").write_text("mine")
    with pytest.raises(InputError, match="none that `autoft export` wrote"):
        place(Shelf("drawer"))
    assert (tmp_path / "out" / "drawer").read_text() == "mine"


@pytest.mark.parametrize(
    ("last", "error", "told"),
    [
        (Shelf(then=fail(FULL)), ExportError, "No space left on device; what was there is as it was"),
        (Shelf(then=fail(RuntimeError("torn"))), RuntimeError, "torn"),
        (Shelf(then=fail(KeyboardInterrupt())), KeyboardInterrupt, None),
        (Shelf(then=fail(ExportError("no graph"))), ExportError, "no graph"),
        (Overlong(), ExportError, "says that it wrote absent.txt"),
    ],
)
def test_what_was_there_is_whole_after_a_packager_failed(
    place: Callable[..., Any], tmp_path: Path, last: Shelf, error: type[BaseException], told: str | None
) -> None:
    place(Shelf(), Shelf("drawer"))
    before = tree(tmp_path / "out")
    with pytest.raises(error, match=told):
        place(Shelf("drawer", lambda _, folder: (folder / "new.txt").write_text("new")), last)
    assert tree(tmp_path / "out") == before


def test_what_was_there_comes_back_where_the_new_cannot_take_its_place(
    place: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(Shelf())
    before, rename = tree(tmp_path / "out"), Path.rename

    def sometimes(self: Path, target: Path) -> Path:
        if self.parent.name.startswith(".packaging-") and self.name == "shelf":
            raise FULL
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", sometimes)
    with pytest.raises(ExportError, match="No space left"):
        place(Shelf())
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["docker", "triton"])
def test_a_disk_that_fills_up_in_the_middle_leaves_the_last_whole(
    installed: Catalog, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package(bundle, [name], tmp_path / "out", installed)
    before = tree(tmp_path / "out")

    def half(source: Path, target: Path) -> None:
        content = source.read_bytes()
        target.write_bytes(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", half)
    with pytest.raises(ExportError, match="could not be written: No space left on device") as caught:
        package(bundle, [name], tmp_path / "out", installed)
    assert "is there room" in caught.value.hint
    assert tree(tmp_path / "out") == before


def test_a_place_that_cannot_be_written_is_said(place: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="could not be written"):
        place(Shelf(), folder=tmp_path / "file" / "out")


def test_a_changed_bundle_is_not_arranged(place: Callable[..., Any], bundle: Path, tmp_path: Path) -> None:
    (bundle / "onnx" / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model\.onnx was changed"):
        place(Shelf())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inner", [".", "out", "onnx/../out"])
def test_nothing_is_written_into_the_bundle(place: Callable[..., Any], bundle: Path, inner: str) -> None:
    before = tree(bundle)
    with pytest.raises(InputError, match="in the bundle itself"):
        place(Shelf(), folder=bundle / inner)
    assert tree(bundle) == before


def test_an_unknown_name_offers_the_nearest(bundle: Path, installed: Catalog, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no packager named 'dokcer'; did you mean 'docker'"):
        package(bundle, ["dokcer"], tmp_path / "out", installed)
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_needs_a_plugin_file_says_so_or_takes_it_along(tmp_path: Path, installed: Catalog) -> None:
    bundle = task_bundles.pair_score(tmp_path / "bundle")
    with pytest.raises(BundleError, match=r"needs the plugin toy_encoders\.py") as caught:
        package(bundle, ["docker"], tmp_path / "out", installed)
    assert caught.value.hint == "add --plugin toy_encoders.py"
    assert not (tmp_path / "out").exists()
    catalog = Catalog.build([read_plugin_file(task_bundles.PLUGIN)], kinds=KINDS)
    (placed,) = package(bundle, ["docker"], tmp_path / "out", catalog)
    (copied,) = (placed.folder / "plugins").iterdir()
    assert copied.read_bytes() == task_bundles.PLUGIN.read_bytes()


def test_the_packages_of_plugins_that_answers_need_are_told(bundle: Path, installed: Catalog, tmp_path: Path) -> None:
    heard: list[BundleFacts] = []
    shelf = Shelf(then=lambda facts, _: heard.append(facts))
    tasks = next(record for record in installed.plugins if any(given.kind == "task" for given in record.gives))
    theirs = replace(tasks, origin="their-tasks 3.1", requirement="their-tasks==3.1")
    other = PluginRecord("other", "other 1", requirement="other==1")
    plugins = tuple(theirs if record is tasks else record for record in installed.plugins)
    package(bundle, ["shelf"], tmp_path / "out", replace(installed, plugins=(*plugins, other), packagers={"shelf": shelf}))
    assert heard[0].requirements == ("their-tasks==3.1",)


def test_the_hooks_example_registers_a_packager() -> None:
    text = inspect.getdoc(Hooks.autoft_register_packagers) or ""
    parts = [line.partition(":")[0] for line in text.splitlines() if line and not line.startswith(" ")][1:]
    assert parts == ["When", "Process", "Parameters", "Returns", "Example"]
    module: dict[str, Any] = {"autoft": autoft, "MyPackager": Shelf}
    exec(dedent(text.partition("Example:\n")[2]), module)
    catalog = Catalog.of([Loaded("mine", "mine 1.0", SimpleNamespace(autoft_register_packagers=module["autoft_register_packagers"]))])
    assert catalog.plugins[0].gives == (("packager", "shelf", "a shelf"),)
    assert isinstance(catalog.packager("shelf"), Shelf)
