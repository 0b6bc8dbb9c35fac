"""Fixtures shared by the tests: tiny sources of every architecture, and a small problem to learn."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before torch is imported, here and in what the tests start: threads that spin while they wait keep two test processes side by side from
# the processors, so that both take several times as long.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import Decision, FitData, Save
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.source import Source

STARTS_RAY = ("tests/autotune/", "tests/e2e/")
"""Folders whose tests start Ray, for those who test in several processes."""
WORDS = [
    "the",
    "a",
    "it",
    "is",
    "was",
    "and",
    "but",
    "not",
    "very",
    "so",
    "good",
    "fine",
    "great",
    "nice",
    "superb",
    "bad",
    "poor",
    "awful",
    "weak",
    "dull",
    "phone",
    "case",
    "sound",
    "screen",
    "cable",
    "works",
    "broke",
]

# name in transformers, its special sizes
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertConfig", {}),
    "distilbert": ("DistilBertConfig", {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}),
    "roberta": ("RobertaConfig", {"max_position_embeddings": 66, "type_vocab_size": 1}),
    "deberta-v2": (
        "DebertaV2Config",
        {
            "relative_attention": True,
            "position_buckets": 16,
            "pos_att_type": ["p2c", "c2p"],
            "share_att_key": True,
            "type_vocab_size": 0,
            "norm_rel_ebd": "layer_norm",
            "position_biased_input": False,
            "pooler_hidden_size": 32,
        },
    ),
    "electra": ("ElectraConfig", {"embedding_size": 16}),
    "albert": ("AlbertConfig", {"embedding_size": 16}),
    "camembert": ("CamembertConfig", {"max_position_embeddings": 66, "type_vocab_size": 1}),
    "xlm-roberta": ("XLMRobertaConfig", {"max_position_embeddings": 66, "type_vocab_size": 1}),
    "modernbert": ("ModernBertConfig", {"global_attn_every_n_layers": 2, "local_attention": 16}),
    "mpnet": ("MPNetConfig", {"max_position_embeddings": 66}),
    "t5": ("T5Config", {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}),
}
WRITERS = ("t5",)
"""Those that write texts: an encoder with a decoder."""

_SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64,
    "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3,
}  # fmt: skip


def make_tokenizer(folder: Path) -> int:
    """A word-piece tokenizer with the fixed padding and truncation that published ones carry; returns its vocabulary's size."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", *WORDS, *[c for c in letters if c not in WORDS], *[f"##{c}" for c in letters], "."]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(["[UNK]", "[PAD]", "[CLS]", "[SEP]"])
    tokenizer.enable_padding(length=24, pad_id=1, pad_token="[PAD]")
    tokenizer.enable_truncation(24)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]",
        "sep_token": "[SEP]", "model_max_length": 64,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return len(vocabulary)


def make_writers_tokenizer(folder: Path) -> int:
    """A unigram tokenizer as a T5 has, its end behind each text; it knows the words, and any other letter by letter."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *[(f"▁{word}", -2.0) for word in WORDS]]
    pieces += [(letter, -8.0) for letter in "▁abcdefghijklmnopqrstuvwxyz."]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "pad_token": "<pad>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 64}), encoding="utf-8")
    return len(pieces)


def make_source(folder: Path, architecture: str) -> Source:
    """Random weights of a tiny configuration, as `save_pretrained` leaves a pretrained body."""
    import torch
    import transformers

    folder.mkdir(parents=True)
    writes = architecture in WRITERS
    vocabulary = make_writers_tokenizer(folder) if writes else make_tokenizer(folder)
    name, own = ARCHITECTURES[architecture]
    config = getattr(transformers, name)(**(({} if writes else _SIZES) | {"vocab_size": vocabulary} | own))
    torch.manual_seed(0)
    auto = transformers.AutoModelForSeq2SeqLM if writes else transformers.AutoModel
    auto.from_config(config).save_pretrained(folder)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    return Source(f"tiny-{architecture}", folder, digest, "Apache-2.0", ("en",))


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Source]:
    """`tiny_source("bert")`: a source of that architecture, made once a session."""
    made: dict[str, Source] = {}

    def get(architecture: str = "bert") -> Source:
        if architecture not in made:
            made[architecture] = make_source(tmp_path_factory.mktemp("source") / architecture, architecture)
        return made[architecture]

    return get


@pytest.fixture
def classifier(tiny_source: Callable[[str], Source]) -> Callable[[str], Any]:
    """`classifier("bert")`: a model of three classes from a tiny source of that architecture, as `full` loads it, without dropout."""
    from autoft_plugins.models.transformer import loading
    from autoft_plugins.models.transformer.objectives.sequence import SequenceObjective

    def make(architecture: str) -> Any:
        return loading.pretrained(tiny_source(architecture), SequenceObjective.auto_class, {"num_labels": 3}, 0.0, 1).model.eval()

    return make


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """The tests of a file go to one process; those of all files that start Ray to one and the same, since each fills the machine."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "ray" if file.startswith(STARTS_RAY) else file

    return ByFile(config, log)


