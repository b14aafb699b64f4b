"""Erasure and legal holds, for privacy officers.

What is asked for names a customer; what is answered and logged names keys.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from tallystick.audit.api import examples, patterns, problems
from tallystick.audit.api.access import PRIVACY
from tallystick.audit.api.schemas import ErasureAnswer, HoldAnswer
from tallystick.audit.api.state import Served
from tallystick.audit.entries import iso
from tallystick.audit.erasing import ErasureState

CustomerId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=64,
        pattern=patterns.ID,
        description="As the bank gave it: visible ASCII, percent-encoded",
        examples=["c-000001234"],
    ),
]

router = APIRouter(prefix="/v1", tags=["erasure"], dependencies=[PRIVACY])
_FAILURES = (problems.UNAVAILABLE, problems.INCONSISTENT)
_ERASURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The erasure", "content": {"application/json": {"example": examples.ERASURE}}}
}
_HOLD: dict[int | str, dict[str, Any]] = {
    200: {"description": "The hold", "content": {"application/json": {"example": examples.HOLD}}}
}


@router.delete(
    "/customers/{customer_id:path}",
    responses={**_ERASURE, **problems.declared(*_FAILURES, problems.UNKNOWN, problems.HELD)},
)
async def erase_customer(audit: Served, customer_id: CustomerId) -> ErasureAnswer:
    """Destroy the keys under which a customer's evidence is encrypted: nobody can open it any more, from now on.

    Asked again it answers the same, unless decisions were made since: those have another key, which is destroyed then. The
    governance log names the keys, never the customer, within seconds. `effective_at` is when the transactions themselves and
    every backup are gone, too.
    """
    return _answer(await audit.eraser.erase(customer_id))


@router.get(
    "/customers/{customer_id:path}",
    responses={**_ERASURE, **problems.declared(*_FAILURES, problems.UNKNOWN)},
)
async def get_erasure(audit: Served, customer_id: CustomerId) -> ErasureAnswer:
    """Return a customer's newest erasure, until it takes effect: then nothing here knows the customer any more."""
    return _answer(await audit.eraser.erasure(customer_id))


@router.get("/holds/{customer_id:path}", responses={**_HOLD, **problems.declared(*_FAILURES)})
async def get_hold(audit: Served, customer_id: CustomerId) -> HoldAnswer:
    """Tell whether a customer is under a legal hold."""
    return _hold(await audit.eraser.hold(customer_id))


@router.put("/holds/{customer_id:path}", responses={**_HOLD, **problems.declared(*_FAILURES)})
async def place_hold(audit: Served, customer_id: CustomerId) -> HoldAnswer:
    """Place a customer under a legal hold: erasure is refused until it is lifted. The governance log names the keys."""
    return _hold(await audit.eraser.place_hold(customer_id))


@router.delete("/holds/{customer_id:path}", responses={**_HOLD, **problems.declared(*_FAILURES)})
async def lift_hold(audit: Served, customer_id: CustomerId) -> HoldAnswer:
    """Lift a legal hold; nothing happens if there is none."""
    await audit.eraser.lift_hold(customer_id)
    return _hold(None)


def _hold(placed_ms: int | None) -> HoldAnswer:
    return HoldAnswer(
        held=placed_ms is not None, placed_at=None if placed_ms is None else iso(placed_ms), placed_at_ms=placed_ms
    )


def _answer(state: ErasureState) -> ErasureAnswer:
    erased = state.erased
    return ErasureAnswer(
        key_ids=[key_id.hex() for key_id in erased.key_ids],
        requested_at=iso(erased.requested_ms),
        requested_at_ms=erased.requested_ms,
        effective_at=iso(erased.effective_ms),
        effective_at_ms=erased.effective_ms,
        log_index=state.log_index,
    )
