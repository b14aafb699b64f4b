"""What contracts know of a log, for a notary that is about to sign for the first time since its start."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.notary.anchors.chain import Node, understanding
from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.heads_contract import HeadsContract
from tallystick.notary.effects import KnownHead
from tallystick.trust.anchors.pins import Contract

_log = logging.getLogger(__name__)


def contract_heads(
    origin: str, pins: Mapping[str, Contract], urls: Mapping[str, str], owners: Mapping[str, str]
) -> Sequence[Callable[[], Awaitable[Sequence[KnownHead]]]]:
    """Return, for each contract that has a node in `urls`, what asks it for the largest head of the log `origin`.

    Requires a pin for each of `urls`. `owners` says whose account posts to a contract, in hex. Anybody can claim a log's name
    and post what they like: only what that account posted can stop a notary. All else is said in the log and then done without,
    as is a node that does not answer, or not as it should: anchors never stand in a decision's way, and witnesses know the
    log's newest heads better.
    """
    return [partial(_heads, origin, pins[name], url, owners.get(name)) for name, url in urls.items()]


async def _heads(origin: str, pin: Contract, url: str, owner: str | None) -> Sequence[KnownHead]:
    node = Node(pin.name, url)
    contract = HeadsContract(node, pin)
    try:
        with understanding(pin.name):
            await contract.check()
            held = await contract.read(origin)
            if held.size == 0:
                return []
            head = Checkpoint(origin, held.size, held.root)
    except AnchoringError as error:
        _log.warning("not compared with what a contract knows: %s", error, extra={"origin": origin})
        return []
    finally:
        await node.close()
    holder = f"0x{(held.owner or b'').hex()}"
    if owner is None or holder != owner.lower():
        _log.warning(
            "not compared with the %d entries that the contract %s holds: account %s posted them, and "
            "TALLYSTICK_CONTRACT_OWNERS names %s",
            held.size,
            pin.name,
            holder,
            owner or "none",
            extra={"origin": origin},
        )
        return []
    return [KnownHead(f"the head that the contract {pin.name} holds", head)]
