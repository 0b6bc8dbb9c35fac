"""What it costs to learn to write texts, and to write them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoft.interfaces.problem import Problem
from autoft_plugins.models.transformer.anatomy import Anatomy

_STEPWISE = 2.0
"""How much longer a decoder takes for tokens one by one than for all at once: T5-small, 32 rows of 24 tokens on a core, 1.9."""
_EVALUATIONS = 3
"""Of a trial, at least."""
_ROWS = 16
"""Of a batch in training."""


@dataclass(frozen=True)
class Writing:
    """Floating-point operations of an encoder-decoder: `read` for a token that is read, `layers` and `head` for one that is written;
    `attention` for each pair of tokens of which one looks at the other.

    `tokens` of an answer, the most `rows` of an evaluation (0 without a bound), bytes of `memory` for a batch's targets.
    """

    read: float
    layers: float
    head: float
    attention: float
    tokens: float
    rows: int
    memory: int

    @classmethod
    def of(cls, shape: Anatomy, problem: Problem) -> Writing:
        words = int(shape.config.get("vocab_size", 0))
        head, tied = shape.width * words, bool(shape.config.get("tie_word_embeddings", True))
        longest = shape.max_length(_number(problem, "target_length") or None)
        return cls(
            read=2.0 * (shape.body - shape.decoder - (0 if tied else head)),
            layers=2.0 * shape.decoder,
            head=2.0 * head,
            attention=4.0 * shape.layers * shape.width,
            tokens=min(longest, _number(problem, "target_tokens") or longest),
            rows=_number(problem, "validation_rows"),
            memory=_ROWS * longest * (70 * shape.width * shape.layers + 12 * words),
        )

    def forward_flops(self, read: npt.NDArray[np.int64], written: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Of a pass over rows of so many tokens with targets of so many, (n,) each, as `Anatomy.forward_flops` counts them. The decoder has
        as many layers as the encoder, and looks at what was written and at what was read."""
        r, w = read.astype(np.float64), written.astype(np.float64)
        return self.read * r + (self.layers + self.head) * w + self.attention * (r**2 + w**2 + r * w)

    def answer(self, length: float) -> float:
        """To a row of `length` tokens, by an export: without a cache, each token takes all before it through the layers again."""
        return self.read * length + _STEPWISE * self.tokens * (self.layers * (self.tokens + 1) / 2 + self.head)

    def trial(self, length: float, rows: int, epochs: int) -> float:
        """Learning from `rows` rows of `length` tokens, three passes an epoch, and evaluations on the way, which write with a cache."""
        read, written = self.read * length, self.tokens * (self.layers + self.head)
        evaluated = max(_EVALUATIONS, epochs) * min(self.rows or rows, rows)
        return 3.0 * epochs * rows * (read + written) + evaluated * (read + _STEPWISE * written)


def _number(problem: Problem, fact: str) -> int:
    value = problem.extra.get(fact)
    return value if isinstance(value, int) else 0
