"""One Chromium, and a page in it that has the console's verifier loaded."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ...browser import chromium, serve_files

STATIC = Path(str(files("tallystick.audit.console"))) / "static"
_LOAD = """async () => {
  globalThis.verifier = await import("/verify.mjs");
  globalThis.records = await import("/records.mjs");
  globalThis.trials = await import("/trials.mjs");
  globalThis.attempt = async (work) => {
    try { return {found: await work()}; } catch (error) { return {refused: error.message}; }
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield Chromium; for no longer than a file, for while it is driven no other event loop runs in this thread."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Yield a page with `verifier`, `records` and `trials`; `attempt` turns a refusal into a value."""
    page = browser.new_page()
    serve_files(page, (STATIC, Path(__file__).parent))
    page.evaluate(_LOAD)
    yield page
    page.close()
