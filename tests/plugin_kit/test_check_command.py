"""`autoft plugins check` and `autoft plugins new`, as they are typed; `autoft plugins` alone does what it did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoft.errors import PluginError
from autoft.scaffold import plugin_text
from autoft.testing.checkup import check_plugin
from support import autoft

SPDX = "# SPDX-License-Identifier: MIT\n"


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is right, and one that prints, imports torch, states no licence, reads as it should not, and whose hook raises."""
    folder = tmp_path_factory.mktemp("files")
    text = plugin_text("reader", "my-reader", "my_reader")
    (folder / "right.py").write_text(SPDX + text)
    broken = text.replace("return path.is_file() and path.suffix.lower() in self.suffixes", "return True")
    future = "from __future__ import annotations\n"
    broken += "\n\n@autoft.hookimpl\ndef autoft_trial_finished(event):\n    raise OSError('disk full')\n"
    (folder / "wrong.py").write_text(broken.replace(future, f"{future}\nimport torch\nprint('hello')\n"))
    (folder / "raises.py").write_text(f"{text}\nraise RuntimeError('no luck')\n")
    return folder


def found(folder: Path, file: str, *more: str, check: bool = True) -> tuple[dict[str, str], dict[str, str], int]:
    done = autoft("plugins", "check", "--plugin", str(folder / file), "--json", *more, cwd=folder, check=check)
    findings = json.loads(done.stdout)
    return {one["check"]: one["status"] for one in findings}, {one["check"]: one["detail"] for one in findings}, done.returncode


def test_a_file_that_is_right_passes(readers: Path) -> None:
    done = autoft("plugins", "--trace", "check", "--plugin", str(readers / "right.py"), "--json", cwd=readers)
    findings = {one["check"]: one for one in json.loads(done.stdout)}
    assert {name: one["status"] for name, one in findings.items()} == {
        "loads": "passed", "names are free": "passed", "import": "passed", "licence": "passed",
        "contract of reader my-reader": "not checked", "rebuilt in a worker": "passed",
    }  # fmt: skip
    assert findings["licence"]["detail"] == "MIT"
    assert findings["names are free"]["detail"] == "my-reader"
    assert "--data" in findings["contract of reader my-reader"]["detail"]
    traced = [line.split("  ")[1:3] for line in done.stderr.splitlines() if line.startswith("trace ")]
    assert ["load", "file right.py"] in traced, "calls of the process that checks are shown, too"
    assert any(what == "autoft_register_readers" and who.startswith("right.py") for what, who in traced)


def test_what_is_wrong_is_told_and_the_exit_status_is_one(readers: Path) -> None:
    status, detail, code = found(readers, "wrong.py", check=False)
    assert code == 1
    assert status["import"] == status["licence"] == status["contract of reader my-reader"] == "failed"
    assert "torch" in detail["import"]
    assert detail["hooks of events"].startswith("autoft_trial_finished raised OSError: disk full")
    assert "takes a file of no format" in detail["contract of reader my-reader"]
    assert status["rebuilt in a worker"] == "passed"


def test_one_that_does_not_load_is_a_finding(readers: Path) -> None:
    status, detail, code = found(readers, "raises.py", check=False)
    assert (status, code) == ({"loads": "failed"}, 1)
    assert "RuntimeError: no luck" in detail["loads"]


def test_what_imports_torch_as_it_answers_does_not_serve_without_it(tmp_path: Path) -> None:
    text = plugin_text("encoder", "my-encoder", "my_encoder")
    assert "        counts = np.zeros" in text
    (tmp_path / "heavy.py").write_text(
        SPDX + text.replace("        counts = np.zeros", "        import torch\n\n        counts = np.zeros")
    )
    status, detail, code = found(tmp_path, "heavy.py", check=False)
    assert code == 1
    assert status["contract of encoder my-encoder"] == status["serves without torch"] == "failed"
    assert "torch" in detail["serves without torch"]
    assert status["import"] == "passed", "it is not imported as the plugin is loaded"


def test_a_task_of_other_rows_is_told_as_not_checked(tmp_path: Path) -> None:
    text = plugin_text("task", "my-task", "my_task").replace('("stars",)', '("points",)')
    (tmp_path / "task.py").write_text(SPDX + text)
    status, detail, code = found(tmp_path, "task.py", check=False)
    assert (code, status["contract of task my-task"]) == (0, "not checked")
    assert "--data" in detail["contract of task my-task"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"text {n}", "points": n % 3}) + "\n" for n in range(20)))
    status, _, code = found(tmp_path, "task.py", "--data", "rows.jsonl", check=False)
    assert (code, status["contract of task my-task"]) == (0, "passed")


def test_a_name_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = autoft("plugins", "check", "bultin", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "there is no installed plugin 'bultin'; known: builtin" in done.stderr
    with pytest.raises(PluginError, match="no installed plugin 'my slowest") as caught:
        next(check_plugin("my slowest.py"))
    assert caught.value.hint == "autoft plugins check --plugin 'my slowest.py'"
    done = autoft("plugins", "check", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "Name an installed plugin" in done.stderr


def test_new_says_what_it_wrote_and_what_is_next(tmp_path: Path) -> None:
    said = autoft("plugins", "new", "my-tracker", "--kind", "tracker", "--licence", "MIT", cwd=tmp_path).stdout
    assert "my-tracker/src/my_tracker/__init__.py" in said
    assert "python -m pip install --editable './my-tracker[dev]'" in said
    assert said.endswith("autoft plugins check my-tracker\n")
    assert 'license = "MIT"' in (tmp_path / "my-tracker" / "pyproject.toml").read_text()
    again = autoft("plugins", "new", "my-tracker", "--kind", "tracker", cwd=tmp_path, check=False)
    assert again.returncode == 2
    assert "there already" in again.stderr


def test_a_file_that_gives_a_name_of_autofts_is_refused_by_both(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SPDX + plugin_text("reader", "parquet", "mine"))
    clash = "two plugins give a reader named 'parquet': builtin (built-in) and mine.py"
    listed = autoft("plugins", "--plugin", "mine.py", cwd=tmp_path, check=False)
    assert listed.returncode == 2
    assert clash in " ".join(listed.stderr.split())
    status, detail, code = found(tmp_path, "mine.py", check=False)
    assert (status["loads"], status["names are free"], code) == ("passed", "failed", 1)
    assert clash in detail["names are free"]


@pytest.mark.examples
def test_a_model_learns_on_a_worker_of_ray_and_its_encoder_serves_without_torch(tmp_path: Path) -> None:
    """In processes of its own: Ray starts once, and ends with them."""
    (tmp_path / "model.py").write_text(SPDX + plugin_text("model", "my-model", "model"))
    status, detail, code = found(tmp_path, "model.py", check=False)
    assert code == 0, detail
    assert set(status.values()) == {"passed"}
    assert "a trial of my-model on a worker of Ray" in status
    assert detail["serves without torch"] == "encoder my-model-words"
