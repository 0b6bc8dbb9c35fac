"""Built-in encoders."""

from __future__ import annotations

from autoft.interfaces.encoder import Encoder
from autoft_plugins.encoders.ngram_pairs import PairEncoder
from autoft_plugins.encoders.ngrams import NgramEncoder
from autoft_plugins.encoders.text_to_text import TextToTextEncoder
from autoft_plugins.encoders.token_pairs import TokenPairEncoder
from autoft_plugins.encoders.tokens import TokenEncoder
from autoft_plugins.encoders.word_features import WordFeatureEncoder
from autoft_plugins.encoders.words import WordEncoder

ENCODERS: list[Encoder] = [
    TokenEncoder(),
    TokenPairEncoder(),
    NgramEncoder(),
    PairEncoder(),
    WordFeatureEncoder(),
    WordEncoder(),
    TextToTextEncoder(),
]
