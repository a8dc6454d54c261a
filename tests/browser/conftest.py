"""A real browser for tests of pages: headless Chromium, driven by Playwright.

``page`` is a page at 1280 x 800; ``open_page`` makes others (a phone, dark, without JavaScript). Each has a
:class:`Watched` context that keeps every request, console error and uncaught exception. Chromium is the one that
MISMARTERA_CHROMIUM names, else the system's, else the one that ``playwright install chromium`` has brought; a
machine without any skips these tests and says how to get one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="needs the package playwright (the dependency group dev)"
)

HOW = "install Debian's package chromium, run 'playwright install chromium', or name one in MISMARTERA_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, PHONE = (1280, 800), (390, 844)


@dataclass
class Watched:
    """A page and all that it asked for and complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


OpenPage = Callable[..., Watched]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium. Of a module, not of the session: its driver's event loop must not outlive these tests."""
    path = _system_chromium()
    with playwright_api.sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(f"no Chromium on this machine: {HOW}")
        sandbox = [] if os.getuid() else ["--no-sandbox"]  # Chromium's own sandbox refuses to run as root
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """``open_page(size=WIDE, dark=False, **context options)``: a page in a context of its own."""
    contexts = []

    def make(size: tuple[int, int] = WIDE, *, dark: bool = False, **options: Any) -> Watched:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", **options
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        watched = Watched(context.new_page())
        watched.page.on("request", lambda request: watched.requests.append(request.url))
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.page.on(
            "console",
            lambda message: watched.complaints.append(message.text) if message.type == "error" else None,
        )
        return watched

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: OpenPage) -> Watched:
    """A page at 1280 x 800, light."""
    return open_page()


def _system_chromium() -> str | None:
    named = os.environ.get("MISMARTERA_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)
