"""What `tallystick fsck` makes of anchors that are served: as of those in files, and no answer leads it astray."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallystick.cli.fsck import anchored
from tallystick.cli.fsck.anchor_source import (
    MAX_LIST_BYTES,
    MAX_RECEIPTS,
    MAX_RECEIPTS_BYTES,
    AnchorsUnlistedError,
    ServedAnchors,
)
from tallystick.cli.fsck.anchored import AnchorsFound, check_anchors
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.main import main
from tallystick.runtime.log_reader import LogReader, LogUnavailableError
from tallystick.trust.policy import TrustPolicy

from .logs import publish
from .test_fsck_anchors import OTHER, folder, head, log, posted

__all__ = ["folder"]  # a fixture
URL = "http://audit/v1/logs/decisions/anchors"
Handler = Callable[[httpx.Request], httpx.Response]
INCONSISTENT = {"type": "urn:tallystick:problem:inconsistent", "detail": "A stored anchor is not readable."}


def service(receipts: dict[int, Any], **replaced: httpx.Response) -> Handler:
    """Return how a service answers that has the receipts of these sizes; `s300` replaces what is given for 300 entries."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/anchors"):
            first, limit = int(request.url.params["first"]), int(request.url.params["limit"])
            return httpx.Response(200, json={"sizes": sorted(size for size in receipts if size >= first)[:limit]})
        size = int(request.url.path.rpartition("/")[2])
        if f"s{size}" in replaced:
            return replaced[f"s{size}"]
        body = {"origin": "", "size": size, "checkpoint": note(size), "receipts": receipts[size], "more": "later"}
        return httpx.Response(200, json=body)

    return answer


@cache
def note(size: int) -> str:
    """Return the signed checkpoint of the log of this size."""
    return log(size).checkpoint().decode()


def streamed(answer: Handler) -> httpx.MockTransport:
    """Give the answers piece by piece, as a connection does."""

    class Body(httpx.AsyncByteStream):
        def __init__(self, data: bytes) -> None:
            self._data = data

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield self._data

    def give(request: httpx.Request) -> httpx.Response:
        made = answer(request)
        return httpx.Response(made.status_code, headers=made.headers, stream=Body(made.content))

    return httpx.MockTransport(give)


def serve(monkeypatch: pytest.MonkeyPatch, answer: Handler) -> None:
    """Have whatever is asked over HTTP answered so."""
    client = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **_: client(transport=streamed(answer)))


def check(folder: Path, answer: Handler, entries: int = 8) -> AnchorsFound:
    """Check the anchors that a service gives of the log in `folder`, as if so many of its entries were checked."""

    async def run() -> AnchorsFound:
        async with (
            httpx.AsyncClient(transport=streamed(answer)) as http,
            LogReader((folder / "logs/decisions").as_uri()) as reader,
        ):
            return await check_anchors(
                ServedAnchors(http, URL),
                reader,
                replace(head(log(8)), size=entries),
                TrustPolicy.load(folder / "policy"),
                seen.append,
            )

    seen: list[int] = []
    found = asyncio.run(run())
    assert seen == sorted(set(seen))
    return found


def receipt(count: int, by: str = "chain1", **more: Any) -> dict[str, Any]:
    """Return the receipt of `chain1` for the first `count` decisions; `more` is put into it."""
    given: dict[str, Any] = json.loads(posted(head(log(count)), by=by))
    return given | more


def test_served_anchors_are_verified(folder: Path) -> None:
    """As in a directory: sound ones count, a stranger's and another contract's are told, and more pages than one are read."""
    strange = json.loads(posted(head(log(6)), by="stranger"))
    other = json.loads(posted(head(log(7)), address=OTHER))
    assert check(folder, service({})) == AnchorsFound({}, 0, 0)
    found = check(folder, service({5: [receipt(5), strange], 6: [strange], 7: [other], 8: [receipt(8)]}))
    assert found == AnchorsFound({"chain1": 2}, 2, 1)


