"""Token classification: a text in, the entities in it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Head, Problem
from autoft.interfaces.task import Decoder, Match
from autoft_plugins.tasks.annotations import Cell, Columns, Notation, annotate, cell_of, tagged, usable_cell
from autoft_plugins.tasks.entities import TAGS, best_tags, constraints, entities_in, entity_counts, strict_scores, tag_names
from autoft_plugins.tasks.fields import column, column_names, shown
from autoft_plugins.tasks.matching import match_token_classification
from autoft_plugins.tasks.metrics import metric_named, softmax
from autoft_plugins.tasks.text_task import TextTask
from autoft_plugins.tasks.texts import clean, language, length_cap
from autoft_plugins.tasks.words import joined, parted_by_blanks, words_in

LONGEST = 256
"""Tokens of a window: longer texts are read in several, which costs less than one that long."""
MOST_CHARACTERS = 200_000
"""Of a text in a request: all of a text is read, and nothing but this bounds how long that takes."""
_EXAMPLE = 'send {"text": "..."}, or a list of words as the text'
Text = TypeVar("Text", str, Sequence[str])


class TokenClassification(TextTask):
    """Roles: `text` (a string, or a list of words) and `label` (a tag a word, or spans of characters). Targets are tag codes (n, words)
    int16, filled up with -1; outputs `logits` (n, words, tags), filled up with zeros."""

    name = "token-classification"
    summary = "entities in a text: names, places, terms"
    also = ("ner", "entities", "named-entity-recognition", "pos", "tokens")
    kind = TAGS
    metrics = ("f1", "precision", "recall")

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return match_token_classification(table, given)

    def problem(self, table: Table, match: Match, *, metric: str | None, seed: int) -> Problem:
        (text,), (label,) = match.columns["text"], match.columns["label"]
        draft = Problem(
            task=self.name,
            fields={"text": (text,), "label": (label,)},
            inputs=("text",),
            head=Head(kind=self.kind, outputs=1),
            metric=metric_named(self._metric(metric)),
            seed=seed,
        )
        usable = self.usable(draft, table)
        self._check_enough(draft, table, usable)
        found = annotate(Columns(table, text, label), np.flatnonzero(usable).tolist())
        if not found.entities:
            raise DataError(f"{table.origin}: the column {label!r} has no entity in any row", hint="name another column: --label NAME")
        labels = tag_names(tuple(found.entities))
        notation = vars(found.notation)
        learned = {
            "labels": labels,
            "head": Head(kind=self.kind, outputs=len(labels)),
            "max_length": min(LONGEST, length_cap(found.texts)),
            "language": language(found.texts),
            "extra": {**notation, "entities": dict(found.entities), "remarks": list(found.remarks)},
        }
        return draft.model_copy(update=learned)

    def usable(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        """Rows with words and a label; no tags of entities, and an empty list of spans, are a label."""
        pairs = zip(column(problem, table, "text"), column(problem, table, "label"), strict=True)
        return np.fromiter((usable_cell(text, label) for text, label in pairs), np.bool_, len(table))

    def inputs(self, problem: Problem, table: Table) -> Table:
        """The columns `text`, strings, and `words`, a tuple of (start, end) in characters of the text each. Raises DataError at lists of
        something else than words."""
        splitting = Notation.of(problem.extra).splitting
        (name,) = column_names(problem, table, "text")
        columns = Columns(table, name, name)
        return table.with_columns(_side_by_side([cell_of(value, splitting, columns, row) for row, value in enumerate(table[name])]))

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[Any]:
        ((text,), (label,)) = (column_names(problem, table, role) for role in ("text", "label"))
        columns = Columns(table, text, label)
        rows = tagged(columns, Notation.of(problem.extra))
        codes = {name: code for code, name in enumerate(problem.labels)}
        made = np.full((len(rows), max(map(len, rows), default=0)), -1, np.int16)
        for row, tags in enumerate(rows):
            try:
                made[row, : len(tags)] = [codes[f"{letter}-{kind}" if kind else letter] for letter, kind in tags]
            except KeyError as error:
                kind = str(error.args[0])[2:]
                kinds = [name[2:] for name in problem.labels[1::2]]
                close = nearest(kind, kinds)
                hint = f"did you mean {close!r}?" if close else "the kinds are those of the training file; add rows of this one there"
                columns.fail(row, f"{kind!r} is none of the kinds of entities {listed(kinds)}", hint)
        return made

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """The rarest kind of entity in the row, so that every part of a split has each; 0 for rows without entities."""
        found = entities_in(targets)
        counts = np.bincount(found.kind, minlength=len(problem.labels) // 2)
        strata = np.zeros(len(targets), np.int64)
        for kind in np.argsort(-counts, kind="stable"):
            strata[found.row[found.kind == kind]] = kind + 1
        return strata

    def counted(self, problem: Problem, targets: npt.NDArray[Any]) -> tuple[str, dict[str, int]]:
        """Entities by kind."""
        found = entities_in(targets)
        kinds = [name[2:] for name in problem.labels[1::2]]
        without = len(targets) - len(np.unique(found.row))
        said = f"{len(kinds)} {'kind' if len(kinds) == 1 else 'kinds'}, {len(found.row)} entities in {len(targets)} texts"
        counts = np.bincount(found.kind, minlength=len(kinds)).tolist()
        return said + (f", {without} of them without any" if without else ""), dict(zip(kinds, counts, strict=True))

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:
        """No entity anywhere."""
        outside = np.zeros(problem.head.outputs, np.float32)
        outside[0] = 1.0
        return {"logits": np.broadcast_to(outside, (rows, targets.shape[1], problem.head.outputs))}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:  # noqa: ARG002
        return Decoder({"function": "viterbi"})

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[Any]:
        """The best path of tags in which no I follows but its B or itself, with the scores of transitions that a model learned
        (`transitions` (tags, tags), `starts`, `ends` (tags,)) where it did."""
        logits = np.asarray(outputs["logits"])
        between, first = constraints(problem.head.outputs)
        learned = decoder.arrays
        if "transitions" in learned:
            between, first = between + learned["transitions"], first + learned["starts"]
        return best_tags(logits, _words(logits), between, first, learned.get("ends", np.zeros(problem.head.outputs)))

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:
        return self.figures(problem, self.tallies(problem, targets, decisions).sum(axis=0))

    def tallies(
        self,
        problem: Problem,  # noqa: ARG002
        targets: npt.NDArray[Any],
        decisions: npt.NDArray[Any],
    ) -> npt.NDArray[np.float64]:
        """Entities right, found and there."""
        return entity_counts(targets, decisions)

    def figures(self, problem: Problem, sums: npt.NDArray[np.float64]) -> dict[str, float]:  # noqa: ARG002
        return strict_scores(sums)

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:
        """`{"entities": [{"entity_group", "score", "word", "start", "end"}]}` a row: `start` and `end` in characters of the text, `score`
        the mean over the words of the probability of the word's tag."""
        codes = self.decide(problem, decoder, outputs)
        chosen = np.take_along_axis(softmax(outputs["logits"]), np.maximum(codes, 0)[:, :, None], axis=2)[:, :, 0]
        answers: list[list[dict[str, Any]]] = [[] for _ in range(len(codes))]
        found = entities_in(codes)
        places = zip(found.row.tolist(), found.start.tolist(), found.end.tolist(), found.kind.tolist(), strict=True)
        for row, first, behind, kind in places:
            words = inputs["words"][row]
            start, end = words[first][0], words[behind - 1][1]
            score = float(chosen[row, first:behind].mean())
            name, word = problem.labels[2 * kind + 1][2:], inputs["text"][row][start:end]
            answers[row].append({"entity_group": name, "score": score, "word": word, "start": start, "end": end})
        return [{"entities": entities} for entities in answers]

    def input_schemas(self, problem: Problem) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        """A text, or its words."""
        return {"text": {"type": ["string", "array"], "items": {"type": "string"}}}

    def check_inputs(self, problem: Problem, records: Sequence[Mapping[str, Any]]) -> Table:
        by_blanks = Notation.of(problem.extra).splitting == "blanks"
        return Table(_side_by_side([_requested(record, row, by_blanks) for row, record in enumerate(records, 1)]))


