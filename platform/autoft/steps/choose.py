"""Which candidates a run tries: those the user names, or those that suit the data, the machine and the budget."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoft import sources
from autoft.catalog import Catalog
from autoft.data.names import nearest
from autoft.data.reading import SHOWS_FAILURES
from autoft.data.table import Table
from autoft.errors import SettingsError, SourceError
from autoft.interfaces.model import Candidate, Limits
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard

Say = Callable[[str], None]

_LEAST = 0.57
"""Bytes a weight of the smallest format: 4 bits, and a scale of 32 and a zero of 4 for every 64 of them."""


@dataclass(frozen=True)
class Choice:
    """`tried` are searched, `passed_over` are not and say why; `named` are the names the user asked for."""

    tried: tuple[Candidate, ...]
    passed_over: tuple[Candidate, ...]
    named: frozenset[str]

    def served(self, candidate: str, *, named_only: bool) -> bool:
        """Whether a run may serve it: whatever was tried, the baseline too; where the user says so, only what is named."""
        return not named_only or candidate in self.named


def choose(
    models: Sequence[str],
    catalog: Catalog,
    problem: Problem,
    limits: Limits,
    rows: Table,
    *,
    offline: bool,
    licences: Collection[str] = (),
    max_size: int | None = None,
    say: Say = lambda _: None,
) -> Choice:
    """Where there are `licences`, only sources under one of these are tried or fetched, whoever names them; and with `max_size` bytes no
    source whose weights would not fit there in 8 bits.

    Raises SettingsError for a name nobody knows and SourceError where weights cannot be had.
    """
    if models:
        made = _licensed(_named(models, catalog, problem, limits, rows, offline=offline, say=say), licences)
    else:
        made = _unasked(catalog, problem, limits, rows, offline=offline, licences=licences, say=say)
    made = made if max_size is None else _small(made, max_size)
    if not made.tried:
        reasons = "; ".join(f"{candidate.name}: {candidate.reason}" for candidate in made.passed_over)
        raise SettingsError(
            f"no model suits this {problem.task} problem" + (f" ({reasons})" if reasons else ""),
            hint="autoft models shows the licence of each source"
            if licences
            else "--models NAME tries one all the same; autoft plugins lists the models",
        )
    return made


def in_time(choice: Choice, refused: Callable[[Candidate], str]) -> Choice:
    """`choice` with the candidates passed over that nobody named and that are `refused` with a reason, as long as one with a source is
    left."""
    reasons = {candidate.name: refused(candidate) for candidate in choice.tried if candidate.name not in choice.named}
    kept = tuple(candidate for candidate in choice.tried if not reasons.get(candidate.name))
    if not any(candidate.source for candidate in kept):
        return choice
    passed = [replace(c, proposed=False, reason=reasons[c.name]) for c in choice.tried if reasons.get(c.name)]
    return replace(choice, tried=kept, passed_over=(*choice.passed_over, *passed))


def permitted(found: Sequence[Candidate], licences: Collection[str], max_size: int | None) -> Choice:
    """Of candidates that a model gave, those that suit, within the user's licences and size."""
    made = _licensed(Choice(tuple(c for c in found if c.proposed), tuple(c for c in found if not c.proposed), frozenset()), licences)
    return made if max_size is None else _small(made, max_size)


def _licensed(choice: Choice, licences: Collection[str]) -> Choice:
    """`choice` with the sources passed over whose licence is none of `licences`."""
    tried: list[Candidate] = []
    passed = list(choice.passed_over)
    for candidate in choice.tried:
        if candidate.source is None or _allowed(candidate.source.licence, licences):
            tried.append(candidate)
        else:
            said = f"its licence is {candidate.source.licence}" if candidate.source.licence else "its licence is not known"
            passed.append(replace(candidate, proposed=False, reason=f"{said}; allowed: {', '.join(licences)}"))
    return Choice(tuple(tried), tuple(passed), choice.named & {candidate.name for candidate in tried})


def _small(choice: Choice, size: int) -> Choice:
    """`choice` with the sources passed over that are too much even if all their weights took what those of a table do in the smallest
    format."""
    tried: list[Candidate] = []
    passed = list(choice.passed_over)
    for candidate in choice.tried:
        weights = candidate.source.parameters if candidate.source else 0
        if _LEAST * weights <= size:
            tried.append(candidate)
        else:
            reason = f"its {weights / 1e6:.3g} million weights are more than --max-size {size / 1e6:.3g} MB in any format"
            passed.append(replace(candidate, proposed=False, reason=reason))
    return Choice(tuple(tried), tuple(passed), choice.named & {candidate.name for candidate in tried})


def _allowed(licence: str, licences: Collection[str]) -> bool:
    return not licences or licence.casefold() in {name.casefold() for name in licences}


def _named(names: Sequence[str], catalog: Catalog, problem: Problem, limits: Limits, rows: Table, *, offline: bool, say: Say) -> Choice:
    tried: dict[str, Candidate] = {}
    passed: dict[str, Candidate] = {}
    asked = [(text, *_parse(text, catalog, offline=offline, say=say)) for text in names]
    for text, model, source in _distinct(asked, catalog):
        models = [model] if model else list(catalog.models)
        pool = [source] if source else sources.at_hand(list(catalog.sources.values()))
        found = [c for name in models for c in catalog.model(name).candidates(problem, pool, limits, rows) if source is None or c.source]
        if not found:
            raise SettingsError(
                f"--models {text}: it does not fit a {problem.task} problem, or no source for it is at hand",
                hint="autoft models shows what is at hand and how to get the rest",
            )
        # Who names a source alone leaves it to the models whether they suit the data.
        explicit = model is not None and source is not None
        for candidate in found:
            (tried if explicit or candidate.proposed else passed)[candidate.name] = candidate
        if not explicit and not any(c.proposed for c in found):
            tried.update({c.name: c for c in found})
    return Choice(tuple(tried.values()), tuple(c for c in passed.values() if c.name not in tried), frozenset(tried))