def test_page_by_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of any length is read in pages, each anchor once."""
    monkeypatch.setattr(anchored, "PAGE", 2)
    assert check(folder, service({size: [receipt(size)] for size in range(1, 9)})).by == {"chain1": 8}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({5: [receipt(4)]}, "the anchor of 5 entries by chain1 is refused"),
        ({5: [receipt(5, header="AAAA")]}, "the anchor of 5 entries by chain1 is refused"),
        ({5: [receipt(5, kind="other")]}, "the anchor of 5 entries by chain1 is refused"),
        ({5: [receipt(5, more=1)]}, "the anchor of 5 entries by chain1 is refused"),
        ({5: [receipt(5), receipt(5)]}, "the anchors of 5 entries are refused: .*another says the same"),
        ({5: [{}]}, "does not say by whom"),
        ({5: [["by", "chain1"]]}, "does not say by whom"),
        ({5: "receipts"}, "'receipts' must be an array"),
        ({5: [receipt(5, f"s{number}") for number in range(MAX_RECEIPTS + 1)]}, "there are 17 receipts, and may be 16"),
        ({9: [receipt(9)]}, "chain1 anchored 9 entries, and the log has 8: it was rolled back"),
    ],
)
def test_a_broken_anchor_is_named(folder: Path, given: dict[int, Any], reason: str) -> None:
    """The first that is not sound is named; those before it were."""
    with pytest.raises(BrokenError, match=reason):
        check(folder, service({3: [receipt(3)], **given}))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(404), "the anchors of 5 entries are listed, and they or their signed checkpoint are missing"),
        (httpx.Response(500, json=INCONSISTENT), "the anchors of 5 entries are refused: .*A stored anchor is not readable"),
        (httpx.Response(200, json={"size": 4, "checkpoint": "", "receipts": []}), "it is not of 5 entries"),
        (httpx.Response(200, json={"size": True, "checkpoint": "", "receipts": []}), "'size' must be an integer"),
        (httpx.Response(200, json={"size": 5, "checkpoint": ""}), "lacks 'receipts'"),
        (httpx.Response(200, content=b"<html>"), "it is not JSON"),
        (httpx.Response(200, content=b"[" * 100_000), "nesting too deep"),
        (httpx.Response(200, content=b'{"size": 5, "size": 5}'), "the name 'size' is repeated"),
        (httpx.Response(200, content=b" " * (MAX_RECEIPTS_BYTES + 1)), f"more than {MAX_RECEIPTS_BYTES} bytes"),
    ],
)
def test_an_answer_that_is_none_is_named(folder: Path, answer: httpx.Response, reason: str) -> None:
    """What is served in the place of a listed head's receipts."""
    with pytest.raises(BrokenError, match=reason):
        check(folder, service({3: [receipt(3)], 5: [], 7: [receipt(7)]}, s5=answer))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"sizes": [3, 3]}', "not sizes in their order, from 4 on"),
        (b'{"sizes": [5, 4]}', "not sizes in their order"),
        (b'{"sizes": [0]}', "not sizes in their order, from 1 on"),
        (b'{"sizes": [9223372036854775808]}', "not sizes in their order"),
        (b'{"sizes": ["5"]}', "not sizes in their order"),
        (b'{"sizes": [true]}', "not sizes in their order"),
        (b'{"sizes": [1e400]}', "not sizes in their order"),
        (json.dumps({"sizes": [*range(1, anchored.PAGE + 2)]}).encode(), "it lists 257 sizes, and was asked for 256"),
        (b'{"sizes": null}', "'sizes' must be an array"),
        (b"{}", "lacks 'sizes'"),
        (b"\xff", "not UTF-8"),
        (b" " * (MAX_LIST_BYTES + 1), "more than 65536 bytes"),
    ],
)
def test_a_list_that_is_none_is_named(folder: Path, body: bytes, reason: str) -> None:
    """What is served in the place of the list."""
    with pytest.raises(BrokenError, match=f"the list of its anchors is refused: .*{reason}"):
        check(folder, lambda _: httpx.Response(200, content=body))


