"""Built-in encoders."""

from __future__ import annotations

from autoft.interfaces.encoder import Encoder
from autoft_plugins.encoders.ngrams import NgramEncoder
from autoft_plugins.encoders.tokens import TokenEncoder

ENCODERS: list[Encoder] = [TokenEncoder(), NgramEncoder()]
