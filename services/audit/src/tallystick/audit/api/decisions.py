"""Decisions and their proof bundles: by transaction, for whoever knows its id, and by place, for authorised readers.

A transaction id is for the parties to the transaction: whoever knows one holds the receipt, and is given it, without evidence.
Places can be counted up, which would give every decision to anybody; they need the token.
"""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from tallystick.audit.api import examples, problems
from tallystick.audit.api.access import TOKEN_FOR_SOME, TOKEN_NEEDED
from tallystick.audit.api.schemas import DecisionAnswer
from tallystick.audit.api.state import TOKEN, Audit, Authorization, Served
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

Groups = Annotated[
    str,
    Query(
        max_length=64,
        pattern=f"^{_GROUP}(,{_GROUP})*$",
        description="Groups of the evidence to disclose, separated by commas",
        examples=["features,transaction"],
    ),
]

router = APIRouter(prefix="/v1", tags=["decisions"])
FAILURES = (problems.UNKNOWN, problems.NOT_YET_LOGGED, problems.INCONSISTENT, problems.UNAVAILABLE)
_DECISION: dict[int | str, dict[str, Any]] = {
    200: {"description": "The decision", "content": {"application/json": {"example": examples.DECISION}}}
}
_BUNDLE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A proof bundle, tallystick/proof-bundle/v1; verify it with a trust policy of your own",
        "content": {"application/json": {"schema": {"type": "object"}, "example": examples.BUNDLE}},
    },
    **problems.declared(*FAILURES, problems.NO_EVIDENCE, problems.TOKEN_MISSING, problems.CLOSED, problems.ERASED),
}


# Before the decision itself: an id may hold a slash, so that route would take ".../bundle" for a part of the id.
@router.get("/decisions/{transaction_id:path}/bundle", responses=_BUNDLE, response_class=Response, openapi_extra=TOKEN_FOR_SOME)
async def get_transaction_bundle(
    audit: Served, transaction_id: TransactionId, disclose: Disclose = None, authorization: Authorization = None
) -> Response:
    """Return the proof bundle of the newest decision on a transaction, against the newest checkpoint.

    Whoever knows the transaction id is given it; disclosing evidence needs the token.
    """
    if disclose is not None:
        audit.gate.admit(authorization)
    return await _bundle(audit, await audit.finder.by_transaction(transaction_id), disclose)


@router.get("/decisions/{transaction_id:path}", responses={**_DECISION, **problems.declared(*FAILURES)})
async def get_decision(audit: Served, transaction_id: TransactionId) -> DecisionAnswer:
    """Return the newest decision on a transaction, and where older ones on the same id are.

    Whoever knows the transaction id is given it. Rejected records cannot be found this way: they have no evidence to find them
    by. Ask for them, and for older decisions, by place.
    """
    found = await audit.finder.by_transaction(transaction_id)
    return _answer(found, f"/v1/decisions/{quote(transaction_id, safe='')}/bundle")


@router.get(
    "/positions/{partition}/{sequence}",
    responses={**_DECISION, **problems.declared(*FAILURES, problems.TOKEN_MISSING, problems.CLOSED)},
    dependencies=[TOKEN],
    openapi_extra=TOKEN_NEEDED,
)
async def get_decision_at(audit: Served, partition: Partition, sequence: Sequence) -> DecisionAnswer:
    """Return the decision with this sequence in an input partition, rejected ones included. Needs the token."""
    found = await audit.finder.by_place(Place(partition, sequence))
    return _answer(found, f"/v1/positions/{partition}/{sequence}/bundle")


@router.get(
    "/positions/{partition}/{sequence}/bundle",
    responses=_BUNDLE,
    response_class=Response,
    dependencies=[TOKEN],
    openapi_extra=TOKEN_NEEDED,
)
async def get_bundle_at(audit: Served, partition: Partition, sequence: Sequence, disclose: Disclose = None) -> Response:
    """Return the proof bundle of the decision with this sequence in an input partition. Needs the token."""
    return await _bundle(audit, await audit.finder.by_place(Place(partition, sequence)), disclose)


async def _bundle(audit: Audit, found: Found, disclose: str | None) -> Response:
    """Return a bundle with the groups to disclose, each once; whoever asks may see them."""
    place = found.logged.place
    name = f"decision-{place.partition}-{place.sequence}.json"
    return Response(
        await audit.prover.bundle(found, list(dict.fromkeys(disclose.split(","))) if disclose else []),
        media_type="application/json",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


def _answer(found: Found, bundle: str) -> DecisionAnswer:
    checkpoint = found.head.checkpoint
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
            "bundle": bundle,
        }
    )
