"""What an audit service gives of a case, as far as it lets the caller: what it does not give is said, and stops nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tallystick.cli.audit import AuditClient, AuditRefusedError
from tallystick.cli.audit import Place as Asked
from tallystick.trust.bundle import VerifiedBundle, verify_bundle
from tallystick.trust.policy import TrustPolicy

Place = tuple[int, int]
"""A partition of the input, and a sequence there."""


class NothingFoundError(Exception):
    """There is no decision to export; the message says what was asked for, and what became of it."""


@dataclass(slots=True)
class Gathered:
    """What a case has come to: each bundle by its place, with what it amounts to, and sentences about what is missing."""

    bundles: dict[Place, tuple[bytes, VerifiedBundle]] = field(default_factory=dict)
    models: dict[bytes, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def verified(self) -> list[VerifiedBundle]:
        """The bundles by rising place."""
        return [self.bundles[place][1] for place in sorted(self.bundles)]

    def add(self, data: bytes, policy: TrustPolicy) -> None:
        """Take in a bundle. Raises BundleError."""
        bundle = verify_bundle(data, policy)
        self.bundles[bundle.decision.source_partition, bundle.decision.sequence] = data, bundle


async def gather(
    audit: AuditClient, transactions: Iterable[str], places: Sequence[Place], groups: Sequence[str], policy: TrustPolicy
) -> Gathered:
    """Return the decisions' bundles, evidence disclosed where that is possible, and the models that made them.

    Raises:
        AuditUnavailableError: The service does not answer.
        BundleError: A bundle is not sound.
    """
    gathered = Gathered()
    for name in transactions:
        try:
            gathered.add(await _of_transaction(audit, name, groups, gathered), policy)
        except AuditRefusedError as error:
            gathered.left_out.append(f"the transaction {name}: {error}")
    await _at_places(audit, [place for place in places if place not in gathered.bundles], groups, policy, gathered)
    for digest in sorted({bundle.decision.model_digest for bundle in gathered.verified} - {b""}):
        try:
            gathered.models[digest] = await audit.model(digest)
        except AuditRefusedError as error:
            gathered.left_out.append(f"the model {digest.hex()}: {error}")
    return gathered


async def _of_transaction(audit: AuditClient, name: str, groups: Sequence[str], gathered: Gathered) -> bytes:
    try:
        return await audit.bundle(name, groups)
    except AuditRefusedError as error:
        if not groups:
            raise
        data = await audit.bundle(name)
        gathered.left_out.append(f"the evidence of the transaction {name}: {error}")
        return data


async def _at_places(
    audit: AuditClient, places: Sequence[Place], groups: Sequence[str], policy: TrustPolicy, gathered: Gathered
) -> None:
    """Ask for all at once; for those whose evidence is not given, once more without."""
    closed: list[Place] = []
    async for receipt in audit.receipts((Asked(*place) for place in places), "bundle", groups):
        place = receipt.place.partition, receipt.place.sequence
        if receipt.data is not None:
            gathered.add(receipt.data, policy)
            continue
        what = f"partition {place[0]}, sequence {place[1]:,}: {receipt.problem}"
        gathered.left_out.append(f"the evidence of {what}" if groups else what)
        if groups:
            closed.append(place)
    if closed:
        await _at_places(audit, closed, (), policy, gathered)
