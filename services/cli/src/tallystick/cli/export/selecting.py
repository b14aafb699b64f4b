"""Which decisions a case is about: by transaction, by place, or by time and customer."""

import re
from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tallystick.cli.export.gathering import Place
from tallystick.cli.replay.decided import Decisions, decisions_of
from tallystick.cli.replay.opened import EvidenceSource, State, opens
from tallystick.cli.replay.reading import BrokenLogError, stretches
from tallystick.contracts import Identity
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.governance import Governance
from tallystick.trust.policy import TrustPolicy, log_name

_PLACES = re.compile(r"([0-9]{1,9})/([0-9]{1,18})(?:-([0-9]{1,18}))?")
MAX_DECISIONS = 10_000


class TooManyError(ValueError):
    """More decisions than a package is made of."""


def parse_places(text: str) -> list[Place]:
    """Return the places that an option names: "3/311", or "3/311-320" with both ends.

    Raises:
        ArgumentTypeError: It names none.
    """
    said = _PLACES.fullmatch(text)
    first, last = (int(said[2]), int(said[3] or said[2])) if said else (1, 0)
    if said is None or not 0 <= last - first < MAX_DECISIONS:
        raise ArgumentTypeError(
            f"{text!r} is no place: <partition>/<sequence>, or <partition>/<first>-<last> of up to {MAX_DECISIONS:,}"
        )
    return [(int(said[1]), sequence) for sequence in range(first, last + 1)]


@dataclass(slots=True)
class Chosen:
    """The places that were chosen, and of how many decisions it could not be told whether they belong to them."""

    places: list[Place] = field(default_factory=list)
    unknown: int = 0


async def places_of_a_time(
    location: str,
    policy: TrustPolicy,
    governance: Governance,
    period: range,
    token: str | None,
    customer: str | None,
    source: EvidenceSource | None,
) -> Chosen:
    """Return where the decisions of a time are, or those of them that are about one customer, by what the log says.

    Args:
        location: where the logs are.
        policy: the trust policy.
        governance: the governance log.
        period: Kafka time stamps, in milliseconds.
        token: a bearer token for entries.
        customer: whose; None: everybody's.
        source: who has opened evidence: whose a decision is, its identity says.

    Raises:
        TooManyError: They are more than `MAX_DECISIONS`.
        BrokenLogError, UnsoundError: A log is not sound.
        LogUnavailableError, EvidenceUnavailableError: Something does not answer.
    """
    policy = replace(policy, log_policy=governance.log_keys.with_retired(policy.log_policy))
    activations = {one.index: one for one in governance.activations}
    chosen = Chosen()
    for origin in policy.decisions_origins:
        async with LogReader(f"{location}/{log_name(origin)}", token=token) as reader:
            try:
                checkpoint = policy.log_policy.verify_checkpoint(await reader.checkpoint(), origin).checkpoint
            except ValueError as error:
                raise BrokenLogError(f"{origin}: the checkpoint is refused: {error}") from error
            async for first, entries in stretches(reader, checkpoint):
                found = decisions_of(entries, first, origin, policy, activations, period)
                if customer is None or source is None:
                    chosen.places += [place for batch in found for place in _places(batch)]
                else:
                    await _choose(origin, found, customer, source, chosen)
                if len(chosen.places) > MAX_DECISIONS:
                    raise TooManyError(f"the time has more than {MAX_DECISIONS:,} decisions: export it in parts")
    return chosen


async def _choose(origin: str, found: Sequence[Decisions], customer: str, source: EvidenceSource, chosen: Chosen) -> None:
    """Choose one customer's decisions."""
    scored = [batch for batch in found if not batch.rejected]
    chosen.unknown += sum(len(batch) for batch in found if batch.rejected)
    opened = await source.read(origin, scored, ("identity",)) if scored else []
    for batch, evidence in zip(scored, opened, strict=True):
        salts, contents = evidence.salts["identity"], evidence.contents["identity"]
        known = opens(batch.commitments["identity"], salts, contents) & (evidence.states == State.OPENED)
        chosen.unknown += int(len(batch) - known.sum())
        for row in np.flatnonzero(known).tolist():
            if Identity.FromString(contents[row]).customer_id == customer:
                chosen.places.append((int(batch.partitions[row]), int(batch.sequences[row])))


def _places(batch: Decisions) -> list[Place]:
    return list(zip(batch.partitions.tolist(), batch.sequences.tolist(), strict=True))
