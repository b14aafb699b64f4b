"""The start page, the state of the logs, and completeness by partition."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response
from markupsafe import Markup

from tallystick.audit.api.state import Audit, Served
from tallystick.audit.console.charts import Point, plot, strip
from tallystick.audit.console.history import Seen
from tallystick.audit.console.pages import PREFIX, PageRoute, page
from tallystick.audit.console.sealing import LOOKED_AT, Sealed, sealed_lately, to_cells
from tallystick.audit.console.session import Reader
from tallystick.audit.console.state import Console, Shown
from tallystick.audit.errors import AuditError
from tallystick.audit.logs import PublishedLog
from tallystick.trust.anchors.verifying import VerifiedAnchor, verify_receipt
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import log_name

ANCHORS_SHOWN = 24

router = APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A witness of the trust policy: its name in there and its key's, and the age in seconds of its last cosignature."""

    name: str
    key: str
    age_s: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a log stands; times in seconds since 1970, `rate` in entries a second while this process looked."""

    name: str
    origin: str
    size: int
    root: str
    note: str
    age_s: float | None
    rate: float
    witnesses: Sequence[Witnessed]
    anchors: Sequence[VerifiedAnchor]
    anchored: int
    timeline: Markup


@router.get("/")
async def home(audit: Served, console: Shown, caller: Reader) -> Response:
    """Return the start page: a search, and how the logs are."""
    standing = await _standings(audit, console)
    return page("home.html", reader=caller, here="home", logs=standing, quorum=console.policy.log_policy.quorum)


@router.get("/logs")
async def logs(audit: Served, console: Shown, caller: Reader) -> Response:
    """Return every log's size, growth, lag, checkpoint, witnesses and anchors."""
    standing = await _standings(audit, console)
    return page("logs.html", reader=caller, here="logs", logs=standing, quorum=console.policy.log_policy.quorum)


@router.get("/completeness")
async def completeness(audit: Served, console: Shown, caller: Reader) -> Response:
    """Return how far each partition is decided, logged and sealed."""
    partitions = console.policy.topics[console.source_topic].partitions
    standing = await console.database.standing(console.source_topic, partitions)
    origin = console.policy.seals_origin
    topic, sealed = console.source_topic, Sealed([], [], [])
    if origin is not None:
        sealed = await sealed_lately(audit.logs[log_name(origin)], console.policy, topic)
    cells = to_cells(standing, sealed.seals)
    return page(
        "completeness.html",
        reader=caller,
        here="completeness",
        cells=cells,
        strip=strip(cells),
        topic=topic,
        sealed=sealed,
        looked_at=LOOKED_AT,
    )


async def _standings(audit: Audit, console: Console) -> list[Standing]:
    found = await asyncio.gather(*(_standing(audit, console, log) for log in audit.logs.values()), return_exceptions=True)
    errors = [error for error in found if isinstance(error, BaseException) and not isinstance(error, AuditError)]
    if errors:
        raise errors[0]
    return [one for one in found if isinstance(one, Standing)]


async def _standing(audit: Audit, console: Console, log: PublishedLog) -> Standing:
    head = await log.head()
    verified, now_s = console.history.verified(log, head.note), console.clock()
    seen = [*console.history.of(log.name), Seen(now_s, head.size)]
    sizes = await audit.anchors.sizes(log, max(0, seen[0].size - 1), ANCHORS_SHOWN * 8) if head.size else []
    anchors = await _anchors(audit, console, log, sizes[-ANCHORS_SHOWN:])
    ages = {name: now_s - time_s for name, time_s in verified.cosigned.items()}
    return Standing(
        name=log.name,
        origin=log.origin,
        size=head.size,
        root=head.checkpoint.root.hex(),
        note=head.note.decode(),
        age_s=min(ages.values(), default=None),
        rate=_rate(seen),
        witnesses=[Witnessed(name, key.name, ages.get(name)) for name, key in console.policy.log_policy.witnesses.items()],
        anchors=anchors,
        anchored=len(sizes),
        timeline=_timeline(log, seen, anchors),
    )


async def _anchors(audit: Audit, console: Console, log: PublishedLog, sizes: Sequence[int]) -> list[VerifiedAnchor]:
    """Return those anchors that the trust policy pins and that hold, oldest first."""
    verified = []
    for size in sizes:
        for receipt in (await audit.anchors.of(log, size)).receipts:
            try:
                verified.append(verify_receipt(receipt, log.origin, size, console.policy.anchorers))
            except TrustError:
                continue  # of nobody who is pinned; `fsck` tells
    return sorted(verified, key=lambda anchor: anchor.time_s)


def _rate(seen: Sequence[Seen]) -> float:
    span_s = seen[-1].time_s - seen[0].time_s
    return max(0.0, (seen[-1].size - seen[0].size) / span_s) if span_s > 0 else 0.0


def _timeline(log: PublishedLog, seen: Sequence[Seen], anchors: Sequence[VerifiedAnchor]) -> Markup:
    points = [Point(one.time_s, one.size, "growth") for one in seen]
    marks = [Point(one.time_s, one.size, one.kind, f"{one.by}: {one.size:,} entries.") for one in anchors]
    return plot(points, f"Growth of {log.name}, and its anchors", "entries", marks)
