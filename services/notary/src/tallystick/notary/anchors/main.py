"""`tallystick-anchor`: settings, adapters, run; and before the first run `--make-account FILE` and `--deploy URL KEY_FILE`."""

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from eth_account import Account as Keys
from eth_account.signers.local import LocalAccount

from tallystick.notary.anchors.account import Purse, load_account
from tallystick.notary.anchors.chain import Node
from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.fees import GWEI
from tallystick.notary.anchors.heads import PublishedHead
from tallystick.notary.anchors.heads_contract import bytecode
from tallystick.notary.anchors.posting import Poster
from tallystick.notary.anchors.service import Anchorer, Metrics, keep_anchoring
from tallystick.notary.anchors.settings import AnchorSettings
from tallystick.notary.anchors.stamping import Stamper
from tallystick.notary.anchors.store import ReceiptStore
from tallystick.runtime import logging, service
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.backoff import Backoff
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.log_reader import LogReader
from tallystick.runtime.settings import load, refuse
from tallystick.trust.anchors.pins import Contract, TimestampAuthority
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy

P = TypeVar("P", TimestampAuthority, Contract)
BACKOFF = Backoff(first_s=1.0, cap_s=300.0)
DEPLOY_POLL_S = 1.0


def main() -> None:
    """Anchor until told to stop; exit code as `tallystick.runtime.service` says."""
    parser = argparse.ArgumentParser(
        "tallystick-anchor", description="Anchors the logs' heads outside. Without arguments: runs."
    )
    parser.add_argument("--make-account", type=Path, metavar="FILE", help="make an account, print its address")
    parser.add_argument("--deploy", nargs=2, metavar=("URL", "KEY_FILE"), help="deploy the contract, print its address")
    parser.add_argument("--max-fee-gwei", type=float, default=100.0, help="with --deploy: the most to pay for a unit of gas")
    arguments = parser.parse_args()
    if arguments.make_account is not None or arguments.deploy is not None:
        sys.exit(_prepare(arguments))
    settings = load(AnchorSettings)
    logging.configure("anchor", settings.log_level)
    sys.exit(service.run(_run(settings, _policy(settings))))


def _prepare(arguments: argparse.Namespace) -> int:
    """Do what comes before the first run: make the account, deploy the contract."""
    try:
        if arguments.make_account is not None:
            return _make_account(arguments.make_account)
        url, key_file = arguments.deploy
        address = asyncio.run(deploy(url, load_account(Path(key_file)), arguments.max_fee_gwei))
    except (AnchoringError, OSError, ValueError) as error:
        sys.stderr.write(f"tallystick-anchor: {error}\n")
        return 1
    sys.stdout.write(f"{address}\n")
    return 0


async def _run(settings: AnchorSettings, policy: TrustPolicy) -> None:
    async with AsyncExitStack() as stack:
        logs, files = [], {name: AnchorFiles(f"{settings.log_url}/{name}", settings) for name in policy.origins}
        store = ReceiptStore(files)
        for name, origin in policy.origins.items():
            reader = await stack.enter_async_context(LogReader(f"{settings.log_url}/{name}", settings))
            anchored = partial(store.largest, name, origin, policy.anchorers)
            logs.append(PublishedHead(name, origin, reader, policy.log_policy, anchored))
        anchorers = _anchorers(settings, policy, store, stack)
        names, log_names = [anchorer.name for anchorer in anchorers], [log.log for log in logs]
        health = Health("anchor", (*names, *log_names), names, max_silence_s=2 * settings.interval_s + 120)
        metrics = Metrics(names, log_names, health)
        async with serving(health.app(), settings.http_host, settings.http_port), asyncio.TaskGroup() as tasks:
            for anchorer in anchorers:
                loop = keep_anchoring(
                    anchorer, logs, health=health, metrics=metrics, interval_s=settings.interval_s, backoff=BACKOFF
                )
                tasks.create_task(loop, name=anchorer.name)


def _anchorers(settings: AnchorSettings, policy: TrustPolicy, store: ReceiptStore, stack: AsyncExitStack) -> list[Anchorer]:
    anchorers: list[Anchorer] = []
    for name, url in settings.timestamp_urls.items():
        stamper = Stamper(_pinned(policy, name, TimestampAuthority, "timestamp_urls"), url, store)
        stack.push_async_callback(stamper.close)
        anchorers.append(stamper)
    for name, url in settings.contract_urls.items():
        pin = _pinned(policy, name, Contract, "contract_urls")
        poster = Poster(
            pin,
            Node(name, url),
            _account(settings),
            store,
            confirmations=settings.confirmations,
            stuck_after_s=settings.stuck_after_s,
            max_fee=int(settings.max_fee_gwei * GWEI),
        )
        stack.push_async_callback(poster.close)
        anchorers.append(poster)
    return anchorers


def _pinned(policy: TrustPolicy, name: str, kind: type[P], field: str) -> P:
    pin = policy.anchorers.get(name)
    if not isinstance(pin, kind):
        refuse(field, f"the trust policy pins no {'contract' if kind is Contract else 'authority'} of the name {name!r}")
    return pin


def _account(settings: AnchorSettings) -> LocalAccount:
    assert settings.account_key_file is not None  # noqa: S101  settings have seen to it
    try:
        return load_account(settings.account_key_file)
    except ValueError as error:
        refuse("account_key_file", str(error))


def _policy(settings: AnchorSettings) -> TrustPolicy:
    try:
        return TrustPolicy.load(settings.trust_policy)
    except TrustError as error:
        refuse("trust_policy", str(error))


def _make_account(file: Path) -> int:
    """Make an account, its key in a new file that only its owner reads; print the address."""
    account = Keys.create()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(f"{account.key.to_0x_hex()}\n")
    sys.stdout.write(f"{account.address}\n")
    return 0


async def deploy(url: str, account: LocalAccount, max_fee_gwei: float) -> str:
    """Put the contract on the chain of a node, paid by `account`; return its address. Raises AnchoringError."""
    node = Node("chain", url)
    try:
        purse: Purse[None] = Purse(node, account, await node.quantity("eth_chainId"), int(max_fee_gwei * GWEI))
        await purse.send(None, None, bytecode())
        while (receipt := await purse.receipt()) is None:  # noqa: ASYNC110  a node tells nothing by itself
            await asyncio.sleep(DEPLOY_POLL_S)
    finally:
        await node.close()
    if int(str(receipt["status"]), 16) != 1:
        raise AnchoringError(f"the transaction {receipt['transactionHash']} failed")
    return str(receipt["contractAddress"])


if __name__ == "__main__":
    main()
