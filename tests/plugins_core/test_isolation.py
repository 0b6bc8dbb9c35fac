"""A plugin that hangs, prints, is made for another interface or is not wanted costs its one line, and the command beside it ends well."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from autoft.catalog import Catalog
from autoft.cli.main import group
from autoft.errors import PluginError
from autoft.guard import PluginHangs, guarded
from autoft.hookspecs import INTERFACE, hookimpl
from autoft.interfaces.source import SourceCard
from autoft.interfaces.tracker import Checked
from autoft.plugins import (
    HANGING_VARIABLE,
    PLUGINS_VARIABLE,
    Loaded,
    allowed_plugins,
    interface_fault,
    load_installed,
    loading_variables,
    plugin_paths,
    read_plugin_file,
)
from autoft.settings import Settings
from small_bundle import make_bundle

GIVES = """
import autoft
from autoft.interfaces.source import SourceCard
from autoft.interfaces.tracker import Checked

@autoft.hookimpl
def autoft_register_sources():
    return [SourceCard("{name}", "me/{name}", "MIT", ("en",), 1000)]
"""


def install(site: Path, name: str, code: str, *groups: str) -> None:
    """A distribution as pip leaves it, with one entry point of its own name."""
    (site / f"{name}.py").write_text(code)
    info = site / f"{name}-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text("\n".join([f"[autoft]\n{name} = {name}", *groups]) + "\n")


@pytest.fixture(autouse=True)
def nothing_hangs_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (HANGING_VARIABLE, PLUGINS_VARIABLE):
        monkeypatch.setenv(name, "")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def command(site: Path, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), *sys.path])
    return subprocess.run(
        [sys.executable, "-m", "autoft", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "AUTOFT_PLUGIN_TIMEOUT": "5", "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_bad_plugin_at_once_and_the_answer_is_right_beside_them(site: Path, tmp_path: Path) -> None:
    """One process meets them all: raising, printing, hanging as it is imported, hanging in its hook, and made for another interface."""
    install(site, "raising", "raise RuntimeError('no luck')")
    install(
        site,
        "printing",
        "import os, sys\nprint('hello')\nos.system('echo from a child')\nsys.stdout.write('half')" + GIVES.format(name="p"),
    )
    install(site, "hanging_import", "import threading\nthreading.Event().wait()")
    hook = GIVES.format(name="h").replace("    return", "    import threading\n    threading.Event().wait()\n    return")
    install(site, "hanging_hook", hook.replace("sources", "tasks"))
    install(site, "of_the_future", "import no_longer_there", "[autoft.interface]\nversion = 2")
    bundle = make_bundle(tmp_path / "bundle")
    done = command(site, "predict", bundle, "--json", "a great phone", AUTOFT_PLUGIN_TIMEOUT="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "good"
    assert sorted(done.stderr.splitlines()) == [
        "from a child",
        "plugin hanging_hook (hanging_hook 2.5) did not answer within 1 s (AUTOFT_PLUGIN_TIMEOUT gives it more) and was left out",
        "plugin hanging_import (hanging_import 2.5) did not answer within 1 s (AUTOFT_PLUGIN_TIMEOUT gives it more) and was left out",
        "plugin printing: half",
        "plugin printing: hello",
    ]


def test_the_list_says_what_each_of_them_did(site: Path) -> None:
    install(site, "hanging_there", "import time\ntime.sleep(600)")
    install(site, "printing_there", "print('hello')" + GIVES.format(name="printed"))
    install(site, "of_the_past", GIVES.format(name="past") + "\nautoft_interface = 0\n")
    done = command(site, "--trace", "plugins", "--json", AUTOFT_PLUGIN_TIMEOUT="1")
    records = {record["name"]: record for record in json.loads(done.stdout)}
    assert records["hanging_there"]["failure"].startswith("did not answer within 1 s")
    assert records["hanging_there"]["left_out"]
    assert [given["name"] for given in records["printing_there"]["gives"]] == ["printed"]
    past = "was made for version 0 of the plugin interface, this autoft takes 1 or later: upgrade the plugin"
    assert records["of_the_past"]["failure"] == past
    assert records["builtin"]["gives"], "the others load"
    traced = [line.split("  ") for line in done.stderr.splitlines() if line.startswith("trace ")]
    assert ["load", "printing_there (printing_there 2.5)"] in [line[1:3] for line in traced]
    assert ["autoft_register_sources", "printing_there (printing_there 2.5)"] in [line[1:3] for line in traced]
    assert ["autoft_register_tasks", "builtin (built-in)"] in [line[1:3] for line in traced]
    assert next(line for line in traced if line[2].startswith("hanging_there"))[4] == "raised PluginHangs"


@pytest.mark.parametrize("arguments", [("plugins", "--trace"), ("--trace", "plugins"), ("plugins", "--trace", "--json")])
def test_the_list_shows_which_hook_was_called_when(site: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag stands before or behind the command; each plugin is asked for all that it gives right after it was loaded."""
    monkeypatch.setenv("AUTOFT_TRACE", "0")
    install(site, "traced_plugin", GIVES.format(name="traced"))
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0
    assert "traced_plugin" in result.stdout
    assert "trace " not in result.stdout
    lines = [line.split("  ") for line in result.stderr.splitlines() if line.startswith("trace ")]
    for line in lines:
        assert re.fullmatch(r"trace \d\d:\d\d:\d\d\.\d{3}", line[0])
        assert re.fullmatch(r"\d+\.\d ms", line[3])
    calls = [(line[1], line[2]) for line in lines]
    of_ours = [what for what, who in calls if who == "traced_plugin (traced_plugin 2.5)"]
    assert of_ours == ["load", "autoft_register_sources"]
    built_in = [what for what, who in calls if who == "builtin (built-in)"]
    assert built_in[0] == "load"
    assert {"autoft_register_tasks", "autoft_register_models", "autoft_register_trackers"} <= set(built_in)
    assert calls.index(("load", "builtin (built-in)")) < calls.index(("load", "traced_plugin (traced_plugin 2.5)"))
    assert os.environ["AUTOFT_TRACE"] == "0", "the flag holds for its command"


