"""The catalog: clashes, faults, names, events."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import autoft
from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import DataError, InputError, PluginError
from autoft.interfaces.events import Remark, RunFailedEvent, TrialStarted
from autoft.interfaces.model import Limits
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.source import SourceCard
from autoft.plugins import BUILT_IN, Loaded, load_installed
from autoft.settings import Settings
from autoft.steps.choose import choose
from autoft.steps.understand import understand


class Tracker:
    """A tracker with all it needs."""

    summary = "keeps nothing"

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self, run_id: str, folder: Any) -> None: ...

    def event(self, event: Any) -> None: ...

    def close(self) -> None: ...


def plugin(**functions: Any) -> Any:
    return SimpleNamespace(**{name: autoft.hookimpl(function) for name, function in functions.items()})


def gives(kind: str, *objects: Any) -> Any:
    def register() -> list[Any]:
        return list(objects)

    return plugin(**{f"autoft_register_{kind}": register})


def loaded(name: str, what: Any, origin: str = "") -> Loaded:
    return Loaded(name, origin or f"{name} 1.0", what)


def test_names_lead_to_objects_and_nothing_can_be_changed() -> None:
    one = Tracker("diary")
    catalog = Catalog.of([loaded("a", gives("trackers", one))])
    assert catalog.tracker("diary") is one
    with pytest.raises(TypeError):
        catalog.trackers["other"] = one  # type: ignore[index]


def test_an_unknown_name_offers_the_nearest() -> None:
    catalog = Catalog.of([loaded("a", gives("trackers", Tracker("diary"), Tracker("wall")))])
    with pytest.raises(PluginError) as caught:
        catalog.tracker("dairy")
    assert "there is no tracker named 'dairy'; did you mean 'diary'? Known: diary, wall." in caught.value.message
    with pytest.raises(PluginError, match="no tuner named 'x'; known: none"):
        catalog.tuner("x")


def test_an_unknown_name_tells_of_a_plugin_that_might_have_given_it() -> None:
    catalog = Catalog.of([Loaded("fast", "fast-tuner 3.0", None, 'needs the extra "train" (ray is not installed)', True)])
    with pytest.raises(PluginError) as caught:
        catalog.tuner("fast")
    assert 'fast (fast-tuner 3.0), which did not load, may give it: needs the extra "train"' in caught.value.message


CLASH = "two plugins give a tracker named 'diary': a (a 1.0) and b (b 1.0)"


def test_of_two_plugins_of_one_name_neither_is_used_and_nothing_else_is_spoiled() -> None:
    both = [loaded("a", gives("trackers", Tracker("diary"), Tracker("own"))), loaded("b", gives("trackers", Tracker("diary")))]
    catalog = Catalog.of(both)
    assert list(catalog.trackers) == ["own"]
    (warning,) = catalog.warnings
    assert warning.startswith(f"plugins a (a 1.0), b (b 1.0) are broken and were left out: {CLASH}; neither is used")
    with pytest.raises(PluginError) as caught:
        catalog.tracker("diary")
    assert CLASH in caught.value.message


def test_a_built_in_name_stays_the_built_in_ones() -> None:
    own, other = Tracker("diary"), Tracker("diary")
    catalog = Catalog.of([loaded("builtin", gives("trackers", own), BUILT_IN), loaded("b", gives("trackers", other))])
    assert catalog.tracker("diary") is own
    assert [bool(record.failure) for record in catalog.plugins] == [False, True]
    assert len(catalog.warnings) == 1


def test_both_records_say_it_and_give_what_is_left() -> None:
    both = [loaded("a", gives("trackers", Tracker("diary"))), loaded("b", gives("trackers", Tracker("diary"), Tracker("wall")))]
    catalog = Catalog.of(both)
    assert [(record.failure or "").startswith(f"{CLASH}; neither is used") for record in catalog.plugins] == [True, True]
    assert [[given.name for given in record.gives] for record in catalog.plugins] == [[], ["wall"]]
    assert catalog.giver("tracker", "diary") is None


def test_readers_of_files_come_first_then_those_of_packages_then_those_of_autoft() -> None:
    def reader(name: str) -> Any:
        return SimpleNamespace(name=name, summary="", suffixes=(), matches=lambda path: False, read=lambda path: None)

    origins = {"own": BUILT_IN, "a": "a 1.0", "b": "b 1.0", "one.py": "file one.py (12345678)"}
    catalog = Catalog.of([loaded(name, gives("readers", reader(name), reader(f"{name}2")), origin) for name, origin in origins.items()])
    assert list(catalog.readers) == ["one.py", "one.py2", "a", "a2", "b", "b2", "own", "own2"]


def test_the_same_name_for_two_kinds_is_no_clash() -> None:
    card = SourceCard("diary", "me/diary", "MIT", ("en",), 1)
    catalog = Catalog.of([loaded("a", gives("trackers", Tracker("diary"))), loaded("b", gives("sources", card))])
    assert catalog.sources["diary"] is card


@pytest.mark.parametrize(
    ("kind", "thing", "parts"),
    [
        ("trackers", SimpleNamespace(name="half", summary="", open=print), ["is no Tracker", "it lacks event, close"]),
        ("trackers", SimpleNamespace(name="half", summary="", open=print, event=3, close=print), ["event cannot be called"]),
        ("trackers", Tracker("a:b"), ["'a:b'", "without spaces, commas and colons"]),
        ("sources", SimpleNamespace(name="x", summary=""), ["is no SourceCard"]),
    ],
)
def test_an_object_that_lacks_something_is_its_plugins_failure(kind: str, thing: Any, parts: list[str]) -> None:
    good = Tracker("good")
    catalog = Catalog.of([loaded("a", gives(kind, thing)), loaded("b", gives("trackers", good))])
    failure = catalog.plugins[0].failure
    assert failure is not None
    assert all(part in failure for part in [f"autoft_register_{kind}", *parts]), failure
    assert list(catalog.trackers) == ["good"]


def test_a_hook_that_raises_keeps_what_the_others_gave() -> None:
    def fail() -> list[Any]:
        raise RuntimeError("no")

    both = gives("trackers", Tracker("diary"))
    both.autoft_register_models = autoft.hookimpl(fail)
    catalog = Catalog.of([loaded("a", both)])
    assert catalog.plugins[0].gives == (("tracker", "diary", "keeps nothing"),)
    assert catalog.plugins[0].failure == "autoft_register_models raised RuntimeError: no"
    assert catalog.warnings == ("plugin a (a 1.0) is broken and was left out: autoft_register_models raised RuntimeError: no",)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (SimpleNamespace(), "has no hook: no function marked"),
        (plugin(autoft_register_modles=lambda: [][:]), "autoft_register_modles, which is no hook; did you mean autoft_register_models?"),
        (plugin(autoft_run_started=lambda evt: None), "autoft_run_started takes `evt`, must be `event`"),
        (plugin(autoft_register_tasks=lambda catalog: []), "autoft_register_tasks takes `catalog`, and must take nothing"),
    ],
)
def test_a_plugin_with_wrong_hooks_is_a_failure(what: Any, reason: str) -> None:
    failure = Catalog.of([loaded("a", what)]).plugins[0].failure
    assert failure is not None
    assert reason in failure


def test_events_reach_their_hook() -> None:
    heard: list[Any] = []

    def angry(event: Any) -> None:
        raise ValueError("disk full")

    both = plugin(autoft_trial_started=lambda event: heard.append(event.trial), autoft_run_failed=lambda event: heard.append(event.reason))
    catalog = Catalog.of([loaded("first", both), loaded("second", plugin(autoft_run_failed=angry)), loaded("third", gives("trackers"))])
    first, second = catalog.event_hooks
    assert (first.plugin, first.events) == ("first (first 1.0)", {"trial_started", "run_failed"})
    failed = RunFailedEvent(run_id="r", status="failed", reason="why")
    for event in (TrialStarted(trial=4, candidate="linear", hyperparameters={}), Remark(text="nothing hears this"), failed):
        first.hear(event)
    assert heard == [4, "why"]
    with pytest.raises(ValueError, match="disk full"):
        second.hear(failed)


def test_those_that_were_not_wanted_share_a_line() -> None:
    why = "not wanted: no plugins (--no-plugins)"
    unwanted = [Loaded(name, f"{name} 1.0", None, why, left_out=True) for name in ("a", "b")]
    with pytest.raises(PluginError) as caught:
        Catalog.of([*unwanted, Loaded("c", "c 1.0", None, "ImportError: x")]).tuner("halving")
    assert caught.value.message.splitlines()[1:] == [
        f"plugins a (a 1.0), b (b 1.0), which did not load, may give it: {why}",
        "plugin c (c 1.0), which did not load, may give it: ImportError: x",
    ]


def broken(name: str) -> Catalog:
    """All that is installed, and beside it a plugin that does not load."""
    return Catalog.of([*load_installed(), Loaded(name, f"{name} 0.1", None, "SyntaxError: invalid syntax")])


@pytest.mark.parametrize("name", ["mails.mbox", "mails.mbox.gz", "mails"])
def test_where_no_reader_takes_a_file_the_plugin_that_did_not_load_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if "." in name:
        path.write_bytes(gzip.compress(b"From me") if name.endswith(".gz") else b"From me")
    else:
        path.mkdir()
    catalog = broken("my-mbox")
    with pytest.raises(DataError) as caught:
        understand(Settings(data=path), catalog)
    line = "plugin my-mbox (my-mbox 0.1), which did not load, may read it: SyntaxError: invalid syntax"
    assert caught.value.message.splitlines()[1:] == [line]
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("autoft plugins shows")
    with pytest.raises(DataError) as caught:
        understand(Settings(data=path), Catalog.build())
    assert "\n" not in caught.value.message
    (tmp_path / "short.csv").write_text("text\n")
    with pytest.raises(DataError, match="and no rows") as caught:
        understand(Settings(data=tmp_path / "short.csv"), catalog)
    assert "my-mbox" not in caught.value.message, "a reader took it"


def test_where_a_model_is_missed_the_plugin_that_did_not_load_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(memory=1 << 30, threads=1, gpus=0, seconds=None, flops=1e9)
    head, metric = Head(kind="single_label_classification", outputs=2), Metric(name="accuracy")
    problem = Problem(task="text-classification", fields={}, inputs=("text",), labels=("a", "b"), head=head, metric=metric)

    def asked(name: str) -> str:
        with pytest.raises(InputError) as caught:
            choose([name], broken("my-bayes"), problem, limits, Table({"text": ["x"]}), offline=True)
        return caught.value.message

    line = "plugin my-bayes (my-bayes 0.1), which did not load, may give it: SyntaxError: invalid syntax"
    monkeypatch.chdir(tmp_path)
    assert asked("my-bayes").splitlines() == ["--models: there is no model or source named 'my-bayes'", line]
    (tmp_path / "my-bayes" / "src").mkdir(parents=True)  # the author's package
    first, second = asked("my-bayes").splitlines()
    assert first.startswith("--models: there is no model or source named 'my-bayes', and what lies here under that name is none: ")
    assert first.endswith("has no config.json: not a folder of pretrained weights")
    assert second == line
    assert "my-bayes" not in asked("./missing").partition("missing")[2]


def test_building_the_catalog_is_light() -> None:
    code = (
        "import sys, time, numpy, pydantic, pluggy\n"
        "from autoft.catalog import Catalog\nstart = time.process_time()\nCatalog.build()\nspent = time.process_time() - start\n"
        "heavy = {'torch', 'transformers', 'ray', 'sklearn', 'onnx', 'onnxruntime', 'pandas', 'datasets', 'optuna'} & set(sys.modules)\n"
        "assert not heavy, heavy\nassert spent < 1.0, spent\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
