"""Whether a source is worth a trial on this data: its language, its unknown tokens, its memory and its time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from autoft.data.table import Table
from autoft.errors import AutoftError
from autoft.interfaces.model import Candidate, Limits
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft_plugins.encoders.tokens import TokenEncoding, Tokens, open_tokenizer
from autoft_plugins.encoders.words import WordEncoding
from autoft_plugins.models.transformer.anatomy import Anatomy, anatomy, tokenizer_path
from autoft_plugins.models.transformer.encoding import token_config
from autoft_plugins.models.transformer.freezing import kept_depths
from autoft_plugins.models.transformer.objectives import SEQ2SEQ, SEQUENCE_HEADS
from autoft_plugins.models.transformer.schedule import Horizon
from autoft_plugins.models.transformer.spaces import epochs_for, full_space
from autoft_plugins.models.transformer.structure import lowest
from autoft_plugins.models.transformer.writing import Writing
from autoft_plugins.tasks.entities import TAGS

ENCODER_DECODERS = frozenset(("t5", "mt5", "longt5", "umt5", "bart", "mbart", "pegasus", "marian"))
"""Architectures that write texts, as source cards name them."""

_SAMPLE = 512
_UNKNOWN = 0.10
_SHARE = 0.8
_PART = 0.4
"""Of the time: what a trial takes whose schedule is cut."""
_ENOUGH = 6_400
"""Rows that are worth a trial, whatever part they are of what there is: `Horizon.ENOUGH` steps."""
_PROCESS = 600 << 20
_SMALLEST = 20_000_000
_WRITES = "is an encoder with a decoder, which writes texts and gives no labels or scores"
_ENCODES = "has no decoder, and cannot write texts"

Passes: TypeAlias = Callable[[int, Anatomy, Problem, float], tuple[float, float]]
"""Rows to learn from, a source, a problem, tokens a row -> what a trial costs, in forward passes over these rows, and what of that only the
first one does."""


def fine_tuning(rows: int, shape: Anatomy, problem: Problem, length: float) -> tuple[float, float]:
    """A backward pass costs two forward passes over what has gradients with the default hyperparameters; what lies below is read once for
    all trials where that is kept."""
    default = full_space(shape.body, problem, rows, freezes=shape.freezes).default
    left, epochs = lowest(float(default.get("frozen_share", 0.0)), shape.layers), float(default["epochs"])
    below, read = left * shape.a_layer / shape.body, _read(shape, problem)
    if left in kept_depths(shape, problem, rows * length):
        return below + 3.0 * (read - below) * epochs, below
    return (3.0 * read - 2.0 * below) * epochs, 0.0


def studying(rows: int, shape: Anatomy, problem: Problem, _: float) -> tuple[float, float]:
    """Learning from a teacher: all layers, the most epochs."""
    return 3.0 * _read(shape, problem) * epochs_for(rows, shape.body)[2], 0.0


def _read(shape: Anatomy, problem: Problem) -> float:
    """The share of the body that multiplies each token."""
    return 1.0 - shape.once / shape.body if problem.head.kind in SEQUENCE_HEADS else 1.0


@dataclass(frozen=True)
class Sample:
    """What a sample of the rows says in a source's tokens: mean length of what is read of a row, share of unknown tokens."""

    length: float
    unknown: float


def fits(problem: Problem, heads: Collection[str]) -> bool:
    """A kind of head among `heads`, for one text or, where a row has one answer, for two."""
    kind = problem.head.kind
    return kind in heads and (problem.inputs == ("text",) or (problem.inputs == ("text", "text_pair") and kind in SEQUENCE_HEADS))


def sample(source: Source, problem: Problem, rows: Table, shape: Anatomy) -> Sample:
    """Tokenise up to 512 rows, evenly spaced. Raises SourceError or BundleError for a tokenizer that cannot be read."""
    length = shape.max_length(problem.max_length)
    config = token_config(source, length, problem.inputs)
    places = np.unique(np.linspace(0, max(0, len(rows) - 1), min(_SAMPLE, len(rows))).astype(np.int64))
    tokenizer, some = open_tokenizer(tokenizer_path(source), length), rows.take(places)
    encoding: WordEncoding | TokenEncoding
    pieces: Sequence[Tokens]
    if problem.head.kind == TAGS:
        # Nothing is cut off, and neighbouring windows share tokens.
        encoding = WordEncoding(tokenizer, config)
        pieces = encoding.windows(some).tokens
    else:
        encoding = TokenEncoding(tokenizer, config)
        pieces = encoding.tokenize(some)
    read = sum(len(piece.ids) for piece in pieces)
    unknown = sum(piece.ids.count(config["unknown_id"]) for piece in pieces)
    return Sample(read / max(1, len(places)), unknown / max(1, read - encoding.specials * len(pieces)))


