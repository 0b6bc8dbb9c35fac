"""What features tell of targets before anything is trained on them: H-score for classes, LogME for numbers. Numpy alone, in fp64.

Both need of the features only their principal components, so that they cost one decomposition however many labels there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NOTHING = 1e-10
"""The share of the largest component's power below which a component is rounding."""
_RATIOS = np.logspace(-4, 6, 201)
"""Noise to signal, at which the evidence is looked for, in units of the features' mean power: a twentieth of a decade apart."""


@dataclass(frozen=True)
class Components:
    """Principal components of centred features (rows, width): `scores` (rows, components), orthonormal and with mean 0, and the `power`
    of each, (components,), its squared singular value. `fourth_moment` is the mean over the rows of their length to the fourth."""

    scores: Floats
    power: Floats
    width: int
    fourth_moment: float

    @classmethod
    def of(cls, features: npt.NDArray[np.floating]) -> Components:
        """By the smaller of the two Gram matrices."""
        x = np.asarray(features, np.float64)
        x = x - x.mean(0)
        wide = x.shape[1] > len(x)
        power, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
        kept = power > _NOTHING * max(power[-1], np.finfo(np.float64).tiny)
        power, vectors = power[kept], vectors[:, kept]
        scores = vectors if wide else x @ vectors / np.sqrt(power)
        return cls(scores, power, x.shape[1], float((np.square(x).sum(1) ** 2).mean()))

    def shrunk(self) -> Floats:
        """What is left of each component's weight, 0 to 1 (components,), once the covariance is shrunk towards a multiple of the identity
        as far as the rows are too few to tell it (Ledoit and Wolf, Journal of Multivariate Analysis 88, 2004)."""
        rows = len(self.scores)
        variances = self.power / rows
        mean, squares = variances.sum() / self.width, np.square(variances).sum()
        spread = squares - self.width * mean**2
        share = 1.0 if spread <= 0 else min(1.0, max(0.0, (self.fourth_moment - squares) / rows / spread))
        kept: Floats = (1 - share) * variances / ((1 - share) * variances + share * mean)
        return kept


def h_score(features: npt.NDArray[np.floating], codes: npt.NDArray[np.integer]) -> float | None:
    """How far `codes` (rows,) set the means of `features` (rows, width) apart, measured in the features' own covariance: 0 is what codes
    dealt at random would give, 1 would be classes that are points. None with fewer than two classes.

    The H-score tr(cov(f)^-1 cov(E[f|y])) of Bao et al. (ICIP 2019), with the covariance shrunk (Ibrahim et al., ECML PKDD 2022). Its
    expectation over permutations of the codes is taken off, as in an adjusted Rand index: it grows with the width of the features, and of
    300 rows of two classes it is .5 at 384 wide and .7 at 768.
    """
    classes, places = np.unique(codes, return_inverse=True)
    if len(classes) < 2:
        return None
    components = Components.of(features)
    kept = components.shrunk()
    between = _between(components, np.eye(len(classes))[places])
    return _above_chance(float((kept @ between).sum()), len(classes) - 1, kept, len(codes))


def h_score_of_labels(features: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float | None:
    """The mean of `h_score` over the labels that some of the rows have and some lack; `labels` are 0 or 1, (rows, labels). None without
    such a label."""
    held = np.asarray(labels, np.float64)
    held = held[:, (held.min(0) == 0) & (held.max(0) == 1)]
    if not held.shape[1]:
        return None
    components = Components.of(features)
    kept = components.shrunk()
    between = _between(components, held) + _between(components, 1 - held)
    return float(np.mean([_above_chance(float(kept @ one), 1, kept, len(held)) for one in between.T]))


def _between(components: Components, members: Floats) -> Floats:
    """(components, classes): the share of each component's variance that lies in where the rows of a class have their mean; `members`
    are 0 or 1, (rows, classes)."""
    made: Floats = np.square(components.scores.T @ members) / members.sum(0)
    return made


def _above_chance(score: float, most: int, kept: Floats, rows: int) -> float:
    """`score`, of at most `most`, over its mean when the codes are permuted: a component, of mean 0 and length 1, then has a share of
    `most` / (rows - 1) between the classes."""
    chance = most * float(kept.sum()) / (rows - 1)
    return (score - chance) / (most - chance) if most > chance else 0.0


def log_evidence(features: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]) -> float | None:
    """LogME: the greatest evidence, in nats a row, for a linear model from `features` (rows, width) to `targets` (rows,) (You et al., ICML
    2021). -1.42 says that they tell nothing; None where the targets are all the same.

    Targets have deviation 1, and a constant takes one row away. The evidence depends on the ratio of the noise to the weights' variance
    alone once the best noise for it is put in; it is looked for on a grid of ratios, since the fixed point of the paper runs off where
    the features can explain every row.
    """
    y = np.asarray(targets, np.float64)
    spread = y.std()
    if spread == 0:
        return None
    y = (y - y.mean()) / spread
    components = Components.of(features)
    free = len(y) - 1
    explained = np.square(components.scores.T @ y)
    rest = max(0.0, float(y @ y) - float(explained.sum()))
    growth = 1 + components.power / (_RATIOS[:, None] * components.power.mean())
    noise = (explained / growth).sum(1) + rest
    evidence = -0.5 * (free * (np.log(2 * np.pi * noise / free) + 1) + np.log(growth).sum(1))
    return float(evidence.max()) / free
