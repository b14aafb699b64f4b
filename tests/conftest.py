"""Rules for every test: pure layers open no sockets, and under REQUIRE_ALL=1 a skip is a failure."""

import functools
import os
import random
import sys
from collections.abc import Generator, Iterator
from typing import Any

import httpx
import pluggy
import pytest
from pytest_socket import disable_socket, enable_socket
from xdist.scheduler import LoadScopeScheduling

from tallystick.cli.simulate import CardStream, generate

from .order import group_of, layer, rank

# Taken before a test module is imported: py-evm raises it tenfold, and what is nested too deeply then ends the interpreter.
RECURSION_LIMIT = sys.getrecursionlimit()
PURE = {"unit", "property", "vectors", "fuzz"}


def pytest_configure(config: pytest.Config) -> None:
    """Say what our marks mean."""
    config.addinivalue_line("markers", "browser: needs Chromium; `make e2e` runs these")
    config.addinivalue_line("markers", "sampled(count): so many of its cases, others each run; all of them under REQUIRE_ALL=1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Draw the samples, and put the long layers first; inside a layer the order stays as random as it was made."""
    if os.environ.get("REQUIRE_ALL") != "1":
        left_out = _left_out(items, config.getoption("randomly_seed", 0))
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: rank(item.nodeid))


def _left_out(items: list[pytest.Item], seed: object) -> list[pytest.Item]:
    """Return the cases that this run does without; every worker draws the same."""
    by_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            by_test.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = []
    for test, cases in by_test.items():
        count = cases[0].get_closest_marker("sampled").args[0]  # type: ignore[union-attr]  # it has one
        cases.sort(key=lambda case: case.nodeid)
        random.Random(f"{seed} {test}").shuffle(cases)
        left_out += cases[count:]
    return left_out


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Give out whole files, and those together that share what takes long to start."""
    return _ByFile(config, log)


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist's own types do not reach here
    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.fixture(scope="session", autouse=True)
def _authorities_are_read_once() -> Iterator[None]:
    """Spare each `httpx.get` the 30 ms of CPU time that reading the certificates of all authorities takes; tests poll a lot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session")
def card_stream() -> CardStream:
    """Generate the handbook's whole stream once."""
    return generate()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case after its parameter if its bytes say nothing: they may differ from one worker's collection to another's."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Block sockets in the pure layers, so that nothing there leans on a server; keep the interpreter's own recursion limit."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    if layer(item.nodeid) in PURE:
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
