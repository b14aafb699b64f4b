"""The governance log, read as the copy of a topic that it is: every record in its turn, none left out, nothing else in it.

What its records bring about is `governance`'s; one without effect is a sound entry. This is about what the log itself promises.
"""

from collections.abc import Iterable

from tallystick.contracts import EntryKind
from tallystick.trust.errors import TrustError
from tallystick.trust.malformed import missing_range, open_malformed
from tallystick.trust.records import kind_name, open_entry

KINDS = frozenset(EntryKind.values()) - {
    EntryKind.ENTRY_KIND_UNSPECIFIED,
    EntryKind.ENTRY_KIND_DECISION,
    EntryKind.ENTRY_KIND_FALLBACK,
    EntryKind.ENTRY_KIND_SEAL,
}
"""What the governance log may hold."""


class GovernanceLogError(TrustError):
    """An entry of the governance log does not follow from those before it."""


class GovernanceLog:
    """The state after the entries taken so far: which topic and partition they are of, and which offset is next."""

    def __init__(self) -> None:
        self._place: tuple[str, int] | None = None
        self._next = 0

    def take(self, data: bytes) -> None:
        """Take the log's next entry; after an error the state is of no use any more.

        Raises:
            TrustError: It is not the entry that can come here, and why.
        """
        entry = open_entry(data)
        if entry.kind not in KINDS:
            raise GovernanceLogError(f"an entry of kind {kind_name(entry.kind)} does not belong into the governance log")
        place = entry.topic, entry.partition
        if self._place not in (None, place):
            raise GovernanceLogError(
                "it was logged from {}/{}, and those before it from {}/{}".format(*place, *self._place or ())
            )
        if entry.offset != self._next:
            raise GovernanceLogError(f"it was logged from offset {entry.offset}, where {self._next} is next")
        last = entry.offset
        if entry.kind == EntryKind.ENTRY_KIND_MALFORMED and (hole := missing_range(open_malformed(entry.value))):
            if hole[0] != entry.offset or hole[1] < hole[0]:
                raise GovernanceLogError(
                    f"it stands at offset {entry.offset}, and says that {hole[0]} to {hole[1]} are missing"
                )
            last = hole[1]
        self._place, self._next = place, last + 1


def check_governance_log(entries: Iterable[bytes]) -> None:
    """Check all entries of a governance log, from index 0.

    Raises:
        GovernanceLogError: The first that cannot stand where it does, by its index.
    """
    log = GovernanceLog()
    for index, data in enumerate(entries):
        try:
            log.take(data)
        except TrustError as error:
            raise GovernanceLogError(f"entry {index:,}: {error}") from error
