"""Pictures of the page to try a model, as Debian's chromium shows it.

    python docs/pictures/page.py BUNDLE "a text"

asks the bundle's own server and writes page-1280.png and page-390.png beside this file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (1280, 390)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Raises FileNotFoundError where there is none."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def ask(page: Page, address: str, texts: Sequence[str]) -> None:
    """Open the page, fill in its fields in their order, and wait for the answer."""
    page.goto(address)
    page.locator("#fields textarea").first.wait_for()
    for box, text in zip(page.locator("#fields textarea").all(), texts, strict=True):
        box.fill(text)
    page.keyboard.press("Control+Enter")
    page.locator("#answer:not(.stale)").wait_for()


def take(browser: Browser, address: str, texts: Sequence[str], folder: Path) -> list[Path]:
    """A picture a width, of the whole page."""
    made = []
    for width in WIDTHS:
        page = browser.new_page(viewport={"width": width, "height": 800}, device_scale_factor=1 if width > 1000 else 2)
        ask(page, address, texts)
        page.wait_for_timeout(400)  # the bars grow
        made.append(folder / f"page-{width}.png")
        page.screenshot(path=made[-1], full_page=True)
        page.close()
    return made


def main(bundle: str, *texts: str) -> None:
    command = [sys.executable, "-m", "autoft", "serve", bundle, "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        address = server.stderr.readline().partition(" on ")[2].split()[0]
        with chromium() as browser:
            for path in take(browser, f"{address}/", texts, Path(__file__).parent):
                sys.stdout.write(f"{path}\n")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
