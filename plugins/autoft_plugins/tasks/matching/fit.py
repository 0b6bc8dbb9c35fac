"""How well a table fits each task on texts.

A score is 0.5, and 0.2 more where the texts are sure, and 0.2 more where a name says what is learned. It loses 0.35 where another column
is plainer the label, 0.3 or 0.45 where the column may be taken for this form but is rather another, and 0.4 where the texts are rather read
otherwise. So what fits by names stands at 0.9, by content alone at 0.5, and what only the user could mean below 0.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoft.data.names import counted, listed
from autoft.errors import DataError
from autoft.interfaces.task import Match
from autoft_plugins.tasks.matching import words
from autoft_plugins.tasks.matching.targets import (
    AS_GIVEN,
    AT_A_PINCH,
    IN_NAME_ONLY,
    IT_IS,
    IT_MAY_BE,
    Form,
    Target,
    find_targets,
    given_target,
)
from autoft_plugins.tasks.matching.texts import Texts, one_text, partner, rewritable, rewriting, single_words, tagged_words, two_texts
from autoft_plugins.tasks.matching.view import View, both
from autoft_plugins.tasks.matching.words import exact

Given = Mapping[str, tuple[str, ...]]

PLAINER = 0.15
"""A name so much plainer than another is the label; nearer ones are rivals."""
LEAST = 0.05


def on_one_text(view: View, given: Given, forms: Sequence[Form], task: str) -> Match | None:
    """A text and a label of one of `forms`. Raises DataError where two columns fit equally."""
    if set(given) - {"text", "label"}:
        return None
    named = view.given(given)
    if "label" not in named and single_words(view):
        return None
    taken = named.get("text", ())
    target = _target(view, named, forms, taken)
    if target is None and not taken and rewritable(view):
        return None
    unlikely = "class" in forms
    texts = Texts(taken, AS_GIVEN, True) if taken else one_text(view, target.columns if target else (), unlikely=unlikely)
    if texts is None:
        return None
    _not_empty(view, texts)
    if target is None:
        if "class" in forms and not _other_label(view, texts):
            raise _no_label(view, texts)
        return None
    elsewhere = 0.4 if texts.doubtful else 0.0 if taken else _read_otherwise(view, target, texts)
    score = _score(view, named, target, forms, texts, taken) - elsewhere
    return _match(view, score, texts, target, forms, task)


def on_two_texts(view: View, given: Given, forms: Sequence[Form], task: str) -> Match | None:
    """Two texts that belong together and a label of one of `forms`. Raises DataError where two columns fit equally as the label."""
    if set(given) - {"text", "text_pair", "label"}:
        return None
    named = view.given(given)
    taken = (*named.get("text", ()), *named.get("text_pair", ()))
    likely = two_texts(view, (*taken, *named.get("label", ())), None) if not taken else None
    target = _target(view, named, forms, taken or (likely.columns if likely else ()), pair=True)
    if target is None:
        return None
    texts = partner(view, named, target.columns, target) if taken else two_texts(view, target.columns, target)
    if texts is None:
        return None
    _not_empty(view, texts)
    score = _score(view, named, target, forms, texts, texts.columns, pair=True)
    if not texts.sure:
        score -= 0.4
    return _match(view, score, texts, target, forms, task)


def on_tagged_words(view: View, given: Given) -> Match | None:
    """Words with a tag each, or a text with spans. Raises DataError where several columns of tags fit."""
    if set(given) - {"text", "label"}:
        return None
    named = view.given(given)
    tagged = tagged_words(view, named)
    if tagged is not None:
        reason = f"words are the column {tagged.text!r}, their tags {tagged.label!r} ({tagged.why})"
        columns = {"text": (tagged.text,), "label": (tagged.label,)}
        return Match(0.95 if tagged.sure else 0.7, columns, reason + _unused(view, (tagged.text, tagged.label)))
    taken = named.get("text", ())
    target = _target(view, named, ("spans",), taken)
    if target is None:
        return None
    texts = Texts(taken, AS_GIVEN, True) if taken else one_text(view, target.columns)
    if texts is None:
        return None
    _not_empty(view, texts)
    return _match(view, _score(view, named, target, ("spans",), texts, taken), texts, target, ("spans",), "token-classification")


def on_rewriting(view: View, given: Given) -> Match | None:
    """A text and the one to be written from it."""
    if set(given) - {"text", "label"}:
        return None
    named = view.given(given)
    if "text" in named and "label" in named:
        texts = Texts((*named["text"], *named["label"]), AS_GIVEN, True)
    else:
        found = _completed(view, named)
        if found is None:
            return None
        texts = found
    text, written = texts.columns[:2]
    if len(texts.columns) != 2 or not view.columns[written].strings or view.columns[written].kind == "list":
        return None
    _not_empty(view, Texts((text,), texts.why, texts.sure))
    score = 0.9 if texts.sure else 0.3
    if view.columns[written].kind != "text" or (texts.why == AS_GIVEN and view.columns[written].mean_words <= 2):
        score = 0.2
    elif not named and any(target.tier >= 0.5 for target in find_targets(view, texts.columns)):
        score -= 0.4
    reason = f"texts to be written are the column {written!r}, from {text!r} ({texts.why})"
    return Match(max(score, LEAST), {"text": (text,), "label": (written,)}, reason + _unused(view, texts.columns))


def _completed(view: View, named: Given) -> Texts | None:
    """Both sides where the user named one or none."""
    likely = rewriting(view, named["text"][0] if "text" in named else None)
    if not named or likely is None:
        return likely
    ((role, (mine,)),) = ((role, names[:1]) for role, names in named.items())
    place = 0 if role == "text" else 1
    return likely if likely.columns[place] == mine else None


def _target(view: View, named: Given, forms: Sequence[Form], texts: Sequence[str], *, pair: bool = False) -> Target | None:
    """Of the columns that can be learned in one of `forms`, the one whose name says so most plainly, or the only one.

    Raises DataError where two columns that are of such a form say so equally.
    """
    if "label" in named:
        _filled(view, named["label"])
        target = given_target(view, named["label"], pair=pair)
        return target if _weight(target, forms) else None
    found = [target for target in find_targets(view, texts, pair=pair) if _weight(target, forms)]
    if not texts:
        found = [one for one in found if one.tier > 0 or not exact(one.columns[0], words.TEXT)] or found
    sure = [target for target in found if _weight(target, forms) == IT_IS]
    kept = sure or found
    if not kept:
        return None
    best = max(target.tier for target in kept)
    first = [target for target in kept if target.tier > best - PLAINER]
    if len(first) == 1:
        return _in_words(view, first[0], kept)
    columns = [view.columns[target.columns[0]] for target in first]
    if all(view.same(columns[0], other) for other in columns[1:]):
        return max(first, key=lambda target: view.columns[target.columns[0]].strings)
    if best <= -0.2 or not sure:
        return None
    names = [column.name for column in columns]
    raise DataError(f"{view.table.origin}: {both(names)} be the label", hint=f"say which: {view.flag('label', names[0])}")


def _in_words(view: View, target: Target, others: Sequence[Target]) -> Target:
    """`label_text` beside a `label` of numbers that means the same: its answers can be read."""
    (name,) = target.columns[:1]
    label = view.columns[name]
    if label.strings or len(target.columns) > 1:
        return target
    twins = [one for one in others if name in one.columns[0] and view.columns[one.columns[0]].strings]
    return next((one for one in twins if view.same(label, view.columns[one.columns[0]])), target)


def _weight(target: Target, forms: Sequence[Form]) -> float:
    return max(target.forms.get(form, 0.0) for form in forms)


def _score(
    view: View, named: Given, target: Target, forms: Sequence[Form], texts: Texts, taken: Sequence[str], *, pair: bool = False
) -> float:
    score = 0.5 + 0.2 * texts.sure + 0.2 * (target.tier >= 0.5)
    weight = _weight(target, forms)
    score -= {IT_IS: 0.0, IT_MAY_BE: 0.3, AT_A_PINCH: 0.45, IN_NAME_ONLY: 0.9}[weight]
    if "label" not in named:
        others = find_targets(view, (*texts.columns, *taken), pair=pair)
        plainest = max((one.tier for one in others if max(one.forms.values()) == IT_IS), default=target.tier)
        if plainest > target.tier + PLAINER and not any(_same(view, target, one) for one in others if one.tier == plainest):
            score -= 0.35
    return score


def _same(view: View, one: Target, other: Target) -> bool:
    return len(one.columns) == len(other.columns) == 1 and view.same(view.columns[one.columns[0]], view.columns[other.columns[0]])


def _read_otherwise(view: View, target: Target, texts: Texts) -> float:
    """What a reading of one text loses where two texts belong together. Raises DataError where nothing tells which of them is the one."""
    pair = two_texts(view, target.columns, target)
    if pair is None or not pair.sure or pair.rivals:
        return 0.0
    return 0.4 if texts.columns[0] in pair.columns else 0.2


def _not_empty(view: View, texts: Texts) -> None:
    for name in texts.columns:
        if view.columns[name].kind == "empty":
            what = f"{view.table.origin}: the text column {name!r} is empty in all {len(view.table)} rows"
            raise DataError(what, hint=f"name another: {view.flag('text')}")


def _filled(view: View, names: Sequence[str]) -> None:
    for name in names:
        if view.columns[name].kind == "empty":
            what = f"{view.table.origin}: the label column {name!r} is empty in all {len(view.table)} rows"
            raise DataError(what, hint=f"name another: {view.flag('label')}")


def _other_label(view: View, texts: Texts) -> bool:
    """Whether something else than classes may be learned beside the text, or a column called so holds none: then this is another task."""
    rest = [column for column in view.columns.values() if column.name not in texts.columns]
    named = words.LABEL | words.ALSO_LABEL | words.SCORE
    return any(column.kind in ("list", "other") or exact(column.name, named) for column in rest)


def _no_label(view: View, texts: Texts) -> DataError:
    rest = [column for column in view.columns.values() if column.name not in texts.columns]
    what = f"{view.table.origin}: no column looks like a label beside the text {texts.columns[0]!r}"
    if not rest:
        return DataError(f"{what}; there is no other column", hint="add a column with the answer that each text should get")
    empty = [column.name for column in rest if column.kind == "empty"]
    if len(empty) == len(rest):
        said = "is" if len(empty) == 1 else "are"
        return DataError(f"{what}; {listed(empty)} {said} empty in every row", hint="fill in the answer that each text should get")
    left = [column.name for column in rest if column.kind != "empty" and column.distinct >= 2]
    if not left:
        same = "has the same value in every row" if len(rest) == 1 else "have the same value in every row, or none"
        return DataError(f"{what}; {listed(column.name for column in rest)} {same}", hint="add a column with different answers")
    others = f"the other {'column is' if len(rest) == 1 else 'columns are'} {listed(column.name for column in rest)}"
    hint = "say which: " if len(left) > 1 else "if it is one: "
    return DataError(f"{what}; {others}", hint=hint + view.flag("label", left[0]))


def _match(view: View, score: float, texts: Texts, target: Target, forms: Sequence[Form], task: str) -> Match:
    roles = ("text", "text_pair")[: len(texts.columns)]
    shown = [f"{role} is the column {name!r}" for role, name in zip(roles, texts.columns, strict=True)]
    reason = f"{' and '.join(shown)} ({texts.why}; {_length(view, texts)}), label is {_label(target, forms)}"
    reason += _also(view, target, forms, task) + _unused(view, (*texts.columns, *target.columns))
    columns = {role: (name,) for role, name in zip(roles, texts.columns, strict=True)}
    return Match(round(min(1.0, max(score, LEAST)), 2), {**columns, "label": target.columns}, reason)


def _length(view: View, texts: Texts) -> str:
    column = view.columns[texts.columns[0]]
    return f"{column.mean_words:.0f} words on average" if column.mean_words >= 3 else f"{column.mean_length:.0f} characters on average"


def _label(target: Target, forms: Sequence[Form]) -> str:
    if len(target.columns) > 1:
        return f"{listed(target.columns, 6)} ({target.why})"
    what = {
        "class": counted(target.distinct, "different value"),
        "number": counted(target.distinct, "different number"),
        "labels": "lists of labels",
    }
    return f"{target.columns[0]!r} ({target.why}; {what.get(forms[0], 'spans')})"


def _also(view: View, target: Target, forms: Sequence[Form], task: str) -> str:
    """The other way to learn a column of few numbers, and the flag that chooses it."""
    column = view.columns[target.columns[0]]
    if not column.numbers or forms[0] not in ("class", "number"):
        return ""
    pair = task.startswith("pair")
    if forms[0] == "class" and column.strays:
        return f"; {counted(column.strays, 'row')} of it {'holds' if column.strays == 1 else 'hold'} no number, which is a class, too"
    if forms[0] == "class" and "number" in target.forms:
        return f"; taken as {column.distinct} classes, as a number with --task {'pair-score' if pair else 'text-regression'}"
    if forms[0] == "number" and "class" in target.forms:
        return f"; taken as a number, as classes with --task {'pair-classification' if pair else 'text-classification'}"
    return ""


def _unused(view: View, used: Sequence[str]) -> str:
    rest = [name for name in view.columns if name not in used]
    return f"; not used: {listed(rest, 6)}" if rest else ""