def _side_by_side(cells: Sequence[Cell]) -> dict[str, list[Any]]:
    return {"text": [text for text, _ in cells], "words": [words for _, words in cells]}


def _requested(record: Mapping[str, Any], row: int, by_blanks: bool) -> Cell:
    if not isinstance(record, Mapping):
        raise DataError(f"row {row}: {shown(record)} is not an object", hint=_EXAMPLE)
    if "text" not in record:
        close = nearest("text", map(str, record))
        has = f"; it has {listed(map(str, record), 6)}" if record else ""
        raise DataError(f"row {row}: the field 'text' is missing{has}", hint=f"is {close!r} the text?" if close else _EXAMPLE)
    value = record["text"]
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return joined([clean(word) for word in _short(value, row)])
    if not isinstance(value, str):
        raise DataError(f"row {row}: the field 'text' is {shown(value)}, neither a string nor a list of words", hint=_EXAMPLE)
    text = clean(_short(value, row))
    return text, parted_by_blanks(text) if by_blanks else words_in(text)


def _short(value: Text, row: int) -> Text:
    """`value`, a text or its words. Raises DataError where it is longer than a request may be."""
    length = len(value) if isinstance(value, str) else len(value) + sum(map(len, value))
    if length > MOST_CHARACTERS:
        what = f"row {row}: the text has {length:,} characters, more than the {MOST_CHARACTERS:,} of a request"
        raise DataError(f"{what}; send it in parts", hint="autoft predict BUNDLE --input FILE takes texts of any length")
    return value


def _words(logits: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Words a row, (n,): what lies behind the last cell that is not zero fills up the row."""
    filled = (logits != 0).any(axis=2)
    places = np.arange(1, logits.shape[1] + 1)
    words: npt.NDArray[np.int64] = np.where(filled, places, 0).max(axis=1, initial=0)
    return words
