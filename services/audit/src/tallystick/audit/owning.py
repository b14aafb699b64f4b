"""Whose decision it is: what a customer may see is what their own identity group says, under the decision's own commitment."""

from collections.abc import Sequence
from dataclasses import replace

from google.protobuf.message import DecodeError

from tallystick.audit.database import Candidate
from tallystick.audit.entries import LoggedDecision
from tallystick.audit.errors import (
    EvidenceErasedError,
    EvidenceMissingError,
    InconsistentError,
    ScopeMissingError,
    UnknownError,
)
from tallystick.audit.finding import UNKNOWN_TRANSACTION, Found
from tallystick.audit.proving import Opener
from tallystick.audit.tokens import Caller, Scope
from tallystick.contracts import Identity

CUSTOMERS_GROUPS = frozenset({"identity", "transaction"})
"""What a customer may have disclosed: what they said themselves. What the model made of it is the bank's."""


class Owners:
    """Tells whose decisions are, by what is in their evidence."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    async def known_to(self, caller: Caller, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return of candidates those that a caller may know of at all: an auditor all, a customer those that name them.

        This comes before the log is asked: that a decision is on its way there, or that the index is wrong about it, tells
        that there is one.

        Raises:
            ScopeMissingError: the token says that it is a customer's, and not whose. UnavailableError.
        """
        if caller.may(Scope.AUDITOR):
            return list(candidates)
        customer_id = _whose(caller)
        identities = await self._opener.unchecked(candidates, "identity")
        return [
            candidate
            for candidate, opening in zip(candidates, identities, strict=True)
            if opening is not None and _names(opening.content, customer_id)
        ]

    async def shown(self, found: Found, caller: Caller) -> Found:
        """Return of what was found what a caller may see: an auditor all, a customer their own.

        Raises:
            UnknownError: nothing of it is theirs; in the words for a transaction that does not exist, so that nobody can try
                which ones do. So it is where evidence was erased: nobody can tell any more whose it was.
            ScopeMissingError: as `known_to`. InconsistentError, UnavailableError: as `Opener.of`.
        """
        if caller.may(Scope.AUDITOR):
            return found
        customer_id = _whose(caller)
        own = [logged for logged in (found.logged, *found.others) if await self._customer(logged) == customer_id]
        if not own:
            raise UnknownError(UNKNOWN_TRANSACTION)
        return replace(found, logged=own[0], others=tuple(own[1:]))

    async def _customer(self, logged: LoggedDecision) -> str | None:
        try:
            (opening,) = await self._opener.of(logged, ["identity"])
            return Identity.FromString(opening.content).customer_id
        except (EvidenceErasedError, EvidenceMissingError):
            return None
        except DecodeError as error:
            raise InconsistentError("The stored evidence's identity is not readable.") from error


def _whose(caller: Caller) -> str:
    if caller.customer_id is None:
        raise ScopeMissingError("The token does not say which customer it is.")
    return caller.customer_id


def _names(identity: bytes, customer_id: str) -> bool:
    try:
        return Identity.FromString(identity).customer_id == customer_id
    except DecodeError:
        return False  # nobody's, as far as can be told
