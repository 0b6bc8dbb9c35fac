"""A tokenizer with fewer tokens: which of them a language needs, and the tokenizer that is left. Of the content of tokenizer.json alone."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from autoft.errors import ExportError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Content: TypeAlias = Mapping[str, Any]
Places: TypeAlias = Mapping[int, int]
"""The new id of each token that is kept, by its old one."""

SPACE = "▁"
_COMMON = 0.01
"""The data's scripts are those of at least this share of its tokens: a quoted word is no language."""
_SEVERAL = {"BPE": "its tokens are merged out of one another", "WordLevel": "a word without a token would be unknown"}


def tokens_of(content: Content) -> dict[int, str]:
    """All tokens by id, added ones too. Raises ExportError for a vocabulary whose tokens cannot be left out one by one."""
    model = content["model"]
    kind = model.get("type")
    if kind == "WordPiece":
        found = {int(number): str(token) for token, number in model["vocab"].items()}
    elif kind == "Unigram":
        found = {number: str(token) for number, (token, _) in enumerate(model["vocab"])}
    else:
        why = f": {_SEVERAL[kind]}" if kind in _SEVERAL else ""
        hint = "WordPiece and Unigram vocabularies can be, as those of BERT, MPNet, XLM-R and ALBERT"
        raise ExportError(f"a {kind} vocabulary cannot be trimmed{why}", hint=hint)
    return found | {int(one["id"]): str(one["content"]) for one in content.get("added_tokens") or ()}


def kept_ids(content: Content, used: Collection[int], share: float) -> list[int]:
    """The ids to keep, ascending: those of `used`; special and other added tokens; what words without a token of their own are written by,
    which is single characters, and pieces inside of words in the scripts of `used`; and of the others `share`, the most frequent.

    Frequency is told by the vocabulary itself: BERT's words stand in its order, a Unigram token has its logarithm. Scripts of `used` come
    first. Raises ExportError as `tokens_of` does.
    """
    tokens = tokens_of(content)
    fixed = _fixed(content)
    scripts = _common_scripts(tokens[number] for number in used if number not in fixed)
    kept = {*used, *fixed}
    kept |= {number for number, token in tokens.items() if _is_part(token, content["model"], scripts)}
    others = [number for number in _by_frequency(content["model"], tokens) if number not in kept]
    others.sort(key=lambda number: (tokens[number].startswith("[unused"), not _scripts(tokens[number]) <= scripts))
    return sorted({*kept, *others[: round(share * len(others))]})


def trimmed_tokenizer(content: Content, kept: Sequence[int]) -> Tokenizer:
    """The tokenizer with the tokens `kept` (old ids, ascending), numbered in their order. A text whose tokens are all kept has the same
    ones; another word is written by the pieces there are. Raises ExportError where the library reads another numbering out of it.
    """
    from tokenizers import Tokenizer

    tokens, places = tokens_of(content), places_of(kept)
    made = Tokenizer.from_str(json.dumps(_renumbered(content, places)))
    odd = next((number for number in kept if made.id_to_token(places[number]) != tokens[number]), None)
    if odd is not None or made.get_vocab_size(with_added_tokens=True) > len(kept):
        what = f"its token {tokens[odd]!r} would get the number of another one" if odd is not None else "it names a token twice"
        raise ExportError(f"the vocabulary cannot be trimmed: {what}")
    return made


def places_of(kept: Sequence[int]) -> dict[int, int]:
    """The new ids by the old ones."""
    return {number: place for place, number in enumerate(kept)}


def renumbered_settings(settings: Content, places: Places) -> dict[str, Any]:
    """The content of tokenizer_config.json: some name added tokens by their ids."""
    added = settings.get("added_tokens_decoder")
    if not isinstance(added, Mapping):
        return dict(settings)
    return {**settings, "added_tokens_decoder": {str(places[int(number)]): one for number, one in added.items() if int(number) in places}}


