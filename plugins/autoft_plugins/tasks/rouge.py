"""How much of a text is found again in another, word by word."""

from __future__ import annotations

import re

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_CJK}]|[^\\W_{_CJK}]+")


def rouge_l(target: str, text: str) -> float:
    """F1 of the longest common subsequence of words (ROUGE-L; Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004).

    Words are runs of letters and digits, in lower case; Chinese, Japanese and Korean characters count one by one. Where neither text
    has a word, 1 for equal texts, else 0.
    """
    wanted, given = (_WORD.findall(side.lower()) for side in (target, text))
    if not wanted and not given:
        return float(same_text(target, text))
    return 2 * _common(wanted, given) / (len(wanted) + len(given))


def same_text(target: str, text: str) -> bool:
    """Equal but for white space, which tokenizers do not keep."""
    return target == text or target.split() == text.split()


def _common(one: list[str], other: list[str]) -> int:
    """The length of the longest common subsequence, a row of the table at a time as the bits of a number (Crochemore et al., A fast and
    practical bit-vector algorithm for the longest common subsequence problem, 2001)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        found = row & places.get(word, 0)
        row = (row + found | row - found) & every
    return len(one) - row.bit_count()
