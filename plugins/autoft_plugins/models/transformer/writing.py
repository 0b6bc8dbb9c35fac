"""What it costs to learn to write texts, and to write them."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Floating-point operations of an encoder-decoder: `read` for a token that is read, `layers` and `head` for one that is written.

    `tokens` of an answer, the most `rows` of an evaluation (0 without a bound), bytes of `memory` for a batch's targets.
    """

    read: float
    layers: float
    head: float
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
            tokens=min(longest, _number(problem, "target_tokens") or longest),
            rows=_number(problem, "validation_rows"),
            memory=_ROWS * longest * (70 * shape.width * shape.layers + 12 * words),
        )

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
