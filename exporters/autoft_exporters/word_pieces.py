"""A WordPiece tokenizer as nodes of a graph: from texts to the arrays that a model takes, a whole batch at once.

The texts are joined into one, with a character that nobody has before each. Every step works on that one string, or on its characters,
words and pieces as lists: so no loop is needed, and the rows are told apart again by where that character stands. What a character becomes
is looked up in tables that the bundle's own tokenizer filled (`autoft_exporters.characters`).

The extensions' `BertTokenizer` is not used. It takes one text at a time, knows neither special tokens inside a text nor what becomes of the
letters of all scripts, and of a word that cannot be written it gives the pieces up to there, where the tokenizer gives one unknown token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autoft_exporters.characters import MARKER, MASKED, Characters, characters

if TYPE_CHECKING:
    import onnx

DOMAIN, LABELS_DOMAIN = "ai.onnx.contrib", "ai.onnx.ml"
TEXT = "text"
_PREFIX = "tokenizer/"


@dataclass(frozen=True)
class WordPieces:
    """All that the graph needs to know. `special` are the contents of special tokens, with their ids; those in `late` are looked for in
    texts that are normalised."""

    vocabulary: dict[str, int]
    special: tuple[tuple[str, int], ...]
    late: frozenset[str]
    characters: Characters
    unknown: int
    first: int
    last: int
    suffix: str
    longest_word: int


def word_pieces(content: str) -> WordPieces | str:
    """Of a tokenizer.json; or why its tokens cannot be made in a graph."""
    from tokenizers import Tokenizer

    told = json.loads(content)
    reason = _odd(told)
    if reason is not None:
        return reason
    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ends, found = tokenizer.encode(""), characters(tokenizer)
    if len(ends.ids) != 2 or any(ends.type_ids):
        return f"its tokenizer sets {len(ends.ids)} tokens around a text, not one before it and one behind it"
    if found is None:
        return "its tokenizer keeps control characters, which stand for special tokens inside the graph"
    model = told["model"]
    special = {token["content"]: int(token["id"]) for token in told["added_tokens"]}
    late = frozenset(token["content"] for token in told["added_tokens"] if token["normalized"])
    if any(tokenizer.normalizer.normalize_str(content) != content for content in late):
        return "its tokenizer looks for special tokens in texts that are normalised, and would normalise these"
    return WordPieces(
        vocabulary=tokenizer.get_vocab(),
        special=tuple(special.items()),
        late=late,
        characters=found,
        unknown=special[model["unk_token"]],
        first=ends.ids[0],
        last=ends.ids[1],
        suffix=model["continuing_subword_prefix"],
        longest_word=model["max_input_chars_per_word"],
    )


def _odd(told: dict[str, Any]) -> str | None:
    kinds = {name: (told.get(name) or {}).get("type") for name in ("model", "normalizer", "pre_tokenizer")}
    if kinds["model"] != "WordPiece":
        return f"its tokenizer is of the kind {kinds['model']}, and only WordPiece is made exactly in a graph"
    if (kinds["normalizer"], kinds["pre_tokenizer"]) != ("BertNormalizer", "BertPreTokenizer"):
        return f"its tokenizer normalises and splits texts by {kinds['normalizer']} and {kinds['pre_tokenizer']}, not as BERT does"
    added = told.get("added_tokens") or []
    if any(token["single_word"] for token in added):  # blanks beside a token, lstrip and rstrip, are no part of a word anyway
        return "its tokenizer has added tokens that are such between words alone"
    if told["model"]["unk_token"] not in [token["content"] for token in added]:
        return "its tokenizer's unknown token is none of its special tokens"
    if _overlapping([token["content"] for token in added]):
        return "its tokenizer's special tokens overlap"
    if len(added) > 255:
        return f"its tokenizer has {len(added)} special tokens; at most 255 are replaced in a graph"
    return None


def _overlapping(contents: Sequence[str]) -> bool:
    """Whether the end of one can be the beginning of another, or one is a part of another."""
    pairs = [(one, other) for one in contents for other in contents if one != other]
    return any(one in other or any(one.endswith(other[:size]) for size in range(1, len(other))) for one, other in pairs)


class _Nodes:
    """Nodes one after another; each gives the names of what it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", named: str | None = None, **attributes: Any) -> Any:
        from onnx import helper

        names = [named] if named else [f"{_PREFIX}{len(self.nodes)}.{kind}.{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"{_PREFIX}{len(self.nodes)}", domain=domain, **attributes))
        return names[0] if len(names) == 1 else names

    def own(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        return self.add(kind, *inputs, outputs=outputs, domain=DOMAIN, **attributes)

    def numbers(self, *values: int) -> str:
        """A list of whole numbers."""
        return self._weight(np.array(values, np.int64))

    def number(self, value: int) -> str:
        return self._weight(np.array(value, np.int64))

    def texts(self, *values: str) -> str:
        return self._weight(np.array(values, object))

    def _weight(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"{_PREFIX}constant.{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def replaced(self, text: str, pattern: str, by: str) -> Any:
        return self.own("StringRegexReplace", text, self.texts(pattern), self.texts(by))

    def split(self, text: str, pattern: str, keep: str) -> Any:
        return self.own("StringRegexSplitWithOffsets", text, self.texts(pattern), self.texts(keep), outputs=4)[0]

    def joined(self, texts: str, between: str) -> Any:
        return self.own("StringJoin", texts, self.texts(between), self.numbers(0))

    def part(self, values: str, start: int, end: int) -> Any:
        return self.add("Slice", values, self.numbers(start), self.numbers(end), self.numbers(0))


def tokenizer_nodes(
    pieces: WordPieces, max_length: int, fill: tuple[int, int], names: Sequence[str]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes and constants that make `input_ids`, and `attention_mask` and `token_type_ids` where `names` has them, (batch, longest) int64
    each, of `text` (batch,), at least one. Rows longer than `max_length` are cut before the last token; `fill` are the token and the type
    behind short ones."""
    nodes = _Nodes()
    ids, first = _pieces(nodes, pieces, _words(nodes, pieces))
    _rows(nodes, pieces, _whole_words(nodes, pieces, ids, first), max_length, fill, names)
    return nodes.nodes, nodes.weights


def _mark(place: int) -> str:
    return chr(MARKER + place)


def _words(nodes: _Nodes, pieces: WordPieces) -> Any:
    """All words of all rows, those of a row behind a marker."""
    table = pieces.characters
    text = nodes.replaced(TEXT, f"[\\x{{{MARKER:X}}}-\\x{{{MASKED - 1:X}}}]", chr(MASKED))
    text = nodes.joined(nodes.add("Concat", nodes.texts(""), text, axis=0), _mark(0))
    for place, (content, _) in enumerate(pieces.special, 1):
        text = text if content in pieces.late else nodes.replaced(text, re.escape(content), _mark(place))
    text = nodes.replaced(text, table.removed, "")
    text = nodes.replaced(text, table.blanks, " ")
    if table.changed:
        changes = "\n".join(f"{before}\t{after}" for before, after in table.changed)
        text = nodes.joined(nodes.own("StringMapping", nodes.split(text, "(?s)(.)", "(?s)(.)"), map=changes), "")
    for place, (content, _) in enumerate(pieces.special, 1):
        text = nodes.replaced(text, re.escape(content), _mark(place)) if content in pieces.late else text
    text = nodes.replaced(text, f"({table.alone})", r" \1 ")
    return nodes.split(nodes.replaced(text, "^ +| +$", ""), "( +)", "")


def _pieces(nodes: _Nodes, pieces: WordPieces, words: str) -> tuple[Any, Any]:
    """The ids of all pieces, that of the marker is -1; and where in them each word begins, with their number at the end."""
    special = {content for content, _ in pieces.special}
    marks = {_mark(place): number for place, (_, number) in enumerate(pieces.special, 1)}
    ids = {**{text: number for text, number in pieces.vocabulary.items() if text not in special}, **marks, _mark(0): -1}
    unknown = next(mark for mark, number in marks.items() if number == pieces.unknown)
    vocabulary = json.dumps({text: place for place, text in enumerate(ids)}, ensure_ascii=False)
    how = {"suffix_indicator": pieces.suffix, "unknown_token": unknown, "max_input_chars_per_word": pieces.longest_word}
    found = nodes.own("WordpieceTokenizer", words, nodes.numbers(), outputs=4, vocab=vocabulary, **how)
    numbers = nodes.add(
        "LabelEncoder",
        found[0],
        domain=LABELS_DOMAIN,
        keys_strings=list(ids),
        values_int64s=list(ids.values()),
        default_int64=pieces.unknown,
    )
    return numbers, found[1]


def _whole_words(nodes: _Nodes, pieces: WordPieces, ids: str, begins: str) -> Any:
    """The ids, where a word that has an unknown piece is one unknown token."""
    whole = 2**62
    unknown = nodes.add("Equal", ids, nodes.number(pieces.unknown))
    so_far = nodes.add("CumSum", nodes.add("Cast", unknown, to=_int64()), nodes.number(0))
    so_far = nodes.add("Concat", nodes.numbers(0), so_far, axis=0)
    starts, ends = nodes.part(begins, 0, -1), nodes.part(begins, 1, whole)
    bad_words = nodes.add("Greater", nodes.add("Gather", so_far, ends), nodes.add("Gather", so_far, starts))
    ones = nodes.add("Expand", nodes.number(1), nodes.add("Shape", starts))
    zeros = nodes.add("Expand", nodes.number(0), nodes.add("Shape", ids))
    initial = nodes.add("ScatterElements", zeros, starts, ones, axis=0)
    word = nodes.add("Sub", nodes.add("CumSum", initial, nodes.number(0)), nodes.number(1))
    bad = nodes.add("Gather", bad_words, word)
    kept = nodes.add("Or", nodes.add("Not", bad), nodes.add("Cast", initial, to=_bool()))
    return nodes.add("Compress", nodes.add("Where", bad, nodes.number(pieces.unknown), ids), kept, axis=0)


def _rows(nodes: _Nodes, pieces: WordPieces, ids: str, max_length: int, fill: tuple[int, int], names: Sequence[str]) -> None:
    size = nodes.add("Shape", ids)
    marks = nodes.add("Squeeze", nodes.add("NonZero", nodes.add("Equal", ids, nodes.number(-1))), nodes.numbers(0))
    ends = nodes.add("Concat", nodes.part(marks, 1, 2**62), size, axis=0)
    counts = nodes.add("Sub", nodes.add("Sub", ends, marks), nodes.number(1))
    counts = nodes.add("Min", counts, nodes.number(max_length - 2))
    width = nodes.add("Add", nodes.add("ReduceMax", counts, keepdims=0), nodes.number(2))
    column = nodes.add("Unsqueeze", nodes.add("Range", nodes.number(0), width, nodes.number(1)), nodes.numbers(0))
    last = nodes.add("Unsqueeze", nodes.add("Add", counts, nodes.number(1)), nodes.numbers(1))
    place = nodes.add("Add", nodes.add("Unsqueeze", marks, nodes.numbers(1)), column)
    inside = nodes.add("Gather", ids, nodes.add("Min", place, nodes.add("Sub", size, nodes.number(1))))
    row = nodes.add("Where", nodes.add("Equal", column, last), nodes.number(pieces.last), nodes.number(fill[0]))
    row = nodes.add("Where", nodes.add("Less", column, last), inside, row)
    real = nodes.add("LessOrEqual", column, last)
    nodes.add("Where", nodes.add("Equal", column, nodes.number(0)), nodes.number(pieces.first), row, named="input_ids")
    if "attention_mask" in names:
        nodes.add("Cast", real, to=_int64(), named="attention_mask")
    if "token_type_ids" in names:
        nodes.add("Where", real, nodes.number(0), nodes.number(fill[1]), named="token_type_ids")


def _int64() -> int:
    from onnx import TensorProto

    return int(TensorProto.INT64)


def _bool() -> int:
    from onnx import TensorProto

    return int(TensorProto.BOOL)