def propose(
    model: str,
    problem: Problem,
    sources: Sequence[Source],
    limits: Limits,
    rows: Table,
    *,
    passes: Passes | None,
    heads: Collection[str] = SEQUENCE_HEADS,
) -> list[Candidate]:
    """A candidate a source, none where the problem's kind of head is not among `heads`. `passes` is for training, which needs memory for
    the optimiser's state, too; None stands for one forward pass, of which all trials have the features."""
    if not fits(problem, heads):
        return []
    found = [_propose(model, problem, source, limits, rows, passes) for source in sources]
    larger = any(c.proposed and c.source and c.source.parameters >= _SMALLEST for c in found)
    return [_too_small(c) if larger and c.proposed and c.source and c.source.parameters < _SMALLEST else c for c in found]


def _too_small(candidate: Candidate) -> Candidate:
    return replace(candidate, proposed=False, reason="small, for trying things out; a larger source is at hand")


def worth_fetching(
    problem: Problem, cards: Sequence[SourceCard], limits: Limits, heads: Collection[str] = SEQUENCE_HEADS
) -> list[SourceCard]:
    """Cards of general text in the problem's language that fit into memory: those that need no hub first, then small before large,
    but none so small that it is for trying things out only."""
    if not fits(problem, heads):
        return []
    wanted = {problem.language or "en", "multi"}
    writes = problem.head.kind == SEQ2SEQ
    cards = [c for c in cards if (c.architecture in ENCODER_DECODERS) == writes]
    suited = [c for c in cards if wanted & set(c.languages) and c.domain == "general" and c.parameters >= _SMALLEST]
    return sorted((c for c in suited if 16 * c.parameters + _PROCESS < limits.memory), key=lambda c: (not c.wheels, c.parameters))


def _propose(model: str, problem: Problem, source: Source, limits: Limits, rows: Table, passes: Passes | None) -> Candidate:
    try:
        shape = anatomy(source)
        if _writes(shape) != (problem.head.kind == SEQ2SEQ):
            return Candidate(model, source, False, f"{_architecture(shape)} {_WRITES if _writes(shape) else _ENCODES}")
        seen = sample(source, problem, rows, shape)
    except AutoftError as error:
        return Candidate(model, source, proposed=False, reason=error.message)
    forward = 2.0 * shape.body * seen.length
    cost, only_first = passes(len(rows), shape, problem, seen.length) if passes else (1.0, 1.0)
    flops, shared = forward * len(rows) * cost, forward * len(rows) * only_first
    memory = memory_needed(shape, shape.max_length(problem.max_length), train=passes is not None)
    if _writes(shape):
        writing = Writing.of(shape, problem)
        forward, flops = writing.answer(seen.length), writing.trial(seen.length, len(rows), epochs_for(len(rows), shape.body)[1])
        memory += writing.memory
    refuse = partial(Candidate, model, source, False, flops=flops, memory=memory, forward=forward)
    if problem.language and source.languages and not {problem.language, "multi"} & set(source.languages):
        return refuse(f"knows {', '.join(source.languages)}; the text is {problem.language}")
    if seen.unknown > _UNKNOWN:
        return refuse(f"its vocabulary does not know {seen.unknown:.0%} of the tokens of the text")
    if memory > limits.memory:
        return refuse(f"needs about {memory / 2**30:.1f} GiB of memory, {limits.memory / 2**30:.1f} GiB are free")
    seconds = flops / limits.flops if limits.flops else 0.0
    reason = _reason(shape, seen, seconds)
    if limits.seconds is not None and seconds > _SHARE * limits.seconds:
        said = f"one trial would take about {seconds:.0f} s of the {limits.seconds:.0f} s there are"
        share = _PART * limits.seconds / seconds
        if passes is None or (share < Horizon.LEAST and share * len(rows) < _ENOUGH):
            return refuse(said)
        flops, reason = share * flops, f"{said}: its schedule is cut to {share:.0%}"
    return Candidate(model, source, True, reason, flops, memory, forward, shared)


def _writes(shape: Anatomy) -> bool:
    return bool(shape.config.get("is_encoder_decoder"))


def _architecture(shape: Anatomy) -> str:
    return str(shape.config.get("model_type", "this architecture"))


def _reason(shape: Anatomy, seen: Sample, seconds: float) -> str:
    known = f"knows {1 - seen.unknown:.1%} of the tokens" if seen.unknown else "knows every token"
    return f"{shape.parameters / 1e6:.3g} M parameters, {known}, about {max(1, round(seconds))} s a trial"


def memory_needed(shape: Anatomy, length: int, *, train: bool) -> int:
    """Bytes: the process, weights (with gradients and two moments in training) and the activations of 16 rows of full length."""
    weights = shape.parameters * 4 * (4 if train else 1)
    activations = 16 * length * shape.width * shape.layers * (70 if train else 8)
    return _PROCESS + weights + activations
