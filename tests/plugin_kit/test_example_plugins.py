"""The packages in examples/plugins, as their users have them: the built wheel of autoft, each installed beside it, and their own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.name for path in (ROOT / "examples" / "plugins").iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of autoft and of all three, installed into a folder; what else they need is the environment's."""
    folder = tmp_path_factory.mktemp("site")
    sources = [str(ROOT), *(str(ROOT / "examples" / "plugins" / name) for name in PACKAGES)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([*pip, *sources], check=True, timeout=300, cwd=folder)
    return folder


def environment(site: Path) -> dict[str, str]:
    """The folder comes first: its autoft is the wheel's, not the repository's."""
    return {**os.environ, "PYTHONPATH": str(site), "AUTOFT_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}


@pytest.mark.examples
@pytest.mark.parametrize("name", PACKAGES)
def test_the_package_works_beside_the_built_wheel(name: str, site: Path, tmp_path: Path) -> None:
    where = "import autoft, sys; sys.stdout.write(autoft.__file__)"
    found = subprocess.run([sys.executable, "-c", where], env=environment(site), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert Path(found.stdout).is_relative_to(site), found.stdout + found.stderr
    tests = ROOT / "examples" / "plugins" / name / "tests"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "--rootdir",
        str(tests),
        str(tests),
    ]
    done = subprocess.run(command, env=environment(site), cwd=tmp_path, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.examples
@pytest.mark.parametrize("name", PACKAGES)
def test_autoft_plugins_check_finds_nothing_wrong(name: str, site: Path, tmp_path: Path) -> None:
    arguments = ["plugins", "check", name, "--no-ray"]
    if name == "autoft-digits":
        data = tmp_path / "digits.jsonl"
        subprocess.run([sys.executable, "-m", "autoft_digits", str(data), "120"], env=environment(site), check=True, timeout=60)
        arguments += ["--data", str(data)]
    command = [sys.executable, "-m", "autoft", *arguments]
    done = subprocess.run(command, env=environment(site), cwd=tmp_path, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout


def test_there_are_three_packages() -> None:
    assert PACKAGES == ["autoft-digits", "autoft-numpy", "autoft-static"]
