"""Which formats a bundle gets: what they are made out of comes first, what rounds is judged, what fails leaves nothing."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import ExportError
from autoft.interfaces.encoder import Encoded, EncoderSpec
from autoft.interfaces.exporter import Exported
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.steps.formats import Judged, Site, add_formats, in_order, points_lost, sampled
from autoft_plugins.tasks.text_classification import TextClassification

ROWS = 200
PROBLEM = Problem(
    task="text-classification",
    fields={"text": ("text",), "label": ("label",)},
    inputs=("text",),
    labels=("even", "odd"),
    head=Head(kind="single_label_classification", outputs=2),
    metric=Metric(name="accuracy"),
)


class Lengths:
    """Even or odd by the number of characters: the encoder, and a model that is right."""

    max_length = None
    inputs = ()

    def open(self, folder, config):
        return self

    def encode(self, rows, *, pad_to=None, offsets=False):
        lengths = np.array([len(text) for text in rows["text"]], np.int64)
        return Encoded({"x": lengths}, lengths, np.zeros(len(rows), np.bool_))

    def resized(self, rows, length):
        return rows

    def outputs(self, rows):
        return {"logits": logits(np.array([len(text) for text in rows["text"]]))}

    def extra(self):
        return {}

    def program(self):
        return Program((), EncoderSpec("lengths", {}), {})


def logits(lengths, wrong=()):
    odd = (lengths % 2).astype(bool) ^ np.isin(lengths, wrong)
    made = np.where(odd, 1.0, -1.0).astype(np.float32) * (2 + lengths % 5)
    return np.stack([-made, made], axis=1).astype(np.float32)


class Twice(Lengths):
    """Counts every character twice."""

    def encode(self, rows, *, pad_to=None, offsets=False):
        once = super().encode(rows)
        return Encoded({"x": 2 * once.arrays["x"]}, once.lengths, once.truncated)

    def program(self):
        return Program((), EncoderSpec("twice", {}), {})


class Format:
    """An exporter whose graph is wrong for texts of these lengths."""

    def __init__(self, name, *, converts=None, rounding=None, wrong=(), raises=None):
        self.name, self.summary, self.wrong, self.raises = name, "", wrong, raises
        self.samples = []
        if converts:
            self.converts = converts
        if rounding:
            self.rounding = rounding

    def supports(self, program, problem):
        return None

    def export(self, program, problem, folder):
        self.samples.append([value for arrays in program.samples for value in arrays["x"].tolist()])
        if hasattr(self, "converts"):
            assert (folder / self.converts / "graph").exists(), "what it is made out of is not there"
        (folder / self.name).mkdir()
        (folder / self.name / "graph").write_text("half")
        if self.raises:
            raise self.raises
        return Exported((f"{self.name}/graph",), {"of": self.name})

    def open(self, folder, threads):
        assert (folder / self.name / "graph").exists()
        return SimpleNamespace(run=lambda arrays: {"logits": logits(arrays["x"], self.wrong)})


def site(tmp_path, *formats):
    folder = tmp_path / "bundle.new"
    folder.mkdir()
    known = {one.name: one for one in formats}
    catalog = SimpleNamespace(exporter=known.__getitem__, encoder={"lengths": Lengths(), "twice": Twice()}.__getitem__)
    texts = ["x" * (1 + number) for number in range(ROWS)]
    understood = SimpleNamespace(
        problem=PROBLEM,
        task=TextClassification(),
        rows=Table({"text": texts}),
        targets=np.array([len(text) % 2 for text in texts]),
        validated=np.arange(ROWS),
        learnable=np.arange(ROWS),
        splits=SimpleNamespace(train=np.arange(100)),
    )
    model = Lengths()
    return Site(model, Decoder(), model.program(), understood, catalog, folder, 1)


def add(found, names, max_loss=0.5, have=None, unseen=True):
    said = []
    judged = Judged(found.fitted, Decoder(), unseen)
    return add_formats(names, found, lambda: judged, max_loss, said.append, have), said


def left(found):
    return sorted(path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*"))


EXACT = Format("exact")
GOOD = Format("good", converts="exact", rounding="to 8 bits")
ONE_IN_200 = Format("one", converts="exact", rounding="to 8 bits", wrong=(7,))
TWO_IN_200 = Format("two", converts="exact", rounding="to 8 bits", wrong=(7, 9))


def test_what_a_format_is_made_out_of_comes_first_and_goes_again(tmp_path):
    found = site(tmp_path, EXACT, GOOD)
    kept, said = add(found, ["good"])
    assert list(kept) == ["good"]
    assert left(found) == ["good", "good/graph"]
    assert said == []
    assert kept["good"].bytes == 4
    assert kept["good"].loss["points"] == 0
    assert kept["good"].loss["weights"] == "trial"
    assert kept["good"].proof["rounding"] == "to 8 bits"


def test_several_in_the_order_asked_for(tmp_path):
    found = site(tmp_path, EXACT, GOOD, ONE_IN_200)
    kept, _ = add(found, ["one", "exact", "good"])
    assert list(kept) == ["one", "exact", "good"]
    assert kept["exact"].loss is None
    assert kept["exact"].proof["rounding"] is None


def test_half_a_point_is_allowed_and_no_more(tmp_path):
    found = site(tmp_path, EXACT, ONE_IN_200, TWO_IN_200)
    kept, said = add(found, ["two", "one"])
    assert list(kept) == ["one"]
    assert kept["one"].loss["points"] == pytest.approx(0.5)
    assert len(said) == 1
    assert "costs 1.0 points of accuracy (1.0000 to 0.9900 on 200 validation rows); at most 0.5" in said[0]
    assert left(found) == ["one", "one/graph"]


def test_what_it_is_made_out_of_stands_in_where_it_is_too_dear(tmp_path):
    found = site(tmp_path, EXACT, TWO_IN_200)
    kept, said = add(found, ["two"], unseen=False)
    assert list(kept) == ["exact"]
    assert "which the weights have learned from" in said[0]
    assert left(found) == ["exact", "exact/graph"]


def test_the_user_may_allow_more(tmp_path):
    found = site(tmp_path, EXACT, TWO_IN_200)
    kept, said = add(found, ["two"], max_loss=1.0)
    assert list(kept) == ["two"]
    assert said == []


def test_full_precision_may_change_no_label(tmp_path):
    found = site(tmp_path, Format("exact", wrong=(7,)), GOOD)
    with pytest.raises(ExportError, match="another label"):
        add(found, ["good"])
    assert left(found) == []


@pytest.mark.parametrize("error", [ValueError("no opset for Foo"), OSError(28, "No space left on device")])
def test_one_that_fails_leaves_nothing_and_the_others_stay(tmp_path, error):
    found = site(tmp_path, EXACT, Format("bad", converts="exact", raises=error))
    kept, said = add(found, ["bad", "exact"])
    assert list(kept) == ["exact"]
    assert left(found) == ["exact", "exact/graph"]
    assert str(error) in said[0] or "No space left" in said[0]


def test_a_trimmed_vocabulary_leaves_less_to_rounding(tmp_path):
    found = site(tmp_path, EXACT, ONE_IN_200)
    said = []
    judged = Judged(found.fitted, Decoder(), unseen=True, spent=0.3)
    kept = add_formats(["one"], found, lambda: judged, 0.7, said.append)
    assert list(kept) == ["exact"]
    assert "costs 0.5 points" in said[0]
    assert "at most 0.4 may be (--max-loss less 0.3 for the trimmed vocabulary)" in said[0]
    kept = add_formats(["one"], found, lambda: judged, 0.8, said.append, kept)
    assert list(kept) == ["one", "exact"]
    assert kept["one"].loss["spent"] == 0.3


def test_what_is_there_already_is_not_made_again(tmp_path):
    found = site(tmp_path, EXACT, GOOD)
    have, _ = add(found, ["exact"])
    kept, _ = add(found, ["good"], have=have)
    assert list(kept) == ["good", "exact"]
    assert left(found) == ["exact", "exact/graph", "good", "good/graph"]


def test_a_circle_is_said():
    catalog = SimpleNamespace(exporter={"a": Format("a", converts="b"), "b": Format("b", converts="a")}.__getitem__)
    with pytest.raises(ExportError, match="made out of one another"):
        in_order(["a"], catalog)


def test_rows_that_judge_have_no_say_in_the_scales(tmp_path):
    found = site(tmp_path, EXACT)
    samples = sampled(found.program, found.understood, Lengths()).samples
    seen = np.concatenate([arrays["x"] for arrays in samples])
    assert sorted(seen) == list(range(1, 101))


def test_other_weights_see_rows_as_their_own_encoder_has_them(tmp_path):
    """What counts n-grams has learned them, from other rows than after a refit."""
    rounds = Format("rounds", converts="exact", rounding="to 8 bits")
    found = site(tmp_path, Format("exact"), rounds)
    add_formats(["rounds"], found, lambda: Judged(Twice(), Decoder(), unseen=True), 0.5, lambda _: None)
    judging = next(samples for samples in rounds.samples if samples)
    assert sorted(judging) == list(range(2, 201, 2))


def test_points():
    assert points_lost(Metric(name="f1"), 0.9, 0.895) == pytest.approx(0.5)
    assert points_lost(Metric(name="mae", greater_is_better=False), 2.0, 2.02) == pytest.approx(1.0)


def test_other_weights_are_judged_in_a_folder_of_their_own(tmp_path):
    """The refitted weights learned from the validation rows: those of the trial tell what rounding costs."""
    found = site(tmp_path, EXACT, TWO_IN_200)
    said = []
    own = Judged(Lengths(), Decoder(), unseen=True)
    kept = add_formats(["two"], found, lambda: own, 0.5, said.append)
    assert list(kept) == ["exact"]
    assert "costs 1.0 points" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.new"]