@pytest.mark.parametrize(
    ("arguments", "variables", "there"),
    [
        ((), {}, {"one", "two"}),
        (("--no-plugins",), {}, set()),
        ((), {"AUTOFT_PLUGINS": "none"}, set()),
        ((), {"AUTOFT_PLUGINS": "one,other"}, {"one"}),
        ((), {"AUTOFT_PLUGINS": f"dist-two{os.pathsep}mine.py"}, {"two"}),
    ],
)
def test_only_those_that_are_wanted_are_loaded(
    site: Path, arguments: tuple[str, ...], variables: dict[str, str], there: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        module = f"wanted_{name}"
        (site / f"{module}.py").write_text("import sys\nsys.wanted = [*getattr(sys, 'wanted', []), __name__]" + GIVES.format(name=name))
        info = site / f"dist_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist_{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[autoft]\n{name} = {module}\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(group, [*arguments, "plugins", "--json"])
    records = {record["name"]: record for record in json.loads(result.stdout)}
    assert {name for name in ("one", "two") if records[name]["gives"]} == there
    assert {name for name in ("one", "two") if records[name]["left_out"]} == {"one", "two"} - there
    assert {record["name"] for record in records.values() if record["origin"] == "built-in" and record["gives"]} >= {"builtin", "onnx"}
    assert os.environ[PLUGINS_VARIABLE] == variables.get(PLUGINS_VARIABLE, ""), "the flag holds for its command"


def test_a_plugin_that_is_not_wanted_is_no_fault_and_is_named_where_it_is_missed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "unwanted_a", GIVES.format(name="x"))
    monkeypatch.setenv(PLUGINS_VARIABLE, "none")
    catalog = Catalog.build()
    assert not catalog.warnings
    with pytest.raises(PluginError, match=r"unwanted_a \(unwanted_a 2.5\), which did not load, may give it: not wanted: no plugins"):
        catalog.task("no-such-task")
    file = site / "one_file.py"
    file.write_text(GIVES.format(name="y"))
    with pytest.raises(PluginError, match="no plugins are wanted here"):
        read_plugin_file(file)


def test_the_variable_holds_names_and_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, names, paths in (
        ("", None, []),
        ("a.py", None, ["a.py"]),
        ("none", set(), []),
        (os.pathsep.join(["My_Plugin, other", "a,b.py"]), {"my-plugin", "other"}, ["a,b.py"]),
        ('["a.py", "one"]', {"one"}, ["a.py"]),
    ):
        monkeypatch.setenv(PLUGINS_VARIABLE, text)
        assert (allowed_plugins(), plugin_paths()) == (names, paths)


def test_a_name_that_no_plugin_has_is_said(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "acme_tasks", GIVES.format(name="x"))
    monkeypatch.setenv(PLUGINS_VARIABLE, "acme-taks,builtin")
    catalog = Catalog.build(kinds=())
    assert catalog.warnings == (
        "AUTOFT_PLUGINS names acme-taks: no installed plugin, and no package with one, has that name; did you mean 'acme_tasks'?",
    )
    monkeypatch.setenv(PLUGINS_VARIABLE, "Acme_Tasks")
    assert not Catalog.build(kinds=()).warnings


def test_the_list_takes_the_flag_behind_its_name_too(site: Path) -> None:
    install(site, "behind", GIVES.format(name="x"))
    result = CliRunner().invoke(group, ["plugins", "--no-plugins"])
    assert result.exit_code == 0
    assert re.search(r"behind +behind 2.5 +not wanted: no plugins \(--no-plugins\)", result.stdout)


