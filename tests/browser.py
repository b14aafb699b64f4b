"""Headless Chromium for tests, driven by Playwright: Debian's, or whichever is on PATH."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

SCREENSHOTS = Path(__file__).parents[1] / "build" / "screenshots"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium; without one the test is skipped, and says how to get one."""
    found = os.environ.get("CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no chromium on PATH; on Debian: apt install chromium (or name one in CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def keep(page: Page, name: str) -> None:
    """Keep a picture of the whole page under `build/screenshots`."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def serve_files(page: Page, folders: tuple[Path, ...]) -> None:
    """Answer every request of a page from folders, at http://127.0.0.1/, without a server; else with an empty page."""

    def answer(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        path = next((folder / name for folder in folders if name and (folder / name).is_file()), None)
        if path is None:
            route.fulfill(body="<!doctype html><title>empty</title>", content_type="text/html")
        else:
            route.fulfill(body=path.read_bytes(), content_type="text/javascript")

    page.route("**/*", answer)
    page.goto("http://127.0.0.1/")
