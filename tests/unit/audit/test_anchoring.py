"""What the audit service gives of kept anchors: fsck comes to one verdict over it and over the directory."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import httpx
import pytest

from tallystick.audit.anchoring import Anchors
from tallystick.audit.api.schemas import AnchorsAnswer
from tallystick.audit.errors import InconsistentError, UnknownError
from tallystick.audit.logs import PublishedLog, TileCache
from tallystick.cli.fsck.anchor_source import AnchorSource, DirectoryAnchors, ServedAnchors
from tallystick.cli.fsck.anchored import PAGE, AnchorsFound, check_anchors
from tallystick.cli.fsck.walk import BrokenError
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.anchors.receipts import receipt_to_json
from tallystick.trust.policy import TrustPolicy

from ..cli.test_fsck_anchors import folder, head, keep, log, posted
from ..cli.test_fsck_served_anchors import INCONSISTENT, streamed
from ..trust.helpers import DECISIONS, World

__all__ = ["folder"]  # a fixture
URL = "http://audit/v1/logs/decisions/anchors"
ANCHORS = "logs/decisions/anchors/0000000000"


def verdicts(folder: Path) -> list[AnchorsFound | str]:
    """Return what fsck makes of the anchors in the directory, and of what the service gives of the same."""
    policy, url = TrustPolicy.load(folder / "policy"), (folder / "logs/decisions").as_uri()
    files = AnchorFiles(url)

    async def check(reader: LogReader, source: AnchorSource) -> AnchorsFound | str:
        try:
            return await check_anchors(source, reader, head(log(8)), policy)
        except BrokenError as error:
            return str(error)

    async def run() -> list[AnchorsFound | str]:
        async with LogReader(url) as reader:
            published = PublishedLog("decisions", DECISIONS, reader, policy.log_policy, TileCache(2**20))
            answers = {}
            for size in range(10):
                answers[f"/{size}"] = await answer(Anchors({"decisions": files}), published, size)
            for first, limit in product(range(10), (1, PAGE)):
                sizes = await Anchors({"decisions": files}).sizes(published, first, limit)
                answers[f"?first={first}&limit={limit}"] = httpx.Response(200, json={"sizes": list(sizes)})
            async with httpx.AsyncClient(
                transport=streamed(lambda request: answers[str(request.url).removeprefix(URL)])
            ) as http:
                return [await check(reader, source) for source in (DirectoryAnchors(files), ServedAnchors(http, URL))]

    return asyncio.run(run())


async def answer(anchors: Anchors, published: PublishedLog, size: int) -> httpx.Response:
    """Return what the service answers that is asked for one head."""
    try:
        kept = await anchors.of(published, size)
    except UnknownError:
        return httpx.Response(404)
    except InconsistentError as error:
        return httpx.Response(500, json=INCONSISTENT | {"detail": str(error)})
    receipts = [receipt_to_json(receipt) for receipt in kept.receipts]
    made = AnchorsAnswer(
        origin=DECISIONS, size=size, checkpoint=kept.checkpoint, receipts=receipts, unreadable=list(kept.unreadable)
    )
    return httpx.Response(200, json=made.model_dump())


def _put(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / ANCHORS / name).write_bytes(data)


def _seventeen(folder: Path) -> None:
    for number in range(16):
        _put(f"000000005.s{number}.json", posted(head(log(5)), by=f"s{number}"))(folder)


CASES: Mapping[str, tuple[Callable[[Path], object], AnchorsFound | str]] = {
    "sound": (lambda _: None, AnchorsFound({"chain1": 1}, 0, 0)),
    "nobody's garbage": (_put("000000005.stranger.json", b"garbage"), AnchorsFound({"chain1": 1}, 1, 0)),
    "nobody's, and nothing else": (
        lambda folder: (folder / ANCHORS / "000000005.chain1.json").rename(folder / ANCHORS / "000000005.stranger.json"),
        AnchorsFound({}, 1, 0),
    ),
    "garbage": (_put("000000005.chain1.json", b"garbage"), "the anchor of 5 entries by chain1 is refused"),
    "another's": (
        _put("000000005.chain1.json", posted(head(log(5)), by="chain2")),
        "the anchor of 5 entries by chain1 is refused",
    ),
    "too large": (_put("000000005.stranger.json", b"x" * (2**19 + 1)), "the anchors of 5 entries are refused"),
    "a checkpoint that is no text": (_put("000000005.checkpoint", b"\xff\xfe"), "the anchors of 5 entries are refused"),
    "another tree's checkpoint": (
        _put("000000005.checkpoint", log(5, bytes(32)).checkpoint()),
        "the signed checkpoint of 5 entries beside the anchor by chain1 has another root",
    ),
    "another log's checkpoint": (
        _put("000000005.checkpoint", World().governance_log().checkpoint()),
        "the signed checkpoint beside the anchors of 5 entries is refused",
    ),
    "no checkpoint": (
        lambda folder: (folder / ANCHORS / "000000005.checkpoint").unlink(),
        "the anchors of 5 entries are listed",
    ),
    "nobody's of the empty tree": (_put("000000000.stranger.json", b"x"), "the list of its anchors is refused"),
    "too many": (_seventeen, "the anchors of 5 entries are refused"),
    "another folder": (lambda folder: (folder / ANCHORS).with_name("²").mkdir(), AnchorsFound({"chain1": 1}, 0, 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_directory_and_service_give_one_verdict(folder: Path, case: str) -> None:
    """Whatever lies beside the log, it is sound or broken over both, and for the same head."""
    change, verdict = CASES[case]
    keep(folder, 5, posted(head(log(5))))
    change(folder)
    found = verdicts(folder)
    begun = [one[: len(verdict)] if isinstance(one, str) and isinstance(verdict, str) else one for one in found]
    assert begun == [verdict] * 2, found
