"""Every decision's evidence, opened with the keys that Vault and PostgreSQL hold, and what it says executed again."""

import asyncio
import tempfile
from hashlib import sha256
from pathlib import Path

import asyncpg
import numpy as np
from numpy.typing import NDArray

from tallystick.audit.evidence import key_id, open_evidence
from tallystick.cli.demo.platform import Platform
from tallystick.contracts import Decision, Identity, Outcome
from tallystick.runtime.settings import VaultSettings
from tallystick.runtime.vault import Vault
from tallystick.verifier.evidence import feature_values

from .reading import Place, Run

Matrix = NDArray[np.float32]


def customer_keys(platform: Platform) -> dict[bytes, bytes]:
    """Return every customer's key, unwrapped, by its id."""
    return asyncio.run(_customer_keys(platform))


async def _customer_keys(platform: Platform) -> dict[bytes, bytes]:
    connection = await asyncpg.connect(platform.stack.database.admin_url.removesuffix("postgres") + "tallystick_keys")
    try:
        rows = await connection.fetch("SELECT key_id, wrapped FROM keys.customer_keys")
    finally:
        await connection.close()
    keys = await administrator(platform).decrypt("customer-keys", [row["wrapped"] for row in rows])
    return {row["key_id"]: key for row, key in zip(rows, keys, strict=True)}


def administrator(platform: Platform) -> Vault:
    """Return a session with Vault that may do everything."""
    with tempfile.NamedTemporaryFile("w", dir=platform.directory, delete=False) as file:
        file.write(platform.stack.vault.root_token)
    return Vault(VaultSettings(vault_addr=platform.stack.vault.address, vault_auth="token", vault_token_file=Path(file.name)))


def features(run: Run, platform: Platform, decisions: dict[Place, Decision] | None = None) -> dict[Place, list[float]]:
    """Open the evidence of every scored decision (or of some), check it against the input, and return what the model saw."""
    keys = customer_keys(platform)
    stored = {sha256(item.value).digest(): item.value for part in run.records["evidence"].values() for item in part}
    found = {}
    for place, decision in (run.decisions if decisions is None else decisions).items():
        if decision.outcome == Outcome.OUTCOME_REJECTED:
            continue
        value = stored[decision.evidence_digest]
        openings = open_evidence(value, keys[key_id(value)], decision)
        transaction = run.transaction(place)
        assert Identity.FromString(openings["identity"].content) == Identity(
            transaction_id=transaction.transaction_id, customer_id=transaction.customer_id
        )
        found[place] = list(feature_values(openings["features"].content))
    return found
