"""The bundle's advice: written beside what was proved, taken where it holds."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoft.cli import predict
from autoft.errors import BundleError
from autoft.loading import load_predictor
from autoft.runtime.advice import Advice, Machine, Setting
from autoft.runtime.bundle import open_bundle, write_advice
from autoft.runtime.predictor import Predictor
from autoft.runtime.session import available_cores


def advice(cores: int | None = None, **changes: object) -> Advice:
    found = Advice(
        sessions=3,
        threads=2,
        batch=4,
        files=Setting(sessions=5, threads=1, batch=16),
        format="onnx",
        measured={"p50_ms": 1.0},
        machine=Machine(processor="p", cores=cores or available_cores(), system="s"),
        when="2026-01-01T00:00:00+00:00",
    )
    return found.model_copy(update=changes)


def setting(predictor: Predictor) -> tuple[int, int, int]:
    return predictor.at_once, predictor.threads, predictor.batch


def test_it_is_written_beside_all_that_was_there(bundle: Path) -> None:
    path = bundle / "autoft.json"
    before = json.loads(path.read_text()) | {"of_a_later_version": {"a": [1, "é"]}}
    path.write_text(json.dumps(before))
    for given in (advice(), advice(cores=7)):
        write_advice(bundle, given)
        assert json.loads(path.read_text()) == before | {"advice": given.model_dump(mode="json")}
        assert open_bundle(bundle).manifest.advice == given
    assert sorted(one.name for one in bundle.iterdir()) == ["autoft.json", "decoder.npz", "onnx", "vocabulary.json"]


def test_a_file_that_was_changed_stays_a_changed_file(bundle: Path) -> None:
    (bundle / "vocabulary.json").write_text("{}")
    write_advice(bundle, advice())
    with pytest.raises(BundleError, match=r"vocabulary\.json was changed"):
        open_bundle(bundle)


def test_what_cannot_be_written_leaves_the_manifest_whole(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (bundle / "autoft.json").read_bytes()

    def full(self: Path, target: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_advice(bundle, advice())
    assert (bundle / "autoft.json").read_bytes() == before
    assert not (bundle / ".autoft.json.new").exists()


def test_a_server_and_a_file_take_it_each_their_own(bundle: Path) -> None:
    cores = available_cores()
    shared = math.isqrt(cores)
    assert setting(load_predictor(bundle, purpose="server")) == (cores // shared, shared, 256)
    assert setting(load_predictor(bundle, purpose="file")) == (cores, 1, 256)
    write_advice(bundle, advice())
    assert setting(load_predictor(bundle, purpose="server")) == (3, 2, 4)
    assert setting(load_predictor(bundle, purpose="file")) == (5, 1, 16)
    assert setting(load_predictor(bundle)) == (1, cores, 256)


@pytest.mark.parametrize("other", [advice(cores=available_cores() + 1), advice(format="another")])
def test_advice_for_another_machine_or_format_is_left_alone(bundle: Path, other: Advice) -> None:
    write_advice(bundle, other)
    cores = available_cores()
    shared = math.isqrt(cores)
    assert setting(load_predictor(bundle, purpose="server")) == (cores // shared, shared, 256)
    assert setting(load_predictor(bundle, purpose="file")) == (cores, 1, 256)


@pytest.mark.parametrize(("cores", "expected"), [(1, (1, 1)), (2, (2, 1)), (4, (2, 2)), (8, (4, 2)), (16, (4, 4))])
def test_a_server_without_advice_shares_the_processors_out(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, cores: int, expected: tuple[int, int]
) -> None:
    monkeypatch.setattr("autoft.runtime.session.available_cores", lambda: cores)
    assert setting(load_predictor(bundle, purpose="server"))[:2] == expected


def test_flags_override_it(bundle: Path) -> None:
    write_advice(bundle, advice())
    assert setting(load_predictor(bundle, purpose="server", threads=1)) == (1, 1, 256)
    assert setting(load_predictor(bundle, purpose="server", at_once=available_cores())) == (available_cores(), 1, 256)
    assert setting(load_predictor(bundle, purpose="file", threads=1, at_once=2)) == (2, 1, 256)


@pytest.mark.parametrize(("flags", "expected"), [((), (5, 1, 16)), (("--threads", "2"), (2, 1, 256))])
def test_predict_takes_it_for_a_file(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    write_advice(bundle, advice())
    (tmp_path / "in.csv").write_text("review\n" + "great\nawful\n" * 40)
    seen: list[tuple[int, int, int]] = []
    stream = Predictor.stream
    monkeypatch.setattr(Predictor, "stream", lambda self, *given, **more: seen.append(setting(self)) or stream(self, *given, **more))
    done = CliRunner().invoke(predict.command, [str(bundle), "--input", str(tmp_path / "in.csv"), *flags], catch_exceptions=False)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["good", "bad"] * 40
    assert seen == [expected]


def test_batches_hold_as_many_rows_as_it_says(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_advice(bundle, advice())
    predictor = load_predictor(bundle, purpose="file")
    seen: list[int] = []
    run = predictor._session.run
    monkeypatch.setattr(predictor._session, "run", lambda arrays: seen.append(len(arrays["ids"])) or run(arrays))
    assert len(predictor.predict(["great"] * 40)) == 40
    assert sorted(seen) == [8, 16, 16]
    assert [one["label"] for one in predictor.sharing(at_once=1, batch=1).predict(["great", "awful"])] == ["good", "bad"]
    assert seen[3:] == [1, 1]
