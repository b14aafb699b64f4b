"""Records of accesses, batch by batch, each held against its digest; and what they say."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tallystick.cli.audit import AuditClient, AuditRefusedError
from tallystick.contracts import AccessDigest, EntryKind
from tallystick.trust.access_digests import AccessDigests, digest_of
from tallystick.trust.errors import TrustError
from tallystick.trust.records import open_entry

Advance = Callable[[str, int, int], None]
"""Called with what is read, how much of it is, and how much there is."""
BATCHES = "batches of records"


@dataclass(slots=True)
class Person:
    """What somebody was shown: how often, at how many places, and of each group of evidence at how many."""

    records: int = 0
    places: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    first: str = ""
    last: str = ""


@dataclass(slots=True)
class Finding:
    """What the records come to.

    Attributes:
        batches: how many were held against their digests.
        records: how many are in those that hold.
        differing: what does not hold, a sentence each.
        people: by (subject, scope) of the token that they came with.
        until_ms: when the last digest was taken; who was shown what afterwards is under none yet. None without a digest.
    """

    batches: int = 0
    records: int = 0
    differing: list[str] = field(default_factory=list)
    people: dict[tuple[str, str], Person] = field(default_factory=dict)
    until_ms: int | None = None


def logged_digests(entries: Iterable[bytes]) -> tuple[list[AccessDigest], list[str]]:
    """Return the digests in a governance log's entries, each once, and what is wrong with those that do not follow."""
    log, found, refused = AccessDigests(), [], []
    for index, data in enumerate(entries):
        try:
            entry = open_entry(data)
            if entry.kind != EntryKind.ENTRY_KIND_ACCESS_DIGEST:
                continue
            before = log.last
            log.take(entry.value)
        except TrustError as error:
            refused.append(f"entry {index:,} of the governance log: {error}")
            continue
        if log.last is not None and log.last is not before:
            found.append(log.last)
    return found, refused


async def check(digests: Sequence[AccessDigest], audit: AuditClient, advance: Advance) -> Finding:
    """Ask for the records of these digests and hold them against each.

    Raises:
        AuditUnavailableError: The service does not answer, or not this caller.
    """
    finding = Finding(until_ms=digests[-1].until_ms if digests else None)
    for number, digest in enumerate(digests, start=1):
        lines = await _lines(audit, digest)
        if isinstance(lines, str):
            finding.differing.append(f"batch {digest.batch:,}: {lines}")
        else:
            finding.records += len(lines)
            for line in lines:
                _tell(finding, line)
        finding.batches += 1
        advance(BATCHES, number, len(digests))
    return finding


async def _lines(audit: AuditClient, digest: AccessDigest) -> list[str] | str:
    """Return a batch's records, or why they are not those that its digest is over."""
    try:
        served = await audit.accesses(digest.batch)
    except AuditRefusedError as error:
        if error.status != 404:
            raise
        return "its records are gone"
    try:
        lines = served.decode().split("\n")
    except UnicodeDecodeError:
        return "its records are not the ones that were digested: they are no text"
    if lines.pop():
        return "its records are cut short"
    if digest_of(digest.previous, lines) == digest.digest and len(lines) == digest.records:
        return lines
    if len(lines) != digest.records:
        return f"{len(lines):,} records are served, and {digest.records:,} were digested"
    return "a record in it was changed, left out or put in since it was digested"


def _tell(finding: Finding, line: str) -> None:
    try:
        record = json.loads(line)
        who, count = (str(record["by"]), str(record["as"])), int(record["count"])
        groups, at = [str(group) for group in record["groups"]], str(record["at"])
    except (ValueError, LookupError, TypeError):  # digested as it was written, so it counts, whatever it is
        who, count, groups, at = ("(a record that cannot be read)", ""), 0, [], ""
    person = finding.people.setdefault(who, Person())
    person.records += 1
    person.places += count
    person.groups.update(dict.fromkeys(groups, count))
    person.first, person.last = min(person.first or at, at), max(person.last, at)
