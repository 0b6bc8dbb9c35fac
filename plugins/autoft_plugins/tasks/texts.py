"""What is asked of texts before any tokenizer is at hand: clean strings, a likely length in tokens, a likely language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

LENGTHS = (64, 128, 256, 512)
"""Caps on the number of tokens that a problem may have."""
COVERED = 0.99
"""Share of the texts that must fit the cap whole."""
SAMPLE = 20_000

FEWEST_KINDS = 2
"""Different common words of a language that its texts must hold: `a` and `no` are words of several."""

_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_OTHER_SCRIPT = re.compile("[\u0370-\u1fff\u2c00-\u2fff\ua000-\uabff\ufb00-\ufdff\ufe70-\ufefe]")

_SCRIPTS = (
    ("kana", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("han", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("cyrillic", re.compile("[\u0400-\u052f]")),
    ("arabic", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("latin", re.compile("[A-Za-z\u00c0-\u024f]")),
)
_STOP_WORDS = {
    "en": "the and is was to of it that this for you with are not be my on have but they what how i we at from can by there your",
    "de": "der die das und ist nicht ich ein eine mit es auf den zu war sehr wie sich auch für",
    "fr": "le la les et est des une un pas je que pour dans ce vous très avec qui sur c'est",
    "es": "el la los y es de que no una un por con para muy lo las mi como pero está",
    "it": "il la e è di che non un una per con sono molto ho ma come del della gli questo",
    "pt": "o a e é de que não um uma para com os muito do da mas como em eu está",
    "nl": "de het een en is van niet ik dat je op te zijn met voor maar was er ook heel",
}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def clean(text: str) -> str:
    """`text` without what no tokenizer takes: NUL becomes a blank, half a surrogate pair U+FFFD, a whole pair its character."""
    if not _UNSAFE.search(text):
        return text
    return text.replace("\0", " ").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def likely_tokens(text: str) -> float:
    """An estimate that errs upwards for the tokenizers of the text's own language: 1.6 tokens a word or one for 3.5 characters (of other
    scripts than Latin: for 2), one for each Chinese, Japanese or Korean character, and the two marks at the ends."""
    if text.isascii():
        return 2 + max(1.6 * len(text.split()), len(text) / 3.5)
    rest, characters = _CJK.subn(" ", text)
    foreign = len(_OTHER_SCRIPT.findall(rest))
    letters = len("".join(rest.split()))
    return 2 + characters + max(1.6 * len(rest.split()), (letters - foreign) / 3.5 + foreign / 2)


def length_cap(*columns: Sequence[str]) -> int:
    """The smallest of `LENGTHS` that holds `COVERED` of the rows (of an even sample of them) whole, or the largest. The texts of a row
    stand one behind the other."""
    rows = list(zip(*(texts[:: max(1, len(texts) // SAMPLE)] for texts in columns), strict=True))
    lengths = np.asarray([sum(map(likely_tokens, row)) for row in rows])
    fitting = (cap for cap in LENGTHS if np.mean(lengths <= cap) >= COVERED)
    return next(fitting, LENGTHS[-1]) if len(lengths) else LENGTHS[0]


def language(texts: Sequence[str]) -> str | None:
    """ISO 639-1, by script, and among languages in Latin letters by their commonest words; None when nothing stands out."""
    sample = "\n".join(text[:500] for text in islice(texts[:: max(1, len(texts) // 2000)], 2500))
    counts = {name: len(pattern.findall(sample)) for name, pattern in _SCRIPTS}
    letters = sum(counts.values())
    if not letters:
        return None
    if counts["kana"] + counts["han"] > 0.3 * letters and counts["kana"] > 0.1 * (counts["kana"] + counts["han"]):
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    # A language with few letters a word beside Latin names and abbreviations still carries the text.
    if script == "latin" and counts["han"] + counts["ko"] > 0.3 * letters:
        script = "han" if counts["han"] > counts["ko"] else "ko"
    if script == "latin":
        return _by_words(_WORD.findall(sample.lower()))
    if script == "cyrillic":
        return "uk" if len(re.findall("[іїєґ]", sample.lower())) > 0.03 * counts[script] else "ru"
    if script == "arabic":
        return "fa" if len(re.findall("[پچژگک]", sample)) > 0.03 * counts[script] else "ar"
    return {"han": "zh", "kana": "ja"}.get(script, script)


def _by_words(words: Iterable[str]) -> str | None:
    votes = dict.fromkeys(_STOP_WORDS, 0)
    kinds: dict[str, set[str]] = {name: set() for name in _STOP_WORDS}
    total = 0
    homes: dict[str, list[str]] = {}
    for name, stops in _STOP_WORDS.items():
        for stop in stops.split():
            homes.setdefault(stop, []).append(name)
    for word in words:
        total += 1
        for name in homes.get(word, ()):
            votes[name] += 1
            kinds[name].add(word)
    first, second = sorted(votes.values(), reverse=True)[:2]
    likely = max(votes, key=lambda name: votes[name])
    sure = first >= max(3, 0.05 * total, 1.15 * second) and len(kinds[likely]) >= FEWEST_KINDS
    return likely if sure else None
