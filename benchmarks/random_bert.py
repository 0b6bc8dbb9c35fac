"""BERTs of random weights, of any shape, and made-up texts of single-token words: for speed, where no real weights are needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.source import Source

WORDS = 8000
LONGEST = 256


@dataclass(frozen=True)
class Shape:
    """A BERT of so many layers, units and heads, and `rows` texts of `length` tokens on average."""

    name: str
    layers: int
    width: int
    heads: int
    rows: int
    length: int
    batch: int
    epochs: int


BASE = Shape("BERT-base", layers=12, width=768, heads=12, rows=16_000, length=96, batch=128, epochs=8)
SMALL = Shape("MiniLM-L6", layers=6, width=384, heads=12, rows=4_000, length=32, batch=32, epochs=30)
TINY = Shape("tiny", layers=2, width=64, heads=2, rows=64, length=12, batch=8, epochs=3)


def make_source(folder: Path, shape: Shape) -> Source:
    """Random weights and a tokenizer of one token a word, as `save_pretrained` writes them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, utils

    utils.logging.disable_progress_bar()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names = [*special, *(f"w{number}" for number in range(WORDS))]
    tokenizer = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", names.index("[SEP]")), ("[CLS]", names.index("[CLS]")))
    config = BertConfig(
        vocab_size=len(names), hidden_size=shape.width, num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    written = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **words}
    (folder / "tokenizer_config.json").write_text(json.dumps(written), encoding="utf-8")
    return Source(shape.name, folder, sha256=f"random {shape}")


def lengths_of(shape: Shape) -> npt.NDArray[np.int64]:
    """Tokens of each row, many short and few long, with the two that every text has."""
    drawn = np.random.default_rng(0).gamma(2.0, shape.length / 2, shape.rows)
    return np.clip(drawn, 3, LONGEST).astype(np.int64)


def table_of(shape: Shape) -> Table:
    """As many texts, with a label each that nothing tells."""
    generator = np.random.default_rng(1)
    texts = [" ".join(f"w{number}" for number in generator.integers(0, WORDS, length - 2)) for length in lengths_of(shape)]
    return Table({"text": texts, "label": ["yes" if number % 2 else "no" for number in range(len(texts))]})