def _fixed(content: Content) -> set[int]:
    """Ids that the tokenizer itself needs."""
    model = content["model"]
    found = {int(one["id"]) for one in content.get("added_tokens") or ()} | _of_processor(content.get("post_processor"))
    if model["type"] == "Unigram":
        # What is unknown is scored by the lowest of all scores: without it, other ways to write a text would win.
        found.add(min(range(len(model["vocab"])), key=lambda number: model["vocab"][number][1]))
        return found | ({int(model["unk_id"])} if model.get("unk_id") is not None else set())
    unknown = model["vocab"].get(model.get("unk_token"))
    return found | ({int(unknown)} if unknown is not None else set())


def _is_part(token: str, model: Content, scripts: Collection[str]) -> bool:
    """Whether other words are written by it."""
    if model["type"] == "Unigram":
        return len(token.removeprefix(SPACE)) <= 1 or (bool(model.get("byte_fallback")) and token.startswith("<0x"))
    prefix = str(model.get("continuing_subword_prefix") or "")
    if not prefix or not token.startswith(prefix):
        return len(token) == 1
    return len(token) == len(prefix) + 1 or _scripts(token) <= set(scripts)


def _by_frequency(model: Content, tokens: Mapping[int, str]) -> list[int]:
    """All ids, those of the most frequent tokens first."""
    if model["type"] == "Unigram":
        return sorted(range(len(model["vocab"])), key=lambda number: -float(model["vocab"][number][1]))
    return sorted(tokens)


def _common_scripts(used: Iterable[str]) -> frozenset[str]:
    counts = Counter(script for token in used for script in _scripts(token))
    return frozenset(script for script, count in counts.items() if count >= _COMMON * counts.total())


def _scripts(token: str) -> set[str]:
    """What its letters are written in: LATIN, CYRILLIC, CJK; none of a number."""
    return {script for script in map(_script, token) if script}


@lru_cache(maxsize=2**17)
def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def _renumbered(content: Content, places: Places) -> dict[str, Any]:
    model = dict(content["model"])
    if model["type"] == "Unigram":
        model["vocab"] = [entry for number, entry in enumerate(model["vocab"]) if number in places]
        model["unk_id"] = None if model.get("unk_id") is None else places[int(model["unk_id"])]
    else:
        model["vocab"] = {token: places[int(number)] for token, number in model["vocab"].items() if int(number) in places}
    added = [{**one, "id": places[int(one["id"])]} for one in content.get("added_tokens") or ()]
    padding = content.get("padding")
    return {
        **content,
        "model": model,
        "added_tokens": sorted(added, key=lambda one: int(one["id"])),
        "padding": padding and {**padding, "pad_id": places.get(int(padding["pad_id"]), 0)},
        "post_processor": _with_places(content.get("post_processor"), places),
    }


def _with_places(processor: Content | None, places: Places) -> dict[str, Any] | None:
    """What adds special tokens to a text, by their new ids."""
    if processor is None:
        return None
    kind = processor["type"]
    if kind == "Sequence":
        return {**processor, "processors": [_with_places(one, places) for one in processor["processors"]]}
    if kind == "TemplateProcessing":
        named = processor["special_tokens"]
        return {**processor, "special_tokens": {name: {**one, "ids": [places[i] for i in one["ids"]]} for name, one in named.items()}}
    if kind in ("BertProcessing", "RobertaProcessing"):
        return {**processor, **{name: [processor[name][0], places[processor[name][1]]] for name in ("sep", "cls")}}
    return dict(processor)


def _of_processor(processor: Content | None) -> set[int]:
    """The ids that it adds."""
    if processor is None:
        return set()
    found = {int(number) for one in (processor.get("special_tokens") or {}).values() for number in one["ids"]}
    found |= {int(processor[name][1]) for name in ("sep", "cls") if name in processor}
    return found.union(*map(_of_processor, processor.get("processors") or ()))
