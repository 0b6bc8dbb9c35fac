"""The folder of a container image: what stands in its files, and the Dockerfile's own steps, done without an engine."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import task_bundles
from autoft.errors import BundleError, ExportError
from autoft.interfaces.packager import BundleFacts, Packaged
from autoft.interfaces.tuner import PluginFile
from autoft.serving.server import GRACE
from autoft_exporters import docker
from autoft_exporters.docker import HEALTH, Docker
from dockerfile_steps import Image, Step, context, one, parse
from small_bundle import make_bundle

ROOT = Path(__file__).parents[2]
HOSTILE = [
    'x"\nRUN curl evil',
    "a: b\n  privileged: true",
    "${IFS}$name",
    "'; rm -rf /; '",
    "../../etc",
    "]\n  - evil # {}",
    "模型 Größe",
    "",
    "A" * 300,
    "-.-",
]


ARRANGED_AGAIN = """
import sys
from pathlib import Path
from autoft.catalog import Catalog
from autoft.plugins import read_plugin_file
from autoft.steps.package import KINDS, package
bundle, plugins, out = map(Path, sys.argv[1:])
catalog = Catalog.build([read_plugin_file(path) for path in plugins.iterdir()], kinds=KINDS)
print(*(placed.packager for placed in package(bundle, ["docker", "triton"], out, catalog)))
"""


def facts(bundle: Path, **changes: Any) -> BundleFacts:
    files = {path.relative_to(bundle).as_posix(): path.stat().st_size for path in sorted(bundle.rglob("*")) if path.is_file()}
    versions = {"numpy": "2.1.0", "onnxruntime": "1.20.1", "tokenizers": "0.21.0rc1", "torch": "2.6.0+cpu"}
    known = BundleFacts(
        bundle, "0123456789abcdef" * 4, "text-classification", "full:all-MiniLM-L6-v2", "0.1.0", files, ("onnx/model.onnx",), versions
    )
    return replace(known, **changes)


def plugin(name: str = "toy_encoders.py", text: str = "import autoft\n", *, mark: bool = False) -> PluginFile:
    content = (b"\xef\xbb\xbf" if mark else b"") + text.encode()
    return PluginFile(name, hashlib.sha256(content).hexdigest(), text)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker"


def packaged(bundle: BundleFacts, folder: Path) -> Packaged:
    made = Docker().package(bundle, folder)
    assert sorted(made.files) == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return made


def manifests(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    deployment, service = yaml.safe_load_all((folder / "kubernetes.yaml").read_text(encoding="utf-8"))
    return deployment, service


def test_the_image_is_small_runs_as_nobody_and_serves_the_bundle(bundle: Path, folder: Path) -> None:
    packaged(facts(bundle), folder)
    steps = parse((folder / "Dockerfile").read_text())
    assert one(steps, "FROM").words == (f"python:{sys.version_info.major}.{sys.version_info.minor}-slim-bookworm",)
    assert one(steps, "CMD") == Step("CMD", {}, ("autoft", "serve", "/bundle", "--host", "0.0.0.0", "--port", "8000"))
    assert one(steps, "USER").words == ("10001:10001",)
    assert one(steps, "EXPOSE").words == ("8000",)
    assert "PYTHONUNBUFFERED=1" in one(steps, "ENV").words
    install, opened = (step for step in steps if step.name == "RUN")
    assert {"--no-cache-dir", "--find-links", "--requirement"} <= set(shlex.split(install.words[0]))
    assert opened.words[:2] == ("python", "-c")
    assert steps.index(one(steps, "USER")) < steps.index(opened), "it is opened by the user that serves it"
    copied = {step.words[-1]: step.flags for step in steps if step.name == "COPY"}
    assert list(copied) == ["/install/", "/install/wheels/", "/bundle/"]
    assert copied["/bundle/"] == {"chown": "10001:10001"}, "readable whatever the modes of the files were"
    health = one(steps, "HEALTHCHECK")
    assert set(health.flags) == {"interval", "timeout", "start-period", "retries"}
    assert "curl" not in health.words[2]
    assert HEALTH in health.words[2]
    for name in facts(bundle).files:
        assert (folder / "bundle" / name).read_bytes() == (bundle / name).read_bytes()
    assert context(folder) == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {
        "Dockerfile", ".dockerignore", "kubernetes.yaml"
    }  # fmt: skip


def test_what_answers_depend_on_is_pinned_as_the_bundle_has_it(bundle: Path, folder: Path) -> None:
    packaged(facts(bundle, autoft="0.4.2", requirements=("my-task==3.1",)), folder)
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "autoft[serve]==0.4.2", "numpy==2.1.0", "onnxruntime==1.20.1", "tokenizers==0.21.0rc1", "my-task==3.1"
    ]  # fmt: skip


def test_a_version_that_the_bundle_does_not_tell_is_this_environments(bundle: Path, folder: Path) -> None:
    import numpy

    packaged(facts(bundle, versions={}), folder)
    assert f"numpy=={numpy.__version__}" in (folder / "requirements.txt").read_text().splitlines()


@pytest.mark.parametrize("found", ["1.0\n--index-url http://evil", "1.0 ; x", "", "latest", "1.0 --hash=x", "٣.1", "1.0\n"])
def test_a_version_that_is_none_is_refused(bundle: Path, folder: Path, found: str) -> None:
    with pytest.raises(BundleError, match="names a version of autoft that is none"):
        Docker().package(facts(bundle, autoft=found), folder)
    if found:  # an empty one is not told
        with pytest.raises(BundleError, match="names a version of onnxruntime that is none"):
            Docker().package(facts(bundle, versions={"onnxruntime": found}), folder)
    with pytest.raises(ExportError, match="pip cannot be asked for"):
        Docker().package(facts(bundle, requirements=(f"mine=={found}",)), folder)


def test_kubernetes_runs_it_locked_down_and_asks_its_health(bundle: Path, folder: Path) -> None:
    packaged(facts(bundle), folder)
    deployment, service = manifests(folder)
    name = "autoft-text-classification-full-all-minilm-l6-v2"
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    assert deployment["metadata"]["name"] == service["metadata"]["name"] == name
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        assert selector.items() <= labels.items()
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container["image"] == f"{name}:0123456789ab"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]
    paths = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
    assert {probe: get["path"] for probe, get in paths.items()} == {
        "startup": "/health/ready", "readiness": "/health/ready", "liveness": "/health/live"
    }  # fmt: skip
    assert all(get["port"] == "http" for get in paths.values())
    wait = int(re.search(r"sleep\((\d+)\)", container["lifecycle"]["preStop"]["exec"]["command"][2])[1])
    assert wait + GRACE < pod["terminationGracePeriodSeconds"]
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]


def test_memory_follows_from_the_graphs_that_are_served(bundle: Path, folder: Path) -> None:
    def memory(files: dict[str, int], *graphs: str) -> tuple[int, int]:
        text = docker._kubernetes(facts(bundle, files=files, graphs=graphs))
        deployment = next(yaml.safe_load_all(text))
        found = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
        return tuple(int(found[which]["memory"].removesuffix("Mi")) for which in ("requests", "limits"))

    small, large = memory({"model.onnx": 2**20}, "model.onnx"), memory({"model.onnx": 400 * 2**20}, "model.onnx")
    assert small[0] < small[1]
    assert large[0] - small[0] >= 400
    assert large[1] - small[1] >= 800
    assert memory({"model.onnx": 2**20, "model_fp16.onnx": 400 * 2**20}, "model.onnx") == small
    assert (
        memory({"encoder_model.onnx": 200 * 2**20, "decoder_model.onnx": 200 * 2**20}, "encoder_model.onnx", "decoder_model.onnx") == large
    )
    assert memory({"theirs.bin": 400 * 2**20}) == large, "of a format whose graphs nobody tells, all files count"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_gets_into_a_file_unchecked(bundle: Path, folder: Path, tmp_path: Path, text: str) -> None:
    file = plugin(f"{text}.py")
    packaged(facts(bundle, task=text, candidate=f"full:{text}", plugin_files=(file,)), folder)
    plain = tmp_path / "plain"
    plain.mkdir()
    packaged(facts(bundle, plugin_files=(plugin(),)), plain)
    for name in ("Dockerfile", "requirements.txt", ".dockerignore"):
        lines = [(folder / name).read_text().splitlines(), (plain / name).read_text().splitlines()]
        assert len(lines[0]) == len(lines[1]), name
    assert [step.name for step in parse((folder / "Dockerfile").read_text())] == [
        step.name for step in parse((plain / "Dockerfile").read_text())
    ]
    one_service, other_service = manifests(folder)[1], manifests(plain)[1]
    name = one_service["metadata"]["name"]
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), "an image's name"
    assert json.dumps(one_service).replace(name, other_service["metadata"]["name"]) == json.dumps(other_service)
    one_pod, other_pod = (json.dumps(manifests(place)[0]) for place in (folder, plain))
    assert one_pod.replace(name, other_service["metadata"]["name"]) == other_pod


def test_two_bundles_of_one_candidate_are_two_images(bundle: Path) -> None:
    first, second = (docker._kubernetes(facts(bundle, sha256=digit * 64)) for digit in "12")
    assert ':111111111111"' in first
    assert ':222222222222"' in second


def test_plugin_files_travel_as_they_were_read(bundle: Path, folder: Path) -> None:
    files = [plugin(), plugin("toy_encoders.py", "import autoft  # another\n"), plugin("größe!.py", "x = 1\r\n", mark=True)]
    made = packaged(facts(bundle, plugin_files=tuple(files)), folder)
    contents = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "plugins").iterdir()}
    assert contents == {file.sha256 for file in files}
    steps = parse((folder / "Dockerfile").read_text())
    paths = [f"/plugins/{path.name}" for path in (folder / "plugins").iterdir()]
    words = one(steps, "CMD").words
    assert sorted(words[place + 1] for place, word in enumerate(words) if word == "--plugin") == sorted(paths)
    assert all(path in [step for step in steps if step.name == "RUN"][1].words[2] for path in paths)
    assert any("'größe!.py' imports" in step for step in made.next_steps)
    assert any(name.startswith("plugins/") for name in context(folder))


def test_the_next_steps_say_where_autoft_comes_from(bundle: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "_origin", lambda name: None)
    assert packaged(facts(bundle), folder).next_steps[0].startswith("docker build --tag autoft-text-classification-full-")
    monkeypatch.setattr(docker, "_origin", lambda name: f"/home/me/my {name}")
    monkeypatch.setattr(docker, "__version__", "0.1.0")
    assert docker._next_steps(facts(bundle))[0] == "pip wheel --no-deps --wheel-dir wheels '/home/me/my autoft'"
    monkeypatch.setattr(docker, "_origin", lambda name: f"/tmp/{name}-0.1.0-py3-none-any.whl")
    assert docker._next_steps(facts(bundle))[0] == "cp /tmp/autoft-0.1.0-py3-none-any.whl wheels/"
    own = docker._next_steps(facts(bundle, requirements=("gz-npz==0.1.0",)))[1]
    assert own == "cp /tmp/gz-npz-0.1.0-py3-none-any.whl wheels/", "a plugin's package, which no index has either"
    assert "wheel of autoft 0.0.9" in docker._next_steps(facts(bundle, autoft="0.0.9"))[0]


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.11\nADD x /y",
        "FROM a\nFROM b",
        "RUN x\nFROM a",
        "FROM a\nCMD autoft serve",
        "FROM a\nHEALTHCHECK NONE",
    ],
)
def test_instructions_that_the_steps_do_not_know_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match=r"known|exec form"):
        parse(text)


@pytest.mark.slow
def test_the_steps_of_the_dockerfile_give_a_server_that_answers_and_stops(tmp_path: Path) -> None:
    """Once for all: a clean environment takes most of a minute. The bundle needs a plugin file, so that this is tried, too."""
    from autoft.catalog import Catalog
    from autoft.plugins import read_plugin_file
    from autoft.steps.package import KINDS, package

    bundle = task_bundles.pair_score(tmp_path / "bundle")
    catalog = Catalog.build([read_plugin_file(task_bundles.PLUGIN)], kinds=KINDS)
    (placed,) = package(bundle, ["docker"], tmp_path / "out", catalog)
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", placed.folder / "wheels", ROOT]
    subprocess.run(wheel, check=True, timeout=300)
    image = Image(tmp_path / "image")
    try:
        steps = image.build(placed.folder)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error}\n{error.stdout}\n{error.stderr}")
    heavy = "import importlib.util as u; print([n for n in ('torch', 'transformers', 'ray') if u.find_spec(n)])"
    assert image.run(Step("RUN", {}, ("python", "-c", heavy))).stdout.strip() == "[]"
    again = image.run(Step("RUN", {}, ("python", "-c", ARRANGED_AGAIN, "/bundle", "/plugins/", str(tmp_path / "again"))))
    assert again.stdout.split() == ["docker", "triton"], "a wheel has the templates, and no packager needs what only training needs"

    with free_port() as port:
        here = {"8000": str(port), "0.0.0.0": "127.0.0.1"}
    health, process = one(steps, "HEALTHCHECK"), image.start(one(steps, "CMD"), here)
    try:
        wait_until_ready(process, port)
        image.run(health, here)
        assert get(port, "/health/live") == {"status": "live"}
        pair = {"text": "a red cable", "text_pair": "a red case"}
        assert get(port, "/predict", pair)["score"] == pytest.approx(5 * 2 / 4)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0, log
    finally:
        process.kill()
        process.wait()
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
        image.run(health, here)

    opened = [step for step in steps if step.name == "RUN"][1]
    image.run(opened)
    (image.root / "bundle" / "onnx" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        image.run(opened)
    assert "model.onnx was changed" in caught.value.stderr


@contextmanager
def free_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


def wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}\n{process.communicate()[1]}")
        try:
            assert get(port, "/health/ready") == {"status": "ready"}
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server was not ready in 30 s")


def get(port: int, path: str, body: object = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
        return json.load(response)
