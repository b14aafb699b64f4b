"""The governance log, read whole and checked against its signed checkpoint before any of it counts."""

from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.runtime.log_reader import LogReader, LogUnavailableError
from tallystick.trust.governance import Governance, replay
from tallystick.trust.policy import TrustPolicy


class GovernanceLogError(RuntimeError):
    """The governance log cannot be read, or is not the one that the trust policy believes."""


async def read_governance(log_url: str, policy: TrustPolicy) -> Governance:
    """Read every entry, check them against the checkpoint's root, signature and quorum, and replay them.

    Args:
        log_url: the log's prefix, `file:///…/governance` or `https://…/governance`.
        policy: whom to believe.

    Raises:
        GovernanceLogError: the log does not answer or does not verify.
    """
    _, entries = await read_governance_entries(log_url, policy)
    return replay(entries, policy)


async def read_governance_entries(log_url: str, policy: TrustPolicy) -> tuple[bytes, list[bytes]]:
    """Return the log's signed checkpoint and every entry, checked against its root, signature and quorum.

    Raises:
        GovernanceLogError: the log does not answer or does not verify.
    """
    try:
        async with LogReader(log_url) as reader:
            signed = await reader.checkpoint()
            checkpoint = policy.log_policy.verify_checkpoint(signed, policy.governance_origin).checkpoint
            entries = await reader.entries(0, checkpoint.size)
    except LogUnavailableError as error:
        raise GovernanceLogError(f"cannot read the governance log: {error}") from error
    except ValueError as error:
        raise GovernanceLogError(f"the governance log at {log_url} is refused: {error}") from error
    frontier = Frontier()
    frontier.append(leaf_hash(entry) for entry in entries)
    if frontier.root() != checkpoint.root:
        raise GovernanceLogError(f"the governance log at {log_url} is refused: its entries do not give the signed root")
    return signed, entries
