"""One decision: searched for, told in plain words, and verified by the reader's browser."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from tallystick.audit.api import decisions as api
from tallystick.audit.api.state import Audit, Served
from tallystick.audit.console.pages import PREFIX, PageRoute, page
from tallystick.audit.console.session import Auditor, Customer
from tallystick.audit.console.telling import tell
from tallystick.audit.entries import Place
from tallystick.audit.errors import EvidenceErasedError, EvidenceMissingError
from tallystick.audit.finding import Found
from tallystick.audit.owning import CUSTOMERS_GROUPS
from tallystick.audit.tokens import Caller, Scope
from tallystick.trust.bundle_format import Opening, encode_bundle
from tallystick.trust.decisions import GROUPS

router = APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)


@router.get("/search")
async def search(transaction: Annotated[str, Query(max_length=256)] = "") -> Response:
    """Go to the decision on a transaction."""
    wanted = transaction.strip()
    return RedirectResponse(f"{PREFIX}/decisions/{quote(wanted, safe='')}" if wanted else f"{PREFIX}/", 303)


# Before the decision itself: an id may hold a slash, so that route would take ".../bundle" for a part of the id.
@router.get("/decisions/{transaction_id:path}/bundle")
async def bundle(audit: Served, caller: Customer, transaction_id: api.TransactionId) -> Response:
    """Return the proof bundle, with all that the reader may see disclosed."""
    return await _bundle(audit, caller, await api.find(audit, transaction_id, caller))


@router.get("/decisions/{transaction_id:path}")
async def decision(audit: Served, caller: Customer, transaction_id: api.TransactionId) -> Response:
    """Return the page of the newest decision on a transaction."""
    found = await api.find(audit, transaction_id, caller)
    address = f"{PREFIX}/decisions/{quote(transaction_id, safe='')}/bundle"
    return await _page(audit, caller, found, transaction_id, address)


@router.get("/positions/{partition}/{sequence}/bundle")
async def bundle_at(audit: Served, caller: Auditor, partition: api.Partition, sequence: api.Sequence) -> Response:
    """Return the proof bundle of the decision at a place."""
    return await _bundle(audit, caller, await audit.finder.by_place(Place(partition, sequence)))


@router.get("/positions/{partition}/{sequence}")
async def decision_at(audit: Served, caller: Auditor, partition: api.Partition, sequence: api.Sequence) -> Response:
    """Return the page of the decision at a place, rejected ones included."""
    found = await audit.finder.by_place(Place(partition, sequence))
    name = f"Partition {partition}, number {sequence:,}"
    return await _page(audit, caller, found, name, f"{PREFIX}/positions/{partition}/{sequence}/bundle")


def _groups(caller: Caller) -> list[str]:
    """Return the groups that a reader may see."""
    return [group for group in GROUPS if caller.may(Scope.AUDITOR) or group in CUSTOMERS_GROUPS]


async def _bundle(audit: Audit, caller: Caller, found: Found) -> Response:
    openings, _ = await _opened(audit, caller, found)
    place = found.logged.place
    headers = {"Content-Disposition": f'inline; filename="decision-{place.partition}-{place.sequence}.json"'}
    bundle = await audit.prover.bundle(found, openings)
    return Response(encode_bundle(bundle), media_type="application/json", headers=headers)


async def _opened(audit: Audit, caller: Caller, found: Found) -> tuple[Sequence[Opening], str]:
    """Return what the reader may see of the evidence, that it was shown written down; else why there is nothing."""
    groups = _groups(caller)
    try:
        openings = await audit.opener.of(found.logged, groups)
    except EvidenceErasedError:
        return (), "The evidence was erased: its key is destroyed. The decision, and its proof, remain."
    except EvidenceMissingError as error:
        return (), str(error)
    await audit.accesses.record(caller, found.logged.place, 1, groups)
    return openings, ""


async def _page(audit: Audit, caller: Caller, found: Found, name: str, address: str) -> Response:
    openings, missing = await _opened(audit, caller, found)
    governance = (await audit.governing.now()).governance
    return page(
        "decision.html",
        reader=caller,
        name=name,
        told=tell(found.logged, governance, openings),
        log=found.log,
        size=found.head.size,
        others=found.others,
        missing=missing,
        bundle=address,
        whole=caller.may(Scope.AUDITOR),
    )
