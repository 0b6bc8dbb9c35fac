"""The CRF against brute force over all paths, and its constraints."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from autoft_plugins.tasks.entities import best_tags, constraints

torch = pytest.importorskip("torch")
TAGS = 5


@pytest.fixture
def crf():
    from autoft_plugins.models.transformer.crf import Crf

    torch.manual_seed(4)
    made = Crf(TAGS)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made


def path_score(arrays, scores, path, opens: float, closes: float) -> float:
    between, first = constraints(TAGS)
    total = opens * (arrays["starts"] + first)[path[0]] + closes * arrays["ends"][path[-1]]
    total += sum(scores[place, tag] for place, tag in enumerate(path))
    return total + sum((arrays["transitions"] + between)[pair] for pair in itertools.pairwise(path))


@pytest.mark.parametrize(("opens", "closes"), [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_likelihood_is_that_of_all_paths_counted_one_by_one(crf, opens, closes):
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(3, 4, TAGS)).astype(np.float32)
    lengths = [4, 2, 1]
    tags = np.array([[1, 2, 0, 3], [3, 4, -100, -100], [0, -100, -100, -100]])
    edges = [torch.full((3,), value) for value in (opens, closes)]
    found = crf(torch.from_numpy(scores), torch.from_numpy(tags), torch.from_numpy(tags >= 0), *edges).detach().numpy()
    for row, length in enumerate(lengths):
        paths = list(itertools.product(range(TAGS), repeat=length))
        every = np.array([path_score(crf.arrays(), scores[row], path, opens, closes) for path in paths])
        whole = np.log(np.exp(every - every.max()).sum()) + every.max()
        own = path_score(crf.arrays(), scores[row], tags[row, :length].tolist(), opens, closes)
        assert found[row] == pytest.approx(whole - own, rel=1e-4)


def test_the_path_numpy_serves_is_the_best_of_all(crf):
    generator = np.random.default_rng(1)
    scores = generator.normal(size=(20, 4, TAGS)).astype(np.float32)
    arrays = crf.arrays()
    between, first = constraints(TAGS)
    found = best_tags(scores, np.full(20, 4), between + arrays["transitions"], first + arrays["starts"], arrays["ends"])
    for row in range(20):
        best = max(itertools.product(range(TAGS), repeat=4), key=lambda path: path_score(arrays, scores[row], path, 1.0, 1.0))
        assert found[row].tolist() == list(best)


def test_impossible_transitions_learn_nothing_and_possible_ones_do(crf):
    scores = torch.randn(2, 3, TAGS, requires_grad=True)
    tags = torch.tensor([[1, 2, 0], [0, 3, 4]])
    crf(scores, tags, torch.ones(2, 3, dtype=torch.bool), torch.ones(2), torch.ones(2)).sum().backward()
    gradient = crf._transitions.grad.numpy()
    forbidden = constraints(TAGS)[0] < 0
    assert not gradient[forbidden].any()
    assert gradient[~forbidden].any()
    assert torch.isfinite(scores.grad).all()
