"""Readers: CSV and TSV, JSON, JSON lines, Parquet, folders of `datasets`."""

from __future__ import annotations

from autoft.interfaces.reader import Reader
from autoft_plugins.readers.dataset_folder import DatasetFolder
from autoft_plugins.readers.delimited import Delimited
from autoft_plugins.readers.json_file import JsonFile, JsonLines
from autoft_plugins.readers.parquet import Parquet

READERS: list[Reader] = [Delimited(), JsonFile(), JsonLines(), Parquet(), DatasetFolder()]
"""What the built-in plugin registers."""
