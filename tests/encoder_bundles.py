"""Bundles made by hand for each encoder that answers are measured behind: its own files, and a graph that reads what it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import task_bundles
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.runtime.bundle import EncoderRecord
from small_bundle import make_bundle

LONGEST = 24
"""Tokens of the encoders that cut."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CONFIG = {"max_length": LONGEST, "inputs": ["input_ids", "attention_mask"], "pad_id": 1, "pad_type_id": 0, "unknown_id": 0}
_INT, _FLOAT = TensorProto.INT64, TensorProto.FLOAT


def tokens(folder: Path) -> Path:
    """Classes by a weight for each token."""
    return _with_tokenizer(folder, "tokens", ["text"], "text-classification", "single_label_classification", ("bad", "good"))


def token_pairs(folder: Path) -> Path:
    """Classes of two texts."""
    fields = ["text", "text_pair"]
    return _with_tokenizer(folder, "token-pairs", fields, "pair-classification", "single_label_classification", ("no", "yes"))


def words(folder: Path) -> Path:
    """A tag for each word, in windows."""
    return _with_tokenizer(folder, "words", ["text"], "token-classification", "token_classification", ("O", "B-NAME", "I-NAME"))


def _with_tokenizer(folder: Path, encoder: str, fields: list[str], task: str, kind: str, labels: tuple[str, ...]) -> Path:
    make_bundle(folder)
    for name in ("vocabulary.json", "decoder.npz"):
        (folder / name).unlink()
    _write_tokenizer(folder / "tokenizer.json")
    axes: list[str | int] = ["batch", 2, "length"] if encoder == "token-pairs" else ["batch", "length"]
    _write_graph(folder / "onnx" / "model.onnx", axes, len(labels), by_token=encoder == "words")
    extra = {"splitting": "list", "form": "tags", "scheme": "BIO", "bio_ids": False} if encoder == "words" else {}
    text = {"type": "string"}
    problem = Problem(
        task=task,
        fields={**{name: (name,) for name in fields}, "label": ("label",)},
        inputs=tuple(fields),
        labels=labels,
        head=Head(kind=kind, outputs=len(labels)),
        metric=Metric(name="f1"),
        max_length=LONGEST,
        extra=extra,
    )
    return task_bundles.changed(
        folder,
        problem=problem,
        encoder=EncoderRecord(name=encoder, config={**_CONFIG, "fields": fields}),
        decoder={},
        input_schema={"type": "object", "properties": dict.fromkeys(fields, text), "required": fields},
    )


def _write_tokenizer(path: Path) -> None:
    vocabulary = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "the", "is", "not", *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
    tokenizer = Tokenizer(models.WordPiece({word: place for place, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path))


def _write_graph(path: Path, axes: list[str | int], outputs: int, *, by_token: bool) -> None:
    """logits = weight[token], for each token, or summed over those that the mask leaves."""
    weight = np.random.default_rng(0).normal(size=(64, outputs)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["weight", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=_FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["rows", "wide"], ["logits" if by_token else "weighted"]),
    ]
    if not by_token:
        nodes.append(helper.make_node("ReduceSum", ["weighted", "summed"], ["logits"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "bag",
        [helper.make_tensor_value_info(name, _INT, axes) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", _FLOAT, [*axes, outputs] if by_token else ["batch", outputs])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array([-1], np.int64), "last"),
            numpy_helper.from_array(np.arange(1, len(axes), dtype=np.int64), "summed"),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