@pytest.fixture
def text_data(tmp_path: Path) -> Callable[..., FitData]:
    """`text_data(rows=48, uneven=False)`: praise or blame told by a word, short and long texts; a quarter is validation."""

    def make(rows: int = 48, *, uneven: bool = False, max_length: int = 24) -> FitData:
        generator = np.random.default_rng(5)
        codes = (np.arange(rows) % (6 if uneven else 2) == 0).astype(np.int64)
        texts = []
        for code in codes:
            filler = [WORDS[i] for i in generator.integers(20, len(WORDS), generator.integers(1, 40))]
            word = WORDS[int(generator.integers(10, 15) if code else generator.integers(15, 20))]
            texts.append(" ".join([word, *filler]))
        problem = Problem(
            task="text-classification",
            fields={"text": ("text",), "label": ("label",)},
            inputs=("text",),
            labels=("blame", "praise"),
            head=Head(kind="single_label_classification", outputs=2),
            metric=Metric(name="f1_macro"),
            max_length=max_length,
            language="en",
            extra={"class_counts": np.bincount(codes, minlength=2).tolist()},
        )
        places = np.arange(rows)
        held = places % 4 == 3
        return FitData(problem, Table({"text": texts}), codes, places[~held], places[held], tmp_path / "cache")

    return make


@pytest.fixture(scope="session")
def writing_data(tmp_path_factory: pytest.TempPathFactory) -> FitData:
    """Texts of one to three words to be written again; an eighth is validation."""
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS[10:20], count)) for count in generator.integers(1, 4, 512)]
    problem = Problem(
        task="seq2seq",
        fields={"text": ("said",), "label": ("again",)},
        inputs=("text",),
        head=Head(kind="seq2seq", outputs=1),
        metric=Metric(name="rouge_l"),
        max_length=16,
        language="en",
        extra={"target_length": 64},
    )
    held = np.arange(len(texts)) % 8 == 7
    train, validation = np.flatnonzero(~held), np.flatnonzero(held)
    return FitData(problem, Table({"text": texts}), np.array(texts), train, validation, tmp_path_factory.mktemp("writing"))


class ListeningReport:
    """A `Report` that remembers; `left` tells the seconds left, `stop_after` steps it asks to stop."""

    def __init__(self, left: Callable[[], float | None] = lambda: None, stop_after: int | None = None) -> None:
        self.progress: list[float] = []
        self.outputs: list[Arrays] = []
        self.measures: list[dict[str, float]] = []
        self.saves: list[Save] = []
        self.extras: list[Arrays] = []
        self.steps = 0
        self._left, self._stop_after = left, stop_after

    def __call__(self, progress: float, outputs: Arrays, save: Save, *, extra: Arrays | None = None, **measures: float) -> Decision:
        self.progress.append(progress)
        self.outputs.append(outputs)
        self.measures.append(measures)
        self.extras.append(extra or {})
        return "go"

    def stop_requested(self) -> bool:
        self.steps += 1
        return self._stop_after is not None and self.steps > self._stop_after

    def seconds_left(self) -> float | None:
        return self._left()


@pytest.fixture(scope="session")
def listening() -> type[ListeningReport]:
    """The class of a `Report` that remembers what it was told."""
    return ListeningReport


@pytest.fixture(scope="session")
def writer(tiny_source: Callable[[str], Source], writing_data: FitData) -> tuple[Any, ListeningReport]:
    """A T5 that learned to write its input again, and what it reported; fitted once a session."""
    from autoft.interfaces.model import Candidate, TrialSpec
    from autoft_plugins.models.full import Full

    model, candidate, report = Full(), Candidate("full", tiny_source("t5")), ListeningReport()
    default = model.space(candidate, writing_data.problem, len(writing_data.train)).default
    chosen = default | {"learning_rate": 1e-2, "batch_size": 32, "dropout": 0.0, "epochs": 10}
    return model.fit(TrialSpec(1, candidate, chosen, 1), writing_data, report), report
