"""`autoft bench`: what it prints, draws and writes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import encoder_bundles
from autoft.benching.figures import Measurements
from autoft.benching.plan import BATCHES, pairs
from autoft.cli.bench import command
from autoft.errors import AutoftError, BundleError, DataError, InputError
from autoft.loading import read_rows
from autoft.runtime.bundle import FormatRecord, open_bundle, write_manifest
from autoft.runtime.session import available_cores
from report_page import Page
from small_bundle import TRAIN, environment_without, make_bundle, problem

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "bench.json"


def bench(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [*map(str, arguments), "--seconds", "1"], catch_exceptions=True)
    if isinstance(result.exception, AutoftError):
        raise result.exception
    return result


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "autoft.json"
    }


def test_the_tables_and_the_advice(tmp_path: Path) -> None:
    folder = encoder_bundles.tokens(tmp_path / "bundle")
    before, manifest = hashes(folder), json.loads((folder / "autoft.json").read_text())
    done = bench(folder)
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    cores = available_cores()
    threads = sorted({1, cores})
    one = [line for line in lines if line[:1] in (["8"], ["24"]) and len(line) == 9]
    assert [(line[0], line[1]) for line in one] == [(length, str(count)) for length in ("8", "24") for count in threads]
    many = [line for line in lines if line[:2] == ["as", "asked"] or (line[:1] in (["8"], ["24"]) and len(line) == 10)]
    left_out = done.stdout.count("Note: not measured: ")
    assert len(many) + left_out == len(threads) + len(pairs(cores)) * (len(BATCHES) + 2)
    assert "256 rows of texts made for the purpose (--input FILE measures with yours)" in done.stdout
    for said in ("One row at a time", "Many rows at a time", "Memory", "Cold start", "Advice:", "autoft serve: ", "predict --input: "):
        assert said in done.stdout, said
    assert "no comparison with PyTorch" in done.stdout
    assert hashes(folder) == before
    after = json.loads((folder / "autoft.json").read_text())
    advice = after.pop("advice")
    manifest.pop("advice")
    assert after == manifest
    assert open_bundle(folder).manifest.advice.model_dump(mode="json") == advice
    assert advice["machine"]["cores"] == cores
    assert advice["sessions"] * advice["threads"] == cores
    assert set(advice["measured"]) == {"p50_ms", "rows_per_second", "files_rows_per_second"}


def test_one_of_several_formats(bundle: Path) -> None:
    """Under its own name, as if it rounded: the advice is for it."""
    manifest = open_bundle(bundle).manifest
    shutil.copyfile(bundle / "onnx" / "model.onnx", bundle / "onnx" / "model_quantized.onnx")
    files = {"onnx": "onnx/model.onnx", "onnx-int8": "onnx/model_quantized.onnx"}
    formats = {name: FormatRecord(files=(file,), bytes=(bundle / file).stat().st_size) for name, file in files.items()}
    write_manifest(bundle, manifest.model_copy(update={"formats": formats}))
    content = json.loads(bench(bundle, "--format", "onnx-int8", "--json").stdout)
    assert content["format"] == content["advice"]["format"] == "onnx-int8"
    with pytest.raises(BundleError, match="has no format 'onnx-int9'; it has onnx, onnx-int8"):
        bench(bundle, "--format", "onnx-int9")


def test_json_alone_is_on_standard_output_and_is_what_the_schema_says(bundle: Path) -> None:
    done = bench(bundle, "--json")
    content = json.loads(done.stdout)
    measured = Measurements.model_validate(content)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert set(content) == set(schema["properties"]) == set(schema["required"]) | {"schema"}
    for name, kind in (("latency", "Latency"), ("throughput", "Throughput")):
        assert all(set(one) == set(schema["$defs"][kind]["properties"]) for one in content[name])
    assert content["schema"] == 1
    assert content["advice"] == json.loads((bundle / "autoft.json").read_text())["advice"]
    assert content["max_length"] is None
    assert {one.length for one in measured.latency} == {one.length for one in measured.throughput} == {None}
    assert {one.tokens_per_second for one in measured.throughput} == {None}
    assert measured.rounds >= 1
    assert all(one.n >= measured.rounds for one in (*measured.latency, *measured.throughput))
    assert all(one.low <= one.rows_per_second <= one.high for one in measured.throughput)
    assert measured.cold_start is not None
    assert measured.cold_start.n == measured.rounds


def test_a_bundle_that_cannot_be_written_to_is_measured_all_the_same(bundle: Path) -> None:
    before = (bundle / "autoft.json").read_bytes()
    (bundle / ".autoft.json.new").mkdir()
    done = bench(bundle)
    assert done.exit_code == 0
    assert f"the advice was not written: {bundle} cannot be written to" in done.stdout
    assert "It was not written into the bundle." in done.stdout
    assert (bundle / "autoft.json").read_bytes() == before


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(bundle: Path) -> None:
    bundle.chmod(0o555)
    try:
        done = bench(bundle, "--json")
    finally:
        bundle.chmod(0o755)
    content = json.loads(done.stdout)
    assert content["advice_written"] is False
    assert any("the advice was not written" in note for note in content["notes"])


def test_a_run_is_asked_its_own_data_and_gets_the_charts(tmp_path: Path) -> None:
    data, run = tmp_path / "shop.csv", tmp_path / "out"
    data.write_text("review,rating\n" + "".join(f"a great thing {number},1\n" for number in range(40)))
    folder = make_bundle(run / "bundle", problem=problem().model_copy(update={"data_sha256": read_rows(data).sha256()}))
    (run / "run.json").write_text(json.dumps({"settings": {"data": str(data)}}))
    for given in (run, folder):
        done = bench(given)
        assert f"40 rows of the run's data, {data}" in done.stdout
        assert f"Charts: {run / 'bench.html'}" in done.stderr
    page = Page((run / "bench.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert page.fetched == []
    assert page.tags.count("svg") >= 2
    assert "What serves best here" in page.text
    data.unlink()
    content = json.loads(bench(run, "--json").stdout)
    assert (content["asked"]["kind"], content["asked"]["why"]) == ("made", f"{data} is gone")
    assert f"no comparison with PyTorch: {run / 'model'} is gone" in content["notes"]


def test_the_users_rows_and_where_the_charts_go(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,body\n" + "".join(f"{number},a great thing\n" for number in range(7)))
    done = bench(bundle, "--input", tmp_path / "in.csv", "--text", "body", "--plot", tmp_path / "fast.html")
    assert f"7 rows of {tmp_path / 'in.csv'}" in done.stdout
    assert (tmp_path / "fast.html").exists()
    (tmp_path / "lines.txt").write_text("great\nawful\n")
    assert json.loads(bench(bundle, "--input", tmp_path / "lines.txt", "--json").stdout)["asked"]["rows"] == 2


def test_charts_that_cannot_be_written_cost_nothing_else(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "bench.html.new").mkdir()
    done = bench(tmp_path)
    assert done.exit_code == 0
    assert f"the charts were not written: {tmp_path / 'bench.html'}" in done.stderr
    assert "Advice:" in done.stdout


def test_what_is_refused_is_refused_before_it_is_measured(bundle: Path, tmp_path: Path) -> None:
    for plot, reason in ((tmp_path / "a.png", "charts are written as HTML"), (tmp_path / "no" / "a.html", "there is no folder")):
        with pytest.raises(InputError, match=reason):
            bench(bundle, "--plot", plot)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="is no bundle"):
        bench(tmp_path / "empty")
    with pytest.raises(DataError, match="there is no file"):
        bench(bundle, "--input", tmp_path / "gone.csv")
    assert bench(bundle, "--text", "body").exit_code == 2
    assert json.loads((bundle / "autoft.json").read_text())["advice"] is None


def test_without_the_train_extra(bundle: Path, tmp_path: Path) -> None:
    environment = environment_without(TRAIN, tmp_path / "blocker")
    done = subprocess.run(
        [sys.executable, "-m", "autoft", "bench", str(bundle), "--json", "--seconds", "1"],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["beside"] is None
    assert content["cold_start"] is not None
    assert done.stderr == ""
