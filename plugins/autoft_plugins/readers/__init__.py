"""Readers: CSV and TSV, JSON, JSON lines, CoNLL, fastText, Excel, Parquet, compressed files, folders of `datasets` or of classes."""

from __future__ import annotations

from autoft.interfaces.reader import Reader
from autoft_plugins.readers.class_folder import ClassFolder
from autoft_plugins.readers.compressed import Compressed
from autoft_plugins.readers.conll import Conll
from autoft_plugins.readers.content import ByContent
from autoft_plugins.readers.dataset_folder import DatasetFolder
from autoft_plugins.readers.delimited import Delimited
from autoft_plugins.readers.excel import Excel
from autoft_plugins.readers.fasttext import FastText
from autoft_plugins.readers.json_file import JsonFile, JsonLines
from autoft_plugins.readers.parquet import Parquet

READERS: list[Reader] = [
    Conll(),
    FastText(),
    Delimited(),
    JsonFile(),
    JsonLines(),
    Parquet(),
    Excel(),
    Compressed(),
    DatasetFolder(),
    ClassFolder(),
    ByContent(),
]
"""What the built-in plugin registers; CoNLL and fastText come before CSV, since they take some of its endings."""