class Named:
    """A tracker that takes no further attributes."""

    __slots__ = ("name", "summary")

    def __init__(self) -> None:
        self.name, self.summary = "slots", "takes no attributes"

    def open(self, run_id: str, folder: Path) -> None: ...

    def event(self, event: object) -> None: ...

    def close(self) -> None: ...


class Open(Named):
    """One that takes attributes, and can be asked beforehand."""

    def __init__(self) -> None:
        self.name, self.summary = "open", "takes attributes"

    def check(self) -> None:
        raise ConnectionError


def test_calls_of_what_a_plugin_gives_are_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AUTOFT_TRACE", "1")
    one = Open()
    given = SimpleNamespace(autoft_register_trackers=hookimpl(lambda: [one, Named()]))
    for _ in range(2):  # one object, given twice, is shown once
        catalog = Catalog.of([Loaded("mine", "mine 1.0", given)])
    assert catalog.tracker("open") is one
    assert isinstance(one, Checked)
    capsys.readouterr()
    pickle.loads(pickle.dumps(catalog.tracker("open"))).close()
    with pytest.raises(ConnectionError):
        one.check()
    catalog.tracker("slots").close()
    shown = [line.split("  ")[1:] for line in capsys.readouterr().err.splitlines()]
    assert [line[:2] for line in shown] == [["Tracker.close", "open, mine (mine 1.0)"], ["Checked.check", "open, mine (mine 1.0)"]]
    assert shown[1][3] == "raised ConnectionError"
    monkeypatch.setenv("AUTOFT_TRACE", "0")
    one.close()
    assert capsys.readouterr().err == ""


def test_names_leave_the_one_file_plugins_of_the_settings_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "autoft.toml").write_text('plugins = ["of_the_file.py"]')
    monkeypatch.chdir(tmp_path)
    for text, paths in (("one,two", ["of_the_file.py"]), (f"one{os.pathsep}mine.py", ["mine.py"])):
        monkeypatch.setenv(PLUGINS_VARIABLE, text)
        assert [str(path) for path in Settings.collect({}).plugins] == paths


def test_a_worker_that_does_not_inherit_the_environment_is_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLUGINS_VARIABLE, "none")
    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "7")
    found = loading_variables()
    assert (found[PLUGINS_VARIABLE], found["AUTOFT_PLUGIN_TIMEOUT"]) == ("none", "7")


def test_a_plugin_that_hangs_is_waited_for_once(site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "hangs_once", "import threading\nthreading.Event().wait()")
    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "0.2")
    failures = [next(one for one in load_installed() if one.name == "hangs_once").failure for _ in range(2)]
    assert failures == ["did not answer within 0.2 s (AUTOFT_PLUGIN_TIMEOUT gives it more)", "it did not answer in time before"]
    assert capsys.readouterr().err.count("did not answer") == 1


def test_a_one_file_plugin_that_hangs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "waits.py").write_text("import threading\nthreading.Event().wait()")
    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "0.2")
    with pytest.raises(PluginError, match=r"--plugin waits\.py did not answer within 0.2 s"):
        read_plugin_file(tmp_path / "waits.py")


def test_a_call_under_guard_gives_and_raises_what_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guarded(lambda: 7, "mine") == 7
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0, "mine")
    with pytest.raises(SystemExit):
        guarded(lambda: sys.exit(3), "mine")
    before = sys.stdout
    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "never")
    assert guarded(lambda: sys.stdout, "mine") is not before
    assert sys.stdout is before


def test_what_hangs_prints_to_standard_error_for_ever(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    on, said = threading.Event(), threading.Event()

    def chatter() -> None:
        on.wait(60)
        sys.stdout.write("still here\n")
        said.set()

    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "0.1")
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    with pytest.raises(PluginHangs):
        guarded(chatter, "mine")
    on.set()
    assert said.wait(60)
    sys.stdout.write("mine own\n")
    assert capsys.readouterr() == ("mine own\n", "plugin mine: still here\n")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (None, None),
        (INTERFACE, None),
        (INTERFACE + 1, "upgrade autoft"),
        (0, "upgrade the plugin"),
        ("v1", "which is no version"),
        (True, "which is no version"),
    ],
)
def test_the_interface_a_plugin_is_made_for(version: object, said: str | None) -> None:
    card = SourceCard("my-bert", "me/my-bert", "MIT", ("en",), 1000)
    plugin = SimpleNamespace(autoft_interface=version, autoft_register_sources=hookimpl(lambda: [card]))
    catalog = Catalog.of([Loaded("mine", "mine 1.0", plugin)])
    fault = interface_fault(version)
    assert catalog.plugins[0].failure == fault
    assert list(catalog.sources) == ([] if said else ["my-bert"])
    assert fault is None if said is None else said in str(fault)
    assert len(catalog.warnings) == (said is not None)
