"""Rules for every test: pure layers open no sockets, and under REQUIRE_ALL=1 a skip is a failure."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pluggy
import pytest
from pytest_socket import disable_socket, enable_socket

# Taken before a test module is imported: py-evm raises it tenfold, and what is nested too deeply then ends the interpreter.
RECURSION_LIMIT = sys.getrecursionlimit()
PURE = {"unit", "property", "vectors", "fuzz"}
# What takes long begins first, so that no worker is left alone with it at the end.
LONG = ["chaos", "e2e", "integration"]


def _layer(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long layers first; inside a layer the order stays as random as it was made."""
    items.sort(key=lambda item: LONG.index(layer) if (layer := _layer(item)) in LONG else len(LONG))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case after its parameter if its bytes say nothing: they may differ from one worker's collection to another's."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Block sockets in the pure layers, so that nothing there leans on a server; keep the interpreter's own recursion limit."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    if _layer(item) in PURE:
        disable_socket(allow_unix_socket=True)
    else:
        enable_socket()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """Turn a skip into a failure where everything must run (CI)."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL=1 allows no skip: {report.longrepr}"
