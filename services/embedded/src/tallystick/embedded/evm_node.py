"""A chain of one node in memory: a real EVM (py-evm) behind JSON-RPC over HTTP on loopback. Run by `Evm`, as a process.

    python -m tallystick.embedded.evm_node PORT [BLOCK_TIME_S]

A transaction is in a block at once; with a block time, empty blocks follow. Besides Ethereum's methods, for tests:

    evm_mine n, evm_snapshot, evm_revert    make blocks; go back to an earlier chain, as a reorganisation does
    dev_hold, dev_release, dev_drop        keep transactions waiting, where a replacement must pay a tenth more; forget them
    dev_fund address wei                   give an account something to pay with
    dev_account                            make an account with an ether, and return its private key
"""

import json
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed, ValidationError
from eth_utils.exceptions import ValidationError as ChainValidationError
from hexbytes import HexBytes
from web3 import EthereumTesterProvider, Web3
from web3.exceptions import Web3Exception

HOST = "127.0.0.1"
MAX_BODY_BYTES = 2**20
_BLOOM_BYTES = 256


class RefusedError(Exception):
    """The node does not take a transaction; the message is what nodes say."""


class Chain:
    """The chain and what waits to be in it."""

    def __init__(self) -> None:
        self._tester = EthereumTester(PyEVMBackend())
        self._provider = EthereumTesterProvider(self._tester)
        web3 = Web3(self._provider)
        web3.middleware_onion.clear()  # what JSON-RPC says is wanted, not Python's idea of it
        self._ask = self._provider.request_func(web3, web3.middleware_onion)
        self._purse = web3.to_checksum_address(self._result("eth_accounts")[0])
        self._holding = False
        self._held: dict[tuple[str, int], tuple[str, int, int]] = {}
        self._own: dict[str, Callable[..., Any]] = {
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionCount": self._count,
            "eth_getBlockByHash": lambda *given: self._block("eth_getBlockByHash", *given),
            "eth_getBlockByNumber": lambda *given: self._block("eth_getBlockByNumber", *given),
            "dev_hold": self._hold,
            "dev_release": self._release,
            "dev_drop": self._drop,
            "dev_fund": self._fund,
            "dev_account": self._account,
        }

    def answer(self, method: str, parameters: list[Any]) -> dict[str, Any]:
        """Return the `result` or `error` of a call."""
        try:
            own = self._own.get(method)
            return {"result": _as_json(own(*parameters) if own else self._result(method, *parameters))}
        except (
            RefusedError,
            TransactionFailed,
            ValidationError,
            ChainValidationError,
            Web3Exception,
            ValueError,
            TypeError,
        ) as error:
            return {"error": {"code": -32000, "message": str(error) or type(error).__name__}}

    def mine(self) -> None:
        """Make an empty block."""
        self._result("evm_mine", 1)

    def _result(self, method: str, *parameters: Any) -> Any:
        answer = self._ask(method, list(parameters))
        if "error" in answer:
            raise RefusedError(str(answer["error"]["message"]))
        return answer["result"]

    def _block(self, method: str, *parameters: Any) -> Any:
        block = self._result(method, *parameters)
        if block is not None:
            header = self._tester.backend.chain.get_block_by_hash(HexBytes(block["hash"])).header
            block = {**block, "extraData": header.extra_data}  # eth-tester pads it, and the block's hash is of what is there
        return block

    def _send(self, raw: str) -> Any:
        if not self._holding:
            return self._result("eth_sendRawTransaction", raw)
        sender = str(Account.recover_transaction(raw))
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        nonce, fee, tip = (_number(fields[name]) for name in ("nonce", "maxFeePerGas", "maxPriorityFeePerGas"))
        if nonce < int(self._result("eth_getTransactionCount", sender, "latest")):
            raise RefusedError("nonce too low")
        _, held_fee, held_tip = self._held.get((sender, nonce), ("", 0, 0))
        if 10 * fee < 11 * held_fee or 10 * tip < 11 * held_tip:
            raise RefusedError("replacement transaction underpriced")
        self._held[sender, nonce] = (raw, fee, tip)
        return Web3.keccak(hexstr=raw)

    def _count(self, address: str, at: str = "latest") -> int:
        count = int(self._result("eth_getTransactionCount", address, "latest"))
        while at == "pending" and (Web3.to_checksum_address(address), count) in self._held:
            count += 1
        return count

    def _hold(self) -> bool:
        self._holding = True
        return True

    def _release(self) -> int:
        held = [self._held[key][0] for key in sorted(self._held)]
        self._holding, self._held = False, {}
        for raw in held:
            self._result("eth_sendRawTransaction", raw)
        return len(held)

    def _drop(self) -> int:
        dropped = len(self._held)
        self._holding, self._held = False, {}
        return dropped

    def _account(self) -> str:
        account = Account.create()
        self._fund(account.address, hex(10**18))
        return f"0x{bytes(account.key).hex()}"

    def _fund(self, address: str, wei: str) -> Any:
        return self._result("eth_sendTransaction", {"from": self._purse, "to": address, "value": int(wei, 16), "gas": 21_000})


def _number(value: Any) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)


def _as_json(value: Any, name: str = "") -> Any:
    """Return a value as JSON-RPC writes it: numbers and bytes in hex."""
    if isinstance(value, dict):
        return {key: _as_json(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"0x{value.to_bytes(_BLOOM_BYTES, 'big').hex()}" if name == "logsBloom" else hex(value)
    return value


class _Handler(BaseHTTPRequestHandler):
    chain: Chain
    timeout = 5.0  # one request at a time: nobody may hold the line

    def do_POST(self) -> None:
        """Answer one call."""
        try:
            call = json.loads(self.rfile.read(min(MAX_BODY_BYTES, int(self.headers.get("content-length", "0")))))
            answer = {"jsonrpc": "2.0", "id": call["id"]} | self.chain.answer(call["method"], call.get("params") or [])
        except (ValueError, KeyError, TypeError):
            answer = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "not a JSON-RPC call"}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing of single requests."""


class Server(HTTPServer):
    """The node's HTTP server; makes a block every `block_time_s`, never if that is 0."""

    def __init__(self, port: int, block_time_s: float = 0.0) -> None:
        self.chain = Chain()
        super().__init__((HOST, port), type("Handler", (_Handler,), {"chain": self.chain}))
        self._block_time_s, self._made_at = block_time_s, time.monotonic()

    def service_actions(self) -> None:
        """Make a block if it is time."""
        if self._block_time_s and time.monotonic() - self._made_at >= self._block_time_s:
            self._made_at = time.monotonic()
            self.chain.mine()


def main() -> None:
    """Serve until killed."""
    port, block_time_s = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    with Server(port, block_time_s) as server:
        server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
