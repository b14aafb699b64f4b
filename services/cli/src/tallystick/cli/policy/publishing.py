"""Publishing a policy: signed as it is by a publisher, its lists' files where scoring finds them, then sent to be logged."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.approval import ApprovalError, load_governance, read_key, send
from tallystick.cli.policy.file import Draft, PolicyFileError, read_policy_file
from tallystick.cli.policy.lookup_key import read_lookup_key
from tallystick.contracts import PolicyStatement, PolicyVersion, Signature
from tallystick.rules.language import RuleError, parse_rules
from tallystick.runtime.durable_files import replace_file
from tallystick.runtime.settings import KafkaSettings
from tallystick.trust.errors import TrustError
from tallystick.trust.features import FeatureSchema
from tallystick.trust.governance import Governance
from tallystick.trust.records import CHAMPION, open_policy
from tallystick.trust.statements import signing_input


def publish(args: argparse.Namespace) -> int:
    """Read, check, sign and send a policy. Raises ApprovalError, GovernanceLogError, TrustPolicyError, KafkaError, OSError."""
    kafka = KafkaSettings() if args.kafka is None else KafkaSettings(kafka_bootstrap=args.kafka)
    draft = read_draft(args.file)
    governance = load_governance(args)
    record = signed_version(draft, read_key(args.key), args.signer, governance)
    if draft.files and args.models is None:
        raise ApprovalError("the policy has lists: --models says where scoring finds their files")
    if draft.files:
        write_files(args.models, {f"{digest.hex()}.list": file for digest, file in draft.files.items()})
    if args.keys is not None:
        write_files(args.keys, {f"{digest.hex()}.key": key.hex().encode() for digest, key in draft.keys.items()}, mode=0o600)
    key = f"policy_version/{draft.statement.name}-{draft.statement.version}"
    asyncio.run(send(kafka, key.encode(), record.SerializeToString()))
    sys.stdout.write(f"{sha256(draft.data).hexdigest()}\n")
    return 0


def read_draft(path: Path) -> Draft:
    """Read a policy's file, its lists beside it, and, if it has any, the lookup key from Vault.

    Raises:
        ApprovalError: It is no policy, or Vault does not give the key.
        OSError: A file cannot be read.
    """
    now_ms = time.time_ns() // 1_000_000
    try:
        return read_policy_file(
            path.read_bytes(), lambda name: (path.parent / name).read_bytes(), read_lookup_key, os.urandom, now_ms
        )
    except PolicyFileError as error:
        raise ApprovalError(f"{path}: {error}") from error


def signed_version(draft: Draft, key: Ed25519PrivateKey, signer: str, governance: Governance) -> PolicyVersion:
    """Return the record, once it is one that the log would accept.

    Raises:
        ApprovalError: The signer may not publish, the policy is there already, or the champion's features lack what it names.
    """
    signature = Signature(signer=signer, signature=key.sign(signing_input("PolicyStatement", draft.data)))
    record = PolicyVersion(statement=draft.data, signatures=[signature])
    try:
        version = open_policy(0, record.SerializeToString(), governance.roster.signers)
    except TrustError as error:
        raise ApprovalError(f"the log would not accept it: {error}") from error
    if (known := governance.policies.get(version.digest)) is not None:
        raise ApprovalError(f"the governance log has this policy already, at index {known[0]}")
    if champions := governance.slot(CHAMPION):
        check_rules(draft.statement, champions[-1].model.feature_schema)
    return record


def check_rules(statement: PolicyStatement, feature_schema: bytes) -> None:
    """Check that every rule can be evaluated under a feature schema, given as its exact bytes. Raises ApprovalError."""
    try:
        parse_rules(statement, FeatureSchema.parse(feature_schema).names)
    except RuleError as error:
        raise ApprovalError(f"the policy does not fit the model's features: {error}") from error


def write_files(folder: Path, files: Mapping[str, bytes], mode: int = 0o644) -> None:
    """Write files into a folder, each whole or not at all. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        replace_file(folder / name, data, mode)
