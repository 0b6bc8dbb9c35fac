"""A linear-chain conditional random field over the words of a sentence.

Lafferty, McCallum and Pereira, "Conditional Random Fields", ICML 2001; over a neural network's scores as in Lample et al., "Neural
Architectures for Named Entity Recognition", NAACL 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autoft.interfaces.encoder import Arrays
from autoft_plugins.tasks.entities import constraints

GAIN = 10.0
"""Scores are so many times the parameters: under Adam, whose steps do not depend on the gradient's size, they learn so much faster."""


class Crf(nn.Module):
    """Scores of `tags` codes in BIO, one after another. What cannot follow has a large negative score and learns nothing."""

    between: Tensor
    first: Tensor

    def __init__(self, tags: int) -> None:
        super().__init__()
        self._transitions = nn.Parameter(torch.zeros(tags, tags))
        self._starts = nn.Parameter(torch.zeros(tags))
        self._ends = nn.Parameter(torch.zeros(tags))
        for name, array in zip(("between", "first"), constraints(tags), strict=True):
            self.register_buffer(name, torch.from_numpy(array).float(), persistent=False)

    def arrays(self) -> Arrays:
        """What was learned, without the constraints, float32: `transitions` (tags, tags) from row to column, `starts`, `ends` (tags,)."""
        learned = {"transitions": self._transitions, "starts": self._starts, "ends": self._ends}
        return {name: (GAIN * value.detach()).cpu().numpy() for name, value in learned.items()}

    def forward(self, scores: Tensor, tags: Tensor, mask: Tensor, opens: Tensor, closes: Tensor) -> Tensor:
        """The negative logarithm of the probability of `tags` (n, words), given `scores` (n, words, tags), shape (n,).

        `mask` (n, words) is true for words, which stand before what fills up a row. `opens` and `closes` (n,) are 1 where the first word
        begins, the last ends its text, and 0 where a text goes on beyond the window.
        """
        transitions = GAIN * self._transitions + self.between
        starts = opens[:, None] * (GAIN * self._starts + self.first)
        ends = closes[:, None] * (GAIN * self._ends)
        tags = tags.clamp_min(0)
        return self._partition(scores, mask, transitions, starts, ends) - self._path(scores, tags, mask, transitions, starts, ends)

    @staticmethod
    def _partition(scores: Tensor, mask: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """The logarithm of the sum over all paths of the exponential of their score (the forward algorithm), (n,)."""
        sums = starts + scores[:, 0]
        for place in range(1, scores.shape[1]):
            further = torch.logsumexp(sums[:, :, None] + transitions, dim=1) + scores[:, place]
            sums = torch.where(mask[:, place, None], further, sums)
        return torch.logsumexp(sums + ends, dim=1)

    @staticmethod
    def _path(scores: Tensor, tags: Tensor, mask: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """The score of the path `tags`, (n,)."""
        emitted = scores.gather(2, tags[:, :, None])[:, :, 0] * mask
        passed = transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]
        last = tags.gather(1, (mask.sum(1, keepdim=True) - 1).clamp_min(0))
        return emitted.sum(1) + passed.sum(1) + starts.gather(1, tags[:, :1])[:, 0] + ends.gather(1, last)[:, 0]
