"""Swaps that nobody asks this process for: a bundle's folder has changed, or another worker was told to swap."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from autoft.serving.served import Served, fingerprint, swapped

LOG = logging.getLogger("autoft.serving")

EVERY = 0.5
"""Seconds between two looks."""


class Orders:
    """Swaps that workers tell one another of, as files of a folder of their server: the newest for each bundle."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def give(self, served: Served) -> None:
        """Tell the others that this worker serves `served.folder` now."""
        count = self.newest(served.name)[0] + 1
        aside = self._folder / f".{served.name}.new"
        aside.write_text(json.dumps([count, str(served.folder.absolute())]), encoding="utf-8")
        aside.replace(self._folder / f"{served.name}.json")

    def newest(self, name: str) -> tuple[int, Path | None]:
        """How many there were, and the folder of the last."""
        try:
            count, folder = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return 0, None
        return int(count), Path(folder)


class Watch:
    """A thread that looks after the bundles. With `changes` a bundle whose files have changed is swapped, once they change no more; with
    `orders`, one that another worker has swapped."""

    def __init__(self, bundles: Mapping[str, Served], *, changes: bool, orders: Orders | None) -> None:
        self._bundles, self._changes, self._orders = bundles, changes, orders
        self._ended = threading.Event()
        self._before: dict[str, object] = {}
        self._done = {name: orders.newest(name)[0] for name in bundles} if orders else {}
        self._thread = threading.Thread(target=self._run, name="autoft-watch", daemon=True)

    def start(self) -> None:
        """Begin to look, where there is something to look for."""
        if self._changes or self._orders:
            self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()

    def given(self, served: Served) -> None:
        """Tell the other workers of a swap that this one was asked for."""
        if self._orders:
            self._orders.give(served)
            self._done[served.name] = self._orders.newest(served.name)[0]

    def look(self) -> None:
        """Once."""
        for name, served in self._bundles.items():
            if self._orders:
                count, folder = self._orders.newest(name)
                if count != self._done[name]:
                    self._done[name] = count
                    swapped(served, folder)
            if self._changes:
                self._look_at_files(name, served)

    def _look_at_files(self, name: str, served: Served) -> None:
        now = fingerprint(served.folder)
        settled, self._before[name] = now == self._before.get(name, served.seen), now
        if now == served.seen or not settled:
            return
        if now:
            swapped(served)
        else:
            served.seen = now
            LOG.warning("%s: %s is gone; the bundle is served on", name, served.folder)

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                self.look()
            except Exception as error:  # a folder that cannot be read now may be later
                LOG.error("failed to look for changes: %s", type(error).__name__)
