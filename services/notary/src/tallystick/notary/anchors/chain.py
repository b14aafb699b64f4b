"""A node of an EVM chain, asked over JSON-RPC: what it says as it says it, and who may be at fault when it says no."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
from eth_abi.exceptions import DecodingError
from rlp.exceptions import RLPException
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from tallystick.notary.anchors.errors import AnchoringError

TIMEOUT_S = 10.0
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")


class NodeError(AnchoringError):
    """The node answered with an error; `said` is its own text."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(f"{name}: the node says: {said}")
        self.said = said


@contextmanager
def understanding(name: str) -> Iterator[None]:
    """Make an AnchoringError of whatever goes wrong while a node's answers are read: it may say anything."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RLPException, DecodingError) as error:
        raise AnchoringError(
            f"{name}: the node's answers are not a node's ({type(error).__name__}): another node is needed"
        ) from error


class Node:
    """One node, by the contract's name in messages: its address may hold an access token and is never shown."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._provider = AsyncHTTPProvider(url, request_kwargs={"timeout": aiohttp.ClientTimeout(total=TIMEOUT_S)})

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.disconnect()

    async def ask(self, method: str, *parameters: Any) -> Any:
        """Return the result of a JSON-RPC method.

        Raises:
            NodeError: the node refuses. AnchoringError: it does not answer.
        """
        try:
            answer = await self._provider.make_request(RPCEndpoint(method), list(parameters))
        except (aiohttp.ClientError, Web3Exception, OSError, ValueError) as error:
            raise AnchoringError(f"{self.name}: the node does not answer {method} ({type(error).__name__})") from error
        if not isinstance(answer, Mapping):
            raise AnchoringError(f"{self.name}: the node answers {method} with what is no JSON-RPC: another node is needed")
        if "error" in answer:
            said = answer["error"]
            raise NodeError(self.name, str(said.get("message", said) if isinstance(said, dict) else said)[:300])
        return answer.get("result")

    async def quantity(self, method: str, *parameters: Any) -> int:
        """Return a result that is a number."""
        answer = await self.ask(method, *parameters)
        if not isinstance(answer, str) or _QUANTITY.fullmatch(answer) is None:
            raise AnchoringError(f"{self.name}: the node answers {method} with what is no number: another node is needed")
        return int(answer, 16)

    async def block(self, at: str) -> Mapping[str, Any]:
        """Return a block, by number in hex, tag or hash, with its transactions' hashes."""
        method = "eth_getBlockByHash" if len(at) == 66 else "eth_getBlockByNumber"
        block = await self.ask(method, at, False)
        if block is None:
            raise AnchoringError(f"{self.name}: the node does not have block {at}")
        if not isinstance(block, Mapping):
            raise AnchoringError(f"{self.name}: the node answers {method} with what is no block: another node is needed")
        return block
