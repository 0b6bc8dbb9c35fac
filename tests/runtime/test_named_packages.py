"""A bundle names the installed packages that gave its parts, and what is absent is told by what installs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from autoft.catalog import Catalog, Given
from autoft.catalog import PluginRecord as Listed
from autoft.errors import BundleError
from autoft.loading import load_predictor
from autoft.report import model_card
from autoft.runtime.bundle import EncoderRecord, PackageRecord, open_bundle
from autoft.steps.manifest import packages
from small_bundle import make_bundle

SHAPES = PackageRecord(requirement="word-shapes==0.1.0", gives=("encoder word-shapes", "model shapes"))
FORMATS = PackageRecord(requirement="own_formats==2.0rc1", gives=("exporter flat",))
LEARNED = PackageRecord(requirement="my-centroid==1.2", gives=("model my-centroid",))


def test_each_package_with_what_it_gave() -> None:
    mine = Listed(
        "shapes", "word-shapes 0.1.0", (Given("encoder", "word-shapes", ""), Given("model", "shapes", "")), requirement="word-shapes==0.1.0"
    )
    formats = Listed(
        "f", "own_formats 2.0rc1", (Given("exporter", "flat", ""), Given("exporter", "other", "")), requirement="own_formats==2.0rc1"
    )
    built_in = Listed("builtin", "built-in", (Given("task", "text-classification", ""), Given("exporter", "onnx", "")))
    file = Listed("a.py", "file a.py (00000000)", (Given("encoder", "of-a-file", ""),))
    catalog = Catalog({}, {}, {}, {}, {}, {}, {}, {}, plugins=(built_in, mine, formats, file))
    assert packages(catalog, "text-classification", "word-shapes", ["onnx", "flat"], "shapes") == (SHAPES, FORMATS)
    assert packages(catalog, "text-classification", "of-a-file", ["onnx"], "linear") == ()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle", encoder=EncoderRecord(name="word-shapes"), plugin_packages=(SHAPES, FORMATS, LEARNED))


def test_opening_says_what_to_install(bundle: Path) -> None:
    with pytest.raises(
        BundleError, match=r"the bundle needs the encoder 'word-shapes', which word-shapes==0.1.0 gives; it is not there"
    ) as caught:
        load_predictor(bundle)
    assert caught.value.hint == "pip install word-shapes==0.1.0 own_formats==2.0rc1", "the model has learned: answers do without"


def test_a_bundle_of_before_there_were_names_says_what_it_can(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "old", encoder=EncoderRecord(name="word-shapes"))
    manifest = json.loads((folder / "autoft.json").read_text())
    del manifest["plugin_packages"]
    (folder / "autoft.json").write_text(json.dumps(manifest))
    assert open_bundle(folder).manifest.plugin_packages == ()
    with pytest.raises(BundleError, match="needs a plugin that is not installed: there is no encoder named 'word-shapes'"):
        load_predictor(folder)


def test_the_model_card_says_whose_encoder_it_is_and_what_to_install(bundle: Path) -> None:
    card = model_card(open_bundle(bundle).manifest, {})
    use = card[card.index("## How to use") : card.index("## Figures")]
    assert "Inputs are made by the encoder `word-shapes` of `word-shapes==0.1.0`;" in use
    assert "`word-shapes==0.1.0` (encoder word-shapes), `own_formats==2.0rc1` (exporter flat)" in use
    assert "pip install word-shapes==0.1.0 own_formats==2.0rc1\n" in use
    assert "my-centroid==1.2 (model my-centroid)" in card[card.index("## How it was made") :]


def test_a_requirement_is_one_and_nothing_else() -> None:
    for odd in ("word-shapes", "a==1 && b", "--index-url==1", "a==1; b", "a @ http://x", "git+x==1"):
        with pytest.raises(ValidationError):
            PackageRecord(requirement=odd, gives=())
