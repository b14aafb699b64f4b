"""Decisions by time and outcome, a page at a time. For auditors."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from tallystick.audit.api import examples, patterns, problems
from tallystick.audit.api.access import AUDITOR
from tallystick.audit.api.schemas import DecisionList, ListedDecision
from tallystick.audit.api.state import Served
from tallystick.audit.entries import iso, outcome_name
from tallystick.audit.errors import InvalidError
from tallystick.audit.indexing import Listed, read_cursor
from tallystick.contracts import Outcome

MAX_PAGE = 1_000
_MAX_MS = 2**53
OutcomeName = Literal["APPROVE", "REVIEW", "DECLINE", "REJECTED"]

router = APIRouter(prefix="/v1", tags=["decisions"])


@router.get(
    "/decisions",
    dependencies=[AUDITOR],
    responses={
        200: {"description": "A page", "content": {"application/json": {"example": examples.DECISIONS}}},
        **problems.declared(problems.UNAVAILABLE),
    },
)
async def get_decisions(
    audit: Served,
    from_ms: Annotated[int, Query(ge=0, le=_MAX_MS, description="Decided then or later, ms since 1970", examples=[0])] = 0,
    to_ms: Annotated[
        int, Query(ge=0, le=_MAX_MS, description="Decided before, ms since 1970; more than from_ms", examples=[_MAX_MS])
    ] = _MAX_MS,
    outcome: Annotated[OutcomeName | None, Query(description="Of this outcome alone", examples=["DECLINE"])] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at the most", examples=[100])] = 100,
    cursor: Annotated[
        str | None,
        Query(
            min_length=27,
            max_length=27,
            pattern=patterns.CURSOR,
            description="`next` of the page before",
            examples=["AAABogZutWgAAAADAAAAAAAAATc"],
        ),
    ] = None,
) -> DecisionList:
    """Return decisions in the order of time, partition and sequence. For auditors.

    The list is made of an index and only says where to look: what it names is asked for, and proven, by its place. `indexed`
    says how many entries of each log it covers. That nothing is left out, the log shows and not the list (`tallystick fsck`).
    """
    if from_ms >= to_ms:
        raise InvalidError("query.from_ms", "from_ms must be less than to_ms: what was decided at to_ms is not in the list.")
    try:
        after = None if cursor is None else read_cursor(cursor)
    except ValueError:
        raise InvalidError("query.cursor", "This is not what a page before had in `next`.") from None
    number = None if outcome is None else Outcome.Value(f"OUTCOME_{outcome}")
    sizes = await audit.index.sizes()
    found = await audit.index.find(from_ms, to_ms, number, after, limit)
    return DecisionList(
        decisions=[_listed(one) for one in found], next=found[-1].cursor if len(found) == limit else None, indexed=sizes
    )


def _listed(one: Listed) -> ListedDecision:
    return ListedDecision(
        decided_at=iso(one.decided_at_ms),
        decided_at_ms=one.decided_at_ms,
        partition=one.place.partition,
        sequence=one.place.sequence,
        outcome=outcome_name(one.outcome),
        log=one.log,
        log_index=one.log_index,
        decision=f"/v1/positions/{one.place.partition}/{one.place.sequence}",
    )
