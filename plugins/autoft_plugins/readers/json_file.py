"""JSON and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoft.data.names import listed
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.charset import Charset, recognise

_HINT = 'write an array of objects: [{"text": "...", "label": "..."}, ...]'
_LINES_HINT = 'write one object a line: {"text": "...", "label": "..."}'


class JsonFile:
    """An array of objects, alone or under "data"; columns by name (`{"text": [...], "label": [...]}`) and spaCy's pairs of a text and its
    entities are understood too."""

    name = "json"
    summary = 'JSON: an array of objects, or {"data": [...]}'
    suffixes: tuple[str, ...] = (".json",)

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and not path.is_dir()

    def read(self, path: Path) -> Table:
        charset = recognise(path)
        text = path.read_text(encoding=charset.codec)
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            if error.msg == "Extra data" and text.lstrip().startswith("{"):
                return _read_lines(path, charset, "the file holds JSON lines")
            raise DataError(f"{path}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}", hint=_HINT) from error
        except RecursionError as error:
            raise DataError(f"{path}: the JSON is nested too deeply", hint=_HINT) from error
        return _table(path, charset, _rows(path, content))


class JsonLines:
    """One object a line."""

    name = "jsonl"
    summary = "JSON lines: one object a line"
    suffixes: tuple[str, ...] = (".jsonl", ".ndjson")

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and not path.is_dir()

    def read(self, path: Path) -> Table:
        return _read_lines(path, recognise(path))


def _rows(path: Path, content: Any) -> list[Mapping[str, Any]]:
    if isinstance(content, Mapping):
        columns = [value for value in content.values() if isinstance(value, list)]
        if isinstance(content.get("data"), list) and all(isinstance(row, Mapping) for row in content["data"]):
            content = content["data"]
        elif columns and len(columns) == len(content) and len({len(values) for values in columns}) == 1:
            return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]
    if not isinstance(content, list):
        raise _no_array(path, content)
    if content and all(map(_is_spacy, content)):
        return [{"text": text, "entities": marks["entities"]} for text, marks in content]
    for number, row in enumerate(content, 1):
        if not isinstance(row, Mapping):
            raise DataError(f"{path}: element {number} of the array is {_shown(row)}, not an object", hint=_HINT)
    if content and all(isinstance(row.get("data"), Mapping) and isinstance(row.get("annotations"), list) for row in content):
        what = "the file is Label Studio's full export, with the texts in 'data' and what was marked in 'annotations'"
        raise DataError(f"{path}: {what}", hint="export it as JSON_MIN or CSV, which have a key or column for each")
    return content


def _is_spacy(row: object) -> bool:
    """["Ann left", {"entities": [[0, 3, "PER"]]}], as spaCy's examples are written."""
    pair = isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], Mapping)
    return pair and isinstance(row[1].get("entities"), list)  # type: ignore[index]


def _no_array(path: Path, content: object) -> DataError:
    """Which of its keys hold rows, and how each gets a file of its own."""
    if not isinstance(content, Mapping):
        return DataError(f'{path}: the JSON is a single value, neither an array of objects nor {{"data": [...]}}', hint=_HINT)
    arrays = [str(key) for key, value in content.items() if isinstance(value, list) and value and isinstance(value[0], Mapping)]
    if arrays:
        what = " and ".join(f"{len(content[key]):,} under {key!r}" for key in arrays[:4])
        files = "; ".join(f"jq .{key} {path} > {key}.json" for key in arrays[:4])
        test = " --test test.json" if "test" in arrays[1:] else ""
        hint = f"write each array into a file of its own: {files}; then autoft run {arrays[0]}.json{test}"
        return DataError(f"{path}: the JSON is an object with rows in it: {what}", hint=hint)
    keys = listed(map(str, content), 6)
    if len(content) > 1 and all(isinstance(value, Mapping) for value in content.values()):
        what = f"the JSON is an object with an object under each of its keys {keys}"
        return DataError(f"{path}: {what}", hint=f"write the objects as an array: jq '[.[]]' {path} > rows.json; then autoft run rows.json")
    return DataError(f'{path}: the JSON is an object with the keys {keys}, neither an array of objects nor {{"data": [...]}}', hint=_HINT)


def _read_lines(path: Path, charset: Charset, note: str = "") -> Table:
    rows: list[Mapping[str, Any]] = []
    with path.open(encoding=charset.codec) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}, column {error.colno}: no JSON: {error.msg}", hint=_LINES_HINT) from error
            except RecursionError as error:
                raise DataError(f"{path}, line {number}: the JSON is nested too deeply", hint=_LINES_HINT) from error
            if not isinstance(row, Mapping):
                raise DataError(f"{path}, line {number}: {_shown(row)} is not an object", hint=_LINES_HINT)
            rows.append(row)
    return _table(path, charset, rows, note)


def _table(path: Path, charset: Charset, rows: list[Mapping[str, Any]], note: str = "") -> Table:
    if not rows:
        raise DataError(f"{path} holds no rows", hint=_HINT)
    table = Table.from_records(rows, str(path))
    notes = tuple(f"{path.name}: {one}" for one in (charset.note, note) if one)
    return Table(table.columns, str(path), notes)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