def test_a_list_without_end_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that lists ever larger heads, by nobody who is pinned, is not followed for ever."""
    monkeypatch.setattr(anchored, "MAX_BEYOND", 40)

    def endless(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/anchors"):
            first = int(request.url.params["first"])
            return httpx.Response(200, json={"sizes": [*range(first + 1, first + 200)]})
        size = int(request.url.path.rpartition("/")[2])
        return httpx.Response(200, json={"size": size, "checkpoint": note(8), "receipts": [{"by": "stranger"}]})

    with pytest.raises(BrokenError, match="more than 40 heads are anchored beyond its 8 entries"):
        check(folder, endless)


@pytest.mark.parametrize(
    ("entries", "most", "gone", "reason"),
    [
        (8, "MAX_BEYOND", httpx.Response(404), "more than 40 heads are anchored beyond its 8 entries"),
        (8, "MAX_BEYOND", None, "more than 40 heads are anchored beyond its 8 entries"),
        (2**40, "MAX_DROPPED", httpx.Response(404), "more than 40 of its anchored heads were listed and are not there"),
        (2**40, "MAX_DROPPED", None, "more than 40 of its anchored heads were listed and are not there"),
    ],
)
def test_a_list_of_what_is_not_there_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, entries: int, most: str, gone: httpx.Response | None, reason: str
) -> None:
    """Heads that are listed, and taken back when they are asked for, are not looked for for ever, below its size or beyond."""
    monkeypatch.setattr(anchored, most, 40)
    asked = 0

    def endless(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        assert asked < 1_000
        if request.url.path.endswith("/anchors"):
            first, limit = int(request.url.params["first"]), int(request.url.params["limit"])
            return httpx.Response(200, json={"sizes": [first + 1] if limit > 1 else []})
        return gone or httpx.Response(
            200, json={"size": int(request.url.path.rpartition("/")[2]), "checkpoint": "", "receipts": []}
        )

    with pytest.raises(BrokenError, match=reason):
        check(folder, endless, entries)


def test_what_is_dropped_meanwhile_is_no_fault(folder: Path) -> None:
    """A chain may lose the block in which a head was posted: its receipt is dropped, and the list no longer has it."""
    receipts: dict[int, Any] = {3: [receipt(3)], 5: [receipt(5)]}
    asked = service(receipts)

    def dropping(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/5"):
            receipts.pop(5, None)
            return httpx.Response(404)
        return asked(request)

    assert check(folder, dropping).by == {"chain1": 1}


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_service_that_does_not_answer_is_no_verdict(folder: Path, status: int) -> None:
    """Nobody is called unsound because a server is away, nor for a problem that is another."""
    for answer in (lambda _: httpx.Response(status, text="away"), service({5: []}, s5=httpx.Response(status, json={}))):
        with pytest.raises(LogUnavailableError, match=f"HTTP status {status}"):
            check(folder, answer)


def test_it_waits_when_it_asks_too_often(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 says when to ask again."""
    waited: list[float] = []

    async def sleep(delay_s: float) -> None:
        waited.append(delay_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    sound, refused = service({5: [receipt(5)]}), set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url not in refused:
            refused.add(request.url)
            return httpx.Response(429, headers={"retry-after": "2"})
        return sound(request)

    assert check(folder, answer).by == {"chain1": 1}
    assert waited == [2, 2, 2]


def test_a_list_that_ends_in_the_middle_is_no_verdict(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a service that lists nothing at all leaves the anchors unchecked."""
    monkeypatch.setattr(anchored, "PAGE", 1)
    with pytest.raises(AnchorsUnlistedError):
        check(folder, lambda _: httpx.Response(404))
    sound = service({5: [receipt(5)]})

    def forgets(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.params.get("first") == "6" else sound(request)

    with pytest.raises(LogUnavailableError) as raised:
        check(folder, forgets)
    assert not isinstance(raised.value, AnchorsUnlistedError)


@pytest.mark.parametrize("lists", [True, False])
def test_the_command_looks_at_served_anchors(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lists: bool
) -> None:
    """Over HTTP, too, they are counted; where nobody lists them it is said whose were not checked."""
    publish(log(8), folder / "logs/decisions")
    anchors = service({5: [receipt(5)]}) if lists else lambda _: httpx.Response(404)

    def answer(request: httpx.Request) -> httpx.Response:
        file = folder / "logs" / request.url.path.lstrip("/")
        if request.url.path.startswith("/v1/logs/decisions"):
            return anchors(request)
        if request.url.path.startswith("/v1/"):
            return httpx.Response(200, json={"sizes": []})
        return httpx.Response(200, content=file.read_bytes()) if file.is_file() else httpx.Response(404)

    serve(monkeypatch, answer)
    assert main(["fsck", "http://audit", "--policy", str(folder / "policy"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [found["anchors"] for found in document["logs"]] == [{}, {"chain1": 1} if lists else None]
    said = [left for left in document["unchecked"] if left.startswith(("the chain", "anchors"))]
    origin = document["logs"][1]["origin"]
    assert said[0].startswith("the chain: that the blocks in which chain1" if lists else f"anchors of {origin}: nobody lists")
    assert len(said) == 1


STEERING = "\x1b[2J\x1b[HSOUND\nbank.example/decisions: 8 entries\n\x1b[8m"


@pytest.mark.parametrize("command", ["fsck", "monitor-log"])
@pytest.mark.parametrize(
    ("detail", "told"),
    [
        (STEERING, "\\x1b[2J\\x1b[HSOUND\\nbank.example"),
        (STEERING * 20, "what is stored there contradicts itself"),
        ([STEERING], "what is stored there contradicts itself"),
        ("", "what is stored there contradicts itself"),
        (None, "what is stored there contradicts itself"),
    ],
)
def test_a_server_s_words_do_not_steer_the_terminal(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    detail: object,
    told: str,
) -> None:
    """A problem's detail stays in its line, with what does not print escaped; no verdict can be drawn by it."""
    serve(monkeypatch, lambda _: httpx.Response(500, json=INCONSISTENT | {"detail": detail}))
    more = ["--state", str(folder / "state"), "--once"] if command == "monitor-log" else []
    assert main([command, "http://audit", "--policy", str(folder / "policy"), *more]) == 2
    (line,) = "".join(capsys.readouterr()).splitlines()
    assert told in line
    assert line.isprintable()
    assert len(line) < 1_000