def _parse(text: str, catalog: Catalog, *, offline: bool, say: Say) -> tuple[str | None, Source | None]:
    """A model, a source or `model:source`."""
    if text in catalog.models:
        return text, None
    head, colon, tail = text.partition(":")
    if colon and head in catalog.models:
        return head, _source(tail, catalog, offline=offline, say=say)
    return None, _source(text, catalog, offline=offline, say=say)


_Asked = tuple[str, str | None, Source | None]


def _distinct(asked: Sequence[_Asked], catalog: Catalog) -> list[_Asked]:
    """A folder is known by its last part only: where another source has that name, a part of its sha256 is added to it."""
    folders: dict[str, Path] = {}
    for text, _, source in asked:
        if source and _is_known(text, catalog):
            folders[source.name] = source.folder
    found: list[_Asked] = []
    for text, model, source in asked:
        if source and not _is_known(text, catalog):
            source = _renamed(source, folders, catalog)
        found.append((text, model, source))
    return found


def _is_known(text: str, catalog: Catalog) -> bool:
    """Whether what `text` names, with a model before it or alone, has a card."""
    wanted = {text, text.partition(":")[2]} - {""}
    ids = {name for name in wanted if not Path(name).is_dir()}
    return any(card.name in wanted or card.hub_id in ids for card in catalog.sources.values())


def _renamed(source: Source, folders: dict[str, Path], catalog: Catalog) -> Source:
    for name in (source.name, f"{source.name}-{source.sha256[:8]}"):
        card = catalog.sources.get(name)
        own = sources.find(card) if card else None
        if own and own.folder.resolve() != source.folder.resolve():
            continue
        if folders.setdefault(name, source.folder).resolve() == source.folder.resolve():
            return source if name == source.name else replace(source, name=name)
    raise SettingsError(
        f"--models: {folders[name]} and {source.folder} have one name and hold the same weights",
        hint="name one of them, or rename a folder",
    )


def _source(text: str, catalog: Catalog, *, offline: bool, say: Say) -> Source:
    known = [*catalog.models, *catalog.sources]
    if text not in catalog.sources and "/" not in text and not Path(text).exists():
        close = nearest(text, known)
        said = f"--models: there is no model or source named {text!r}" + (f"; did you mean {close!r}?" if close else "")
        raise SettingsError(
            "\n".join([said, *catalog.unloaded("give it")]),
            hint=f"models: {', '.join(catalog.models)}; autoft models lists the sources; a folder or a hub id (owner/name) works too",
        )
    try:
        return sources.resolve(text, catalog.sources, offline=offline, progress=say)
    except SourceError as error:
        if text in catalog.sources or "/" in text or Path(text, "config.json").is_file():
            raise
        said = f"--models: there is no model or source named {text!r}, and what lies here under that name is none: {error.message}"
        raise SourceError("\n".join([said, *catalog.unloaded("give it")]), hint=SHOWS_FAILURES) from error


def _unasked(
    catalog: Catalog, problem: Problem, limits: Limits, rows: Table, *, offline: bool, licences: Collection[str], say: Say
) -> Choice:
    pool = sources.at_hand(list(catalog.sources.values()))
    made = _proposed(catalog, problem, pool, limits, rows, licences)
    if not any(c.source for c in made.tried):
        cards = [card for card in catalog.sources.values() if _allowed(card.licence, licences)]
        wanted = [card for model in catalog.models.values() for card in model.wanted(problem, cards, limits)]
        if wanted:
            pool = [*pool, _first_to_be_had(wanted, [c.name for c in made.tried], offline=offline, say=say)]
            made = _proposed(catalog, problem, pool, limits, rows, licences)
    return made


def _proposed(catalog: Catalog, problem: Problem, pool: Sequence[Source], limits: Limits, rows: Table, licences: Collection[str]) -> Choice:
    found = [c for model in catalog.models.values() for c in model.candidates(problem, pool, limits, rows)]
    return _licensed(Choice(tuple(c for c in found if c.proposed), tuple(c for c in found if not c.proposed), frozenset()), licences)


def _first_to_be_had(wanted: Sequence[SourceCard], without: Sequence[str], *, offline: bool, say: Say) -> Source:
    """`without` are candidates that need no source."""
    fetch = f"autoft models fetch {wanted[0].name}" + (" where there is a network" if offline else "")
    other = f"--models {without[0]}, which needs no pretrained weights" if without else "--models FOLDER, where you have such weights"
    hint = f"{fetch}, or {other}"
    if offline:
        raise SourceError("no pretrained weights that suit the data are at hand, and --offline forbids fetching any", hint=hint)
    for card in wanted:
        say(f"no pretrained weights that suit the data are at hand: fetching {card.name} ({card.licence})")
        try:
            return sources.fetch(card, progress=say)
        except SourceError as error:
            say(f"{card.name}: {error.message}")
    raise SourceError("no pretrained weights that suit the data are at hand, and none could be fetched", hint=hint)
