"""The settings of a run: flags before environment (AUTOFT_*) before file (autoft.toml) before defaults."""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, field_serializer
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from autoft.errors import SettingsError
from autoft.plugins import plugin_paths
from autoft.store.address import masked

FILE = "autoft.toml"
PREFIX = "AUTOFT_"

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)", re.I | re.A)
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.A)

RAY_ADDRESS = "HOST:PORT of the cluster's head, `auto` for the cluster that this machine is a node of, or `local` for none"
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})", re.A)

DURATION = "a time such as 90s, 5m, 1h30m, or a number of seconds"


def parse_duration(value: object) -> float:
    """Seconds from `"5m"`, `"90s"`, `"1h30m"`, `"600"` or a number. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError(DURATION)
    seconds = float(value) if isinstance(value, int | float) else _spelled(str(value).strip())
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(DURATION)
    return seconds


def _spelled(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        raise ValueError(DURATION)
    return sum(float(number) * _UNITS[unit[0].lower()] for number, unit in parts)


LATENCY, SIZE = "a time such as 10ms or 0.2s", "a size such as 50MB, 48MiB or 1.5GB"
_MEASURES = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
_MEASURE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([a-z]+)", re.I | re.A)


def _measured(value: object, units: Collection[str], wanted: str) -> float:
    found = _MEASURE.fullmatch(str(value).strip())
    unit = found[2].lower() if found else ""
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    if found and unit in units:
        number = float(found[1]) * _MEASURES[unit]
    if not math.isfinite(number) or number <= 0:
        raise ValueError(wanted)
    return number


def parse_latency(value: object) -> float:
    """Seconds from `"10ms"`, `"0.2s"` or a number. Raises ValueError."""
    return _measured(value, ("us", "ms", "s"), LATENCY)


def parse_size(value: object) -> int:
    """Bytes from `"50MB"`, `"48MiB"` or a number. Raises ValueError."""
    return round(_measured(value, ("b", "kb", "mb", "gb", "kib", "mib", "gib"), SIZE))


SMALLEST = "smallest"
"""Of `--distill`, where no source is named."""
DISTILL = "smallest, the name of a source, or layers=N, N of 1 or more"
_LAYERS = re.compile(r"layers\s*=\s*(\d{1,3})", re.I | re.A)


def parse_distill(value: object) -> str | None:
    """None for nothing. Raises ValueError."""
    text = "" if value is None or value is False else SMALLEST if value is True else str(value).strip()
    if text.lower().startswith("layers") and "=" in text and not layers_of(text):
        raise ValueError(DISTILL)
    return text or None


def layers_of(wanted: str) -> int | None:
    """N of `layers=N`; None for any other value of `--distill`."""
    found = _LAYERS.fullmatch(wanted)
    return int(found[1]) if found else None


def _names(value: object) -> object:
    """A list from `a,b` or JSON; every item may hold commas itself."""
    if isinstance(value, str):
        value = json.loads(value) if value.lstrip().startswith("[") else [value]
    if not isinstance(value, Sequence):
        return value
    return [part.strip() for item in value for part in (item.split(",") if isinstance(item, str) else [str(item)]) if part.strip()]


def _paths(value: object) -> object:
    """Like `_names`, but a path may hold a comma: in the environment paths are separated as in PATH."""
    if isinstance(value, str):
        return json.loads(value) if value.lstrip().startswith("[") else [part for part in value.split(os.pathsep) if part]
    return value


def _pairs(value: object) -> object:
    """`{role: name}` from `ROLE=NAME` items."""
    if isinstance(value, str):
        value = json.loads(value) if value.lstrip().startswith(("[", "{")) else value.split(",")
    if isinstance(value, Mapping):
        return {str(role).strip(): name for role, name in value.items()}
    if not isinstance(value, Sequence):
        return value
    found: dict[str, str] = {}
    for item in value:
        role, equals, name = str(item).partition("=")
        role, name = role.strip(), name.strip()
        if not (equals and role and name):
            raise ValueError("ROLE=NAME, e.g. --column text=review")
        if found.setdefault(role, name) != name:
            raise ValueError(f"one column a role; {role} was given {found[role]} and {name}")
    return found


def _words(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def parse_ray_address(value: object) -> str | None:
    """`auto` or `HOST:PORT`; None for nothing and for `local`, this machine. Raises ValueError."""
    text = "" if value is None else str(value).strip()
    if text in ("", "local"):
        return None
    if text.startswith("ray://"):
        raise ValueError(f"{RAY_ADDRESS}: not through Ray's client, where the search would not run in this process")
    found = _ADDRESS.fullmatch(text)
    if text != "auto" and not (found and 0 < int(found[1]) < 2**16):
        raise ValueError(RAY_ADDRESS)
    return text


Distill = Annotated[str | None, BeforeValidator(parse_distill)]
Latency = Annotated[float, BeforeValidator(parse_latency)]
Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)]
Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
Word = Annotated[str | None, BeforeValidator(_words)]
RayAddress = Annotated[str | None, BeforeValidator(parse_ray_address)]

_Layer = tuple[str, dict[str, Any]]


class Settings(BaseSettings):
    """All that a run can be told. Frozen; JSON both ways (`model_dump(mode="json")`), passwords masked on the way out."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, populate_by_name=True)

    data: Path | None = Field(default=None, description="file or folder of labelled data")
    output: Path | None = Field(default=None, description="folder for all that the run leaves; default runs/<data>-<time>")
    budget: Duration | None = Field(default=None, description="wall time from the command to the result, in seconds")
    trials: int | None = Field(default=None, ge=1, description="number of trials")
    gpu_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="most GPU time, summed over the trials")
    concurrency: int | None = Field(default=None, ge=1, description="trials side by side")
    hang_after: Duration | None = Field(
        default=None, description="silence after which a trial counts as hanging; default ten times what a trial is expected to take"
    )
    like: Word = Field(default=None, description="an earlier run on like data, whose best hyperparameters are tried first")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="seed of the split, the search and the training")
    models: Names = Field(default=(), description="models, sources or candidates")
    named_only: bool = Field(
        default=False, description="serve the best of what `models` names; the baseline is then only what it is held against"
    )
    licences: Names = Field(default=(), description="licences under which a source may be; default any")
    text: Word = Field(default=None, description="column that holds the text")
    label: Word = Field(default=None, description="column that holds the label")
    columns: Pairs = Field(default_factory=dict, description="column by role")
    task: Word = Field(default=None, description="kind of learning")
    metric: Word = Field(default=None, description="metric that decides")
    validation: Path | None = Field(default=None, description="file of rows to choose by")
    test: Path | None = Field(default=None, description="file of rows for the final figure")
    add: Paths = Field(default=(), description="files of further rows to learn from; none of them is chosen by or judged on")
    group: Word = Field(default=None, description="column whose values stay together in one part of the split")
    time: Word = Field(default=None, description="column of dates or numbers: train on earlier rows, test on later ones")
    plugins: Paths = Field(default=(), description="one-file plugins")
    trackers: Names = Field(
        default=(), description="trackers that the events are copied to: jsonl, mlflow, tensorboard, wandb, or a plugin's"
    )
    tuner: str = Field(default="ray", min_length=1, description="tuner plugin")
    ray_address: RayAddress = Field(default=None, description="the Ray cluster that searches: HOST:PORT of its head, or auto")
    exporter: str = Field(default="onnx", min_length=1, description="exporter plugin: the format of the bundle")
    max_latency: Latency | None = Field(
        default=None, description="the most seconds that 95 of 100 rows may take one by one on this machine; the best model within is taken"
    )
    max_size: Size | None = Field(default=None, description="the most bytes that the bundle may have; the best model within is taken")
    max_loss: float = Field(
        default=0.5,
        ge=0,
        allow_inf_nan=False,
        description="points of the metric that the rounding of a format may cost",
    )
    distill: Distill = Field(
        default=None, description="teach a smaller model by the winner: `smallest`, a source, or `layers=N` of the winner's own"
    )
    offline: bool = Field(default=False, description="fetch nothing")
    verbose: bool = Field(default=False, description="show what the libraries say")
    database: str | None = Field(default=None, repr=False, description="SQLAlchemy URL of the database of runs")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `collect` merges the layers itself, to say in an error where a value came from; a bare Settings(...) reads nothing else.
        return (init_settings,)

    @field_serializer("database", when_used="json")
    def _mask(self, value: str | None) -> str | None:
        return None if value is None else masked(value)

    @classmethod
    def collect(cls, flags: Mapping[str, Any], config: Path | None = None) -> Settings:
        """Merge the layers and check them. A flag that is None or an empty list was not given.

        Raises SettingsError that names every bad value, where it stood and what is allowed.
        """
        given = {name: value for name, value in flags.items() if value is not None and value not in ((), [], {}, "")}
        problems: list[str] = []
        layers: list[_Layer] = [("flag", given), ("environment", _environment(cls, problems)), ("file", _file(cls, config, problems))]
        merged: dict[str, Any] = {}
        homes: dict[str, str] = {}
        for layer, values in layers:
            for name, value in values.items():
                if name not in merged:
                    merged[name], homes[name] = value, _home(layer, name, config)
        problems += _conflicts(merged, homes)
        try:
            settings = cls(**merged)
        except ValidationError as error:
            problems += [_problem(item["loc"], str(item["msg"]), str(item["type"]), merged, homes) for item in error.errors()]
        if problems:
            raise _refusal(problems)
        return settings


