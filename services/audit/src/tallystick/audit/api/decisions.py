"""Decisions and their proof bundles, by transaction and by place."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response

from tallystick.audit.api import examples, problems
from tallystick.audit.api.schemas import DecisionAnswer
from tallystick.audit.api.state import Audit, Served
from tallystick.audit.entries import Place, describe
from tallystick.audit.finding import Found
from tallystick.merkle.encoding import encode_base64
from tallystick.trust.decisions import GROUPS

_GROUP = f"({'|'.join(GROUPS)})"
TransactionId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=64,
        pattern="^[!-~]+$",
        description="As the bank gave it: visible ASCII, percent-encoded",
        examples=["tx-000001234"],
    ),
]
Partition = Annotated[int, Path(ge=0, le=2**31 - 1, description="The input partition", examples=[3])]
Sequence = Annotated[int, Path(ge=0, le=2**63 - 1, description="The decision's sequence there", examples=[311])]
Disclose = Annotated[
    str | None,
    Query(
        max_length=64,
        pattern=f"^{_GROUP}(,{_GROUP})*$",
        description="Groups of the evidence to disclose, separated by commas; needs the token",
        examples=["features,transaction"],
    ),
]
Authorization = Annotated[str | None, Header(max_length=4096, include_in_schema=False)]

router = APIRouter(prefix="/v1", tags=["decisions"])
_FAILURES = problems.declared(problems.UNKNOWN, problems.NOT_YET_LOGGED, problems.INCONSISTENT, problems.UNAVAILABLE)
_DECISION = {200: {"description": "The decision", "content": {"application/json": {"example": examples.DECISION}}}, **_FAILURES}
_BUNDLE = {
    200: {
        "description": "A proof bundle, tallystick/proof-bundle/v1; verify it with a trust policy of your own",
        "content": {"application/json": {"schema": {"type": "object"}, "example": examples.BUNDLE}},
    },
    **problems.declared(
        problems.UNKNOWN,
        problems.NOT_YET_LOGGED,
        problems.NO_EVIDENCE,
        problems.TOKEN_MISSING,
        problems.EVIDENCE_CLOSED,
        problems.ERASED,
        problems.INCONSISTENT,
        problems.UNAVAILABLE,
    ),
}
_SECURITY: dict[str, Any] = {"security": [{}, {"evidenceToken": []}]}


# Before the decision itself: an id may hold a slash, so that route would take ".../bundle" for a part of the id.
@router.get("/decisions/{transaction_id:path}/bundle", responses=_BUNDLE, response_class=Response, openapi_extra=_SECURITY)
async def get_transaction_bundle(
    audit: Served, transaction_id: TransactionId, disclose: Disclose = None, authorization: Authorization = None
) -> Response:
    """Return the proof bundle of the newest decision on a transaction, against the newest checkpoint."""
    groups = _admitted(audit, disclose, authorization)
    return await _bundle(audit, await audit.finder.by_transaction(transaction_id), groups)


@router.get("/decisions/{transaction_id:path}", responses=_DECISION)
async def get_decision(audit: Served, transaction_id: TransactionId) -> DecisionAnswer:
    """Return the newest decision on a transaction, and where older ones on the same id are.

    Rejected records cannot be found this way: they have no evidence to find them by. Ask for them by place.
    """
    return _answer(await audit.finder.by_transaction(transaction_id))


@router.get("/positions/{partition}/{sequence}", responses=_DECISION)
async def get_decision_at(audit: Served, partition: Partition, sequence: Sequence) -> DecisionAnswer:
    """Return the decision with this sequence in an input partition, rejected ones included."""
    return _answer(await audit.finder.by_place(Place(partition, sequence)))


@router.get("/positions/{partition}/{sequence}/bundle", responses=_BUNDLE, response_class=Response, openapi_extra=_SECURITY)
async def get_bundle_at(
    audit: Served, partition: Partition, sequence: Sequence, disclose: Disclose = None, authorization: Authorization = None
) -> Response:
    """Return the proof bundle of the decision with this sequence in an input partition."""
    groups = _admitted(audit, disclose, authorization)
    return await _bundle(audit, await audit.finder.by_place(Place(partition, sequence)), groups)


def _admitted(audit: Audit, disclose: str | None, authorization: str | None) -> list[str]:
    """Return the groups to disclose, each once, to somebody who may see them."""
    if disclose is None:
        return []
    audit.gate.admit(authorization)
    return list(dict.fromkeys(disclose.split(",")))


async def _bundle(audit: Audit, found: Found, groups: list[str]) -> Response:
    place = found.logged.place
    name = f"decision-{place.partition}-{place.sequence}.json"
    return Response(
        await audit.prover.bundle(found, groups),
        media_type="application/json",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


def _answer(found: Found) -> DecisionAnswer:
    place, checkpoint = found.logged.place, found.head.checkpoint
    return DecisionAnswer.model_validate(
        {
            "decision": describe(found.logged),
            "log": {"origin": checkpoint.origin, "size": checkpoint.size, "root": encode_base64(checkpoint.root)},
            "other_decisions": [
                {
                    "partition": other.place.partition,
                    "sequence": other.place.sequence,
                    "log_index": other.index,
                    "decided_at_ms": other.decision.decided_at_ms,
                }
                for other in found.others
            ],
            "bundle": f"/v1/positions/{place.partition}/{place.sequence}/bundle",
        }
    )
