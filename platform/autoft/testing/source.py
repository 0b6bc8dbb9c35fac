"""A tiny source: a BERT of two layers with random weights, in the layout of `save_pretrained`; made without torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autoft.interfaces.source import Source
from autoft.testing.samples import BAD, GOOD, PEOPLE, THINGS, TOPICS

WIDTH, LAYERS, HEADS, INNER, LENGTH = 32, 2, 2, 64, 64
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SMALL_WORDS = ("the", "a", "is", "and", "came", "with", "yesterday", "bought", "thing", "ada", "grace", "alan", "edsger")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789."


def make_source(folder: Path, name: str = "tiny-bert") -> Source:
    """Write config.json, model.safetensors and tokenizer.json into `folder`, which is made. The same bytes every time."""
    folder.mkdir(parents=True)
    words = dict.fromkeys([*SPECIAL, *GOOD, *BAD, *THINGS, *TOPICS, *map(str.lower, PEOPLE), *SMALL_WORDS, *LETTERS])
    vocabulary = [*words, *(f"##{letter}" for letter in LETTERS)]
    _write_tokenizer(folder, vocabulary)
    config = {
        "model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(vocabulary), "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": INNER, "max_position_embeddings": LENGTH,
        "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0, "initializer_range": 0.02,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = _weights(len(vocabulary))
    _write_safetensors(weights, folder / "model.safetensors")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    return Source(name, folder, digest, "Apache-2.0", ("en",), sum(array.size for array in weights.values()))


def _weights(vocabulary: int) -> dict[str, npt.NDArray[np.float32]]:
    """By the names of transformers' BertModel."""
    generator = np.random.default_rng(0)
    shapes = {"embeddings.word_embeddings": (vocabulary, WIDTH), "embeddings.position_embeddings": (LENGTH, WIDTH)}
    shapes |= {"embeddings.token_type_embeddings": (2, WIDTH), "pooler.dense": (WIDTH, WIDTH)}
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        shapes |= {f"{layer}.attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        shapes[f"{layer}.attention.output.dense"] = (WIDTH, WIDTH)
        shapes |= {f"{layer}.intermediate.dense": (INNER, WIDTH), f"{layer}.output.dense": (WIDTH, INNER)}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = generator.normal(0, 0.02 if name.startswith("embeddings") else 0.1, shape).astype(np.float32)
        if not name.startswith("embeddings"):
            weights[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    for name in norms:
        weights |= {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": np.zeros(WIDTH, np.float32)}
    return weights


def _write_safetensors(weights: dict[str, npt.NDArray[np.float32]], path: Path) -> None:
    """The format is a header of JSON behind its length in 8 bytes, then the arrays end to end."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, array in weights.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(array.astype("<f4").tobytes() for array in weights.values()))


def _write_tokenizer(folder: Path, vocabulary: list[str]) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    ids = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": LENGTH, "pad_token": "[PAD]", "unk_token": "[UNK]"}
    settings |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