def _refusal(problems: Sequence[str]) -> SettingsError:
    unique = list(dict.fromkeys(problems))
    if len(unique) == 1:
        return SettingsError(unique[0], hint="autoft run --help")
    return SettingsError("\n  ".join([f"{len(unique)} settings cannot be used:", *unique]), hint="autoft run --help")


def _environment(cls: type[Settings], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: os.environ[PREFIX + name.upper()] for name in cls.model_fields if os.environ.get(PREFIX + name.upper(), "").strip()
    }
    if "plugins" in values:  # the same variable says which installed plugins may be loaded
        values = {name: value for name, value in values.items() if name != "plugins"}
        if plugin_paths():
            values["plugins"] = plugin_paths()
    for name in sorted(os.environ):
        field = name.removeprefix(PREFIX).lower()
        close = get_close_matches(field, cls.model_fields, n=1, cutoff=0.8)
        if name.startswith(PREFIX) and field not in cls.model_fields and close:
            problems.append(f"{name} is no setting; did you mean {PREFIX}{close[0].upper()}?")
    return values


def _file(cls: type[Settings], config: Path | None, problems: list[str]) -> dict[str, Any]:
    path = config or Path(FILE)
    if config is None and not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problems.append(f"the settings file {path} cannot be read: {error.strerror or error}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"the settings file {path} is no valid TOML: {error}")
        return {}
    for name in [name for name in values if name not in cls.model_fields]:
        close = get_close_matches(name.replace("-", "_"), cls.model_fields, n=1)
        advice = f"did you mean {close[0]!r}?" if close else "the settings are " + ", ".join(cls.model_fields)
        problems.append(f"{path}: {name!r} is no setting; {advice}")
        del values[name]
    return values


def _home(layer: str, name: str, config: Path | None) -> str:
    if layer == "environment":
        return PREFIX + name.upper()
    if layer == "file":
        return f"{config or FILE}: {name}"
    return _FLAGS.get(name, "--" + name.replace("_", "-"))


_FLAGS = {"data": "DATA", "columns": "--column", "plugins": "--plugin", "trackers": "--tracker"}

_FORMATS: dict[str, str] = {
    "budget": DURATION,
    "hang_after": DURATION,
    "trials": "a whole number, 1 or more",
    "concurrency": "a whole number, 1 or more",
    "gpu_hours": "a number above 0, e.g. 0.5",
    "max_latency": LATENCY,
    "max_size": SIZE,
    "max_loss": "a number, 0 or more: points of the metric, e.g. 0.5",
    "distill": DISTILL,
    "seed": f"a whole number from 0 to {2**32 - 1}",
    "columns": "ROLE=NAME, e.g. text=review",
    "models": "names by comma, e.g. full:all-MiniLM-L6-v2,linear",
    "trackers": "names by comma",
    "plugins": "paths of files",
    "add": "paths of files",
    "named_only": "true or false",
    "offline": "true or false",
    "verbose": "true or false",
}


def _problem(loc: Sequence[object], message: str, kind: str, merged: Mapping[str, Any], homes: Mapping[str, str]) -> str:
    name = str(loc[0]) if loc else ""
    value = merged.get(name)
    shown = masked(str(value)) if name == "database" else value if isinstance(value, str) else str(value)
    wanted = _FORMATS.get(name, "a path" if "path" in kind else "a text")
    own = message.removeprefix("Value error, ") if kind == "value_error" else ""
    if own and name in ("columns", "ray_address"):
        wanted = own
    return f'{homes.get(name, name)} is "{shown}"; it must be {wanted}'


def _conflicts(merged: dict[str, Any], homes: Mapping[str, str]) -> list[str]:
    """`--text` and `--label` are short forms of `--column`: both may be given when they agree. A column to split by is no other's."""
    try:
        pairs = TypeAdapter[dict[str, str]](Pairs).validate_python(merged.get("columns", {}))
    except (ValidationError, ValueError):
        return []
    found = []
    for role in ("text", "label"):
        if role in pairs and merged.get(role) and pairs[role] != merged[role]:
            found.append(f'{homes[role]} is "{merged[role]}", and {homes["columns"]} says {role}={pairs[role]}: give one of them')
    splitting = [name for name in ("group", "time") if merged.get(name)]
    if len(splitting) == 2:
        what = f'{homes["group"]} is "{merged["group"]}" and {homes["time"]} is "{merged["time"]}"'
        found.append(f"{what}: give one of them, since a group whose rows lie on both sides of a time can be in no part")
    for name in splitting if merged.get("add") else ():
        what = f'{homes["add"]} adds rows, and {homes[name]} is "{merged[name]}"'
        found.append(f"{what}: give one of them, since rows that are added could tell of those to test on")
    roles = {**pairs, **{role: merged[role] for role in ("text", "label") if merged.get(role)}}
    for name in splitting:
        found += [f'{homes[name]} is "{merged[name]}", which is the {role}, too' for role in roles if roles[role] == merged[name]]
    return found
