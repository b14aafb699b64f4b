"""What contracts know of a log, for a notary that is about to sign for the first time since its start."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.notary.anchors.chain import Node
from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.heads_contract import HeadsContract
from tallystick.notary.effects import KnownHead
from tallystick.trust.anchors.pins import Contract

_log = logging.getLogger(__name__)


def contract_heads(
    origin: str, pins: Mapping[str, Contract], urls: Mapping[str, str]
) -> Sequence[Callable[[], Awaitable[Sequence[KnownHead]]]]:
    """Return, for each contract that has a node in `urls`, what asks it for the largest head of the log `origin`.

    Requires a pin for each of `urls`. A node that does not answer, or is not what it should be, is said in the log and then
    done without: anchors never stand in a decision's way, and witnesses know the log's newest heads better.
    """
    return [partial(_heads, origin, pins[name], url) for name, url in urls.items()]


async def _heads(origin: str, pin: Contract, url: str) -> Sequence[KnownHead]:
    node = Node(pin.name, url)
    contract = HeadsContract(node, pin)
    try:
        await contract.check()
        held = await contract.read(origin)
    except AnchoringError as error:
        _log.warning("not compared with what a contract knows: %s", error, extra={"origin": origin})
        return []
    finally:
        await node.close()
    if held.size == 0:
        return []
    return [KnownHead(f"the head that the contract {pin.name} holds", Checkpoint(origin, held.size, held.root))]
