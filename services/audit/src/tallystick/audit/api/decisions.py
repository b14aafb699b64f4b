"""Decisions and their proof bundles: by transaction, for its customer, and also by place, for auditors.

Places can be counted up, which would give every decision to anybody: they are for auditors. A transaction id may be guessed: a
customer is given what is theirs, and told of anything else that there is no such decision.
"""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from tallystick.audit.api import examples, patterns, problems
from tallystick.audit.api.access import AUDITOR, CUSTOMER
from tallystick.audit.api.schemas import DecisionAnswer, OwnDecisionAnswer
from tallystick.audit.api.state import Audit, Served
from tallystick.audit.entries import Place, describe, describe_plainly
from tallystick.audit.errors import ScopeMissingError
from tallystick.audit.finding import Found
from tallystick.audit.owning import CUSTOMERS_GROUPS
from tallystick.audit.tokens import Caller, Scope
from tallystick.merkle.encoding import encode_base64
from tallystick.trust.bundle_format import encode_bundle

TransactionId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=64,
        pattern=patterns.ID,
        description="As the bank gave it: visible ASCII, percent-encoded",
        examples=["tx-000001234"],
    ),
]
Partition = Annotated[int, Path(ge=0, le=2**31 - 1, description="The input partition", examples=[3])]
Sequence = Annotated[int, Path(ge=0, le=2**53 - 1, description="The decision's sequence there", examples=[311])]
Disclose = Annotated[
    str | None,
    Query(
        max_length=64,
        pattern=patterns.SOME_GROUPS,
        description="Groups of the evidence to disclose, separated by commas: customers may have identity and transaction",
        examples=["features,transaction"],
    ),
]

Groups = Annotated[
    str,
    Query(
        max_length=64,
        pattern=patterns.SOME_GROUPS,
        description="Groups of the evidence to disclose, separated by commas",
        examples=["features,transaction"],
    ),
]

Reader = Annotated[Caller, CUSTOMER]
Auditor = Annotated[Caller, AUDITOR]

router = APIRouter(prefix="/v1", tags=["decisions"])
FAILURES = (problems.UNKNOWN, problems.NOT_YET_LOGGED, problems.INCONSISTENT, problems.UNAVAILABLE)
_DECISION: dict[int | str, dict[str, Any]] = {
    200: {"description": "The decision", "content": {"application/json": {"example": examples.DECISION}}}
}
_EITHER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The decision: to customers in plain words, to auditors as the log has it",
        "content": {
            "application/json": {
                "examples": {"auditor": {"value": examples.DECISION}, "customer": {"value": examples.OWN_DECISION}}
            }
        },
    }
}
_BUNDLE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A proof bundle, tallystick/proof-bundle/v1; verify it with a trust policy of your own",
        "content": {"application/json": {"schema": {"type": "object"}, "example": examples.BUNDLE}},
    },
    **problems.declared(*FAILURES, problems.NO_EVIDENCE, problems.ERASED),
}


# Before the decision itself: an id may hold a slash, so that route would take ".../bundle" for a part of the id.
@router.get("/decisions/{transaction_id:path}/bundle", responses=_BUNDLE, response_class=Response)
async def get_transaction_bundle(
    audit: Served, caller: Reader, transaction_id: TransactionId, disclose: Disclose = None
) -> Response:
    """Return the proof bundle of the newest decision on a transaction, against the newest checkpoint."""
    groups = _groups(disclose)
    if not caller.may(Scope.AUDITOR) and not CUSTOMERS_GROUPS.issuperset(groups):
        raise ScopeMissingError(f"Of these groups an auditor alone is shown any but {' and '.join(sorted(CUSTOMERS_GROUPS))}.")
    return await _bundle(audit, caller, await find(audit, transaction_id, caller), groups)


@router.get("/decisions/{transaction_id:path}", responses={**_EITHER, **problems.declared(*FAILURES)})
async def get_decision(audit: Served, caller: Reader, transaction_id: TransactionId) -> DecisionAnswer | OwnDecisionAnswer:
    """Return the newest decision on a transaction, and where older ones on the same id are.

    Rejected records cannot be found this way: they have no evidence to find them by. Auditors ask for them, and for older
    decisions, by place.
    """
    found = await find(audit, transaction_id, caller)
    bundle = f"/v1/decisions/{quote(transaction_id, safe='')}/bundle"
    return _answer(found, bundle) if caller.may(Scope.AUDITOR) else _own_answer(found, bundle)


@router.get(
    "/positions/{partition}/{sequence}", responses={**_DECISION, **problems.declared(*FAILURES)}, dependencies=[AUDITOR]
)
async def get_decision_at(audit: Served, partition: Partition, sequence: Sequence) -> DecisionAnswer:
    """Return the decision with this sequence in an input partition, rejected ones included. For auditors."""
    found = await audit.finder.by_place(Place(partition, sequence))
    return _answer(found, f"/v1/positions/{partition}/{sequence}/bundle")


@router.get("/positions/{partition}/{sequence}/bundle", responses=_BUNDLE, response_class=Response)
async def get_bundle_at(
    audit: Served, caller: Auditor, partition: Partition, sequence: Sequence, disclose: Disclose = None
) -> Response:
    """Return the proof bundle of the decision with this sequence in an input partition. For auditors."""
    return await _bundle(audit, caller, await audit.finder.by_place(Place(partition, sequence)), _groups(disclose))


async def find(audit: Audit, transaction_id: str, caller: Caller) -> Found:
    """Return the newest decision on a transaction that the caller may see. Raises as `Finder` and `Owners`."""
    known = await audit.owners.known_to(caller, await audit.finder.candidates(transaction_id))
    return await audit.owners.shown(await audit.finder.newest(known), caller)


def _groups(disclose: str | None) -> list[str]:
    """Return the groups to disclose, each once."""
    return list(dict.fromkeys(disclose.split(","))) if disclose else []


async def _bundle(audit: Audit, caller: Caller, found: Found, groups: list[str]) -> Response:
    """Return a bundle with the groups disclosed; whoever asks may see them."""
    place = found.logged.place
    name = f"decision-{place.partition}-{place.sequence}.json"
    bundle = await audit.prover.bundle(found, await audit.opener.of(found.logged, groups) if groups else ())
    await audit.accesses.record(caller, place, 1, groups)
    return Response(
        encode_bundle(bundle),
        media_type="application/json",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


def _answer(found: Found, bundle: str) -> DecisionAnswer:
    return DecisionAnswer.model_validate({"decision": describe(found.logged), **_around(found, bundle)})


def _own_answer(found: Found, bundle: str) -> OwnDecisionAnswer:
    return OwnDecisionAnswer.model_validate({"decision": describe_plainly(found.logged), **_around(found, bundle)})


def _around(found: Found, bundle: str) -> dict[str, Any]:
    checkpoint = found.head.checkpoint
    return {
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
