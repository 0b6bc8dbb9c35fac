"""Flags before environment before file before defaults; all that is wrong is said at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoft.errors import SettingsError
from autoft.settings import Settings, parse_duration


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"AUTOFT_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("600", 600),
        (" 1h 30m 5s ", 5405),
        ("1.5h", 5400),
        (45, 45),
        ("2 minutes", 120),
        ("0.5", 0.5),
        ("1d", 86400),
    ],
)
def test_a_time_is_understood(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["banana", "", "5x", "m5", "-5m", "0", "0s", "5m!", "1e999", "nan", float("nan"), float("inf"), True, "٥"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="90s"):
        parse_duration(text)


def test_flags_come_before_environment_before_file_before_defaults(tmp_path, monkeypatch):
    Path("autoft.toml").write_text('budget = "1m"\ntrials = 3\nseed = 5\nmetric = "accuracy"\n', encoding="utf-8")
    monkeypatch.setenv("AUTOFT_TRIALS", "4")
    monkeypatch.setenv("AUTOFT_SEED", "6")
    settings = Settings.collect({"data": "a.csv", "seed": 7, "text": None, "models": ()}, None)
    assert (settings.budget, settings.trials, settings.seed, settings.metric, settings.tuner) == (60, 4, 7, "accuracy", "ray")
    assert settings.data == Path("a.csv")


def test_another_settings_file_replaces_the_one_in_the_folder(tmp_path):
    Path("autoft.toml").write_text("trials = 3", encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text('budget = 90\nmodels = ["linear", "full:x"]\n[columns]\ntext = "review, long"\n', encoding="utf-8")
    settings = Settings.collect({}, other)
    assert (settings.trials, settings.budget, settings.models, settings.columns) == (
        None,
        90,
        ("linear", "full:x"),
        {"text": "review, long"},
    )


def test_lists_and_pairs_in_flags_and_environment(monkeypatch):
    monkeypatch.setenv("AUTOFT_MODELS", "linear, full:a")
    monkeypatch.setenv("AUTOFT_COLUMNS", "text=review,label=stars")
    monkeypatch.setenv("AUTOFT_OFFLINE", "true")
    monkeypatch.setenv("AUTOFT_PLUGINS", "a.py:b.py")
    settings = Settings.collect({}, None)
    assert settings.models == ("linear", "full:a")
    assert settings.columns == {"text": "review", "label": "stars"}
    assert settings.plugins == (Path("a.py"), Path("b.py"))
    assert settings.offline is True
    flags = Settings.collect({"models": ["x,y", "z"], "columns": ("left=a=b", "right=c")}, None)
    assert flags.models == ("x", "y", "z")
    assert flags.columns == {"left": "a=b", "right": "c"}


def test_all_that_is_wrong_is_said_at_once(tmp_path, monkeypatch):
    Path("autoft.toml").write_text('budgte = "5m"\nseed = -1\n', encoding="utf-8")
    monkeypatch.setenv("AUTOFT_CONCURRENCY", "many")
    with pytest.raises(SettingsError) as error:
        Settings.collect({"budget": "banana", "trials": 0, "columns": ["text"]}, None)
    said = error.value.message
    assert said.startswith("6 settings cannot be used:")
    assert '--budget is "banana"; it must be a time such as 90s, 5m, 1h30m, or a number of seconds' in said
    assert '--trials is "0"; it must be a whole number, 1 or more' in said
    assert "--column is" in said
    assert "ROLE=NAME" in said
    assert 'AUTOFT_CONCURRENCY is "many"' in said
    assert 'autoft.toml: seed is "-1"' in said
    assert "'budgte' is no setting; did you mean 'budget'?" in said
    assert error.value.exit_code == 2
    assert error.value.hint == "autoft run --help"


def test_one_wrong_budget_is_one_line():
    with pytest.raises(SettingsError, match=r'^--budget is "banana"; it must be a time such as 90s') as error:
        Settings.collect({"data": "a.csv", "budget": "banana"}, None)
    assert "\n" not in error.value.message


def test_a_misspelt_variable_is_said(monkeypatch):
    monkeypatch.setenv("AUTOFT_BUGDET", "5m")
    with pytest.raises(SettingsError, match="did you mean AUTOFT_BUDGET"):
        Settings.collect({}, None)


@pytest.mark.parametrize(
    ("content", "said"), [(b"budget = ", "no valid TOML"), (b"\xff\xfe\x00", "no valid TOML"), (None, "cannot be read")]
)
def test_a_settings_file_that_cannot_be_read_is_said(tmp_path, content, said):
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        Settings.collect({}, path)


def test_two_ways_to_name_a_column_must_agree():
    assert Settings.collect({"text": "a", "columns": ["text=a"]}, None).text == "a"
    with pytest.raises(SettingsError, match=r'--text is "a", and --column says text=b'):
        Settings.collect({"text": "a", "columns": ["text=b"]}, None)


def test_json_both_ways_with_the_password_masked():
    settings = Settings.collect({"data": "a.csv", "budget": "5m", "models": ["x"], "database": "postgresql://me:hush@db/runs"}, None)
    written = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert written["database"] == "postgresql://me:***@db/runs"
    assert "hush" not in repr(settings)
    assert settings.database == "postgresql://me:hush@db/runs"
    assert Settings.collect(written, None).model_dump(mode="json") == written


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().seed = 3


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:6379", "[2001:db8::1]:6379"])
def test_where_a_cluster_is(address, monkeypatch):
    assert Settings.collect({"ray_address": address}, None).ray_address == address
    monkeypatch.setenv("AUTOFT_RAY_ADDRESS", address)
    assert Settings.collect({}, None).ray_address == address
    assert Settings.collect({"ray_address": "local"}, None).ray_address is None


@pytest.mark.parametrize(
    "address", ["head", "head:0", "head:65536", "head:port", ":6379", "http://head:6379", "me:hush@head:6379", "a b:1"]
)
def test_what_is_no_address_of_a_cluster_is_refused(address):
    with pytest.raises(SettingsError, match="it must be HOST:PORT of the cluster's head, `auto`"):
        Settings.collect({"ray_address": address}, None)


def test_rays_client_is_refused_with_the_reason():
    with pytest.raises(SettingsError, match="not through Ray's client, where the search would not run in this process"):
        Settings.collect({"ray_address": "ray://head:10001"}, None)
