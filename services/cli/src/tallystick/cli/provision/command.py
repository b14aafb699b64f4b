"""The command line of `tallystick provision`."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Literal

import asyncpg
from aiokafka.errors import KafkaError

from tallystick.cli.provision.anchorers import Authority, ContractPin
from tallystick.cli.provision.errors import ProvisionError
from tallystick.cli.provision.plan import DEFAULT_PARTITIONS, DEFAULT_PREFIX, SERVICES, Provisioned, ProvisionPlan, provision
from tallystick.cli.provision.policy import SealerKey, SignerKey
from tallystick.cli.provision.witnesses import Witness, Witnesses
from tallystick.runtime.database import url_with_password
from tallystick.runtime.kafka import client_options
from tallystick.runtime.retention import RetentionSettings
from tallystick.runtime.settings import (
    USAGE_EXIT_CODE,
    DatabaseSettings,
    KafkaSettings,
    SecretFileError,
    VaultSettings,
    load,
    read_secret,
)

_ABOUT = """\
Makes topics, keys, roles and rights for Tallystick, and the trust policy. Where the servers are, and as whom to speak to them,
comes from the same TALLYSTICK_* settings that the services take: TALLYSTICK_KAFKA_BOOTSTRAP, TALLYSTICK_VAULT_ADDR,
TALLYSTICK_VAULT_TOKEN_FILE, TALLYSTICK_DATABASE_URL (an administrator's), TALLYSTICK_DATABASE_PASSWORD_FILE; how long topics
keep what people sent from TALLYSTICK_INPUT_RETENTION_S (90 days).
Run again, it checks and keeps what is there.
"""


class ProvisionSettings(KafkaSettings, VaultSettings, DatabaseSettings, RetentionSettings):
    """An administrator's way to the servers."""

    vault_auth: Literal["token"] = "token"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = _ABOUT
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where credentials and the trust policy go")
    parser.add_argument(
        "--partitions", type=int, default=DEFAULT_PARTITIONS, metavar="N", help="of the input topic, for good (%(default)s)"
    )
    parser.add_argument(
        "--logs", type=int, default=1, metavar="N", help="decisions logs to divide the partitions among, for good (%(default)s)"
    )
    parser.add_argument("--replication", type=int, default=1, metavar="N", help="copies of each partition (%(default)s)")
    parser.add_argument(
        "--prefix", default=DEFAULT_PREFIX, metavar="NAME", help="what the logs' origins start with (%(default)s)"
    )
    parser.add_argument("--input-topic", default="transactions", metavar="TOPIC", help="the input topic (%(default)s)")
    parser.add_argument(
        "--signer",
        action="append",
        default=[],
        metavar="NAME:ROLE[,ROLE]:PUBLIC_KEY_FILE",
        help="who signs statements: roles publisher and approver, an Ed25519 public key in PEM; repeat",
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="'VKEY URL'",
        help="who must cosign what is published: a witness's verifier key and address; repeat",
    )
    parser.add_argument(
        "--sealer",
        action="append",
        default=[],
        metavar="NAME:PUBLIC_KEY",
        help="who seals the input: a name and the key that `tallystick-witness --role sealer --vkey` prints; repeat",
    )
    parser.add_argument("--quorum", type=int, metavar="K", help="how many of the witnesses must (a majority of them)")
    parser.add_argument(
        "--timestamp-authority",
        action="append",
        default=[],
        metavar="NAME:ROOTS_FILE",
        help="an RFC 3161 authority whose stamps count, by its root certificates in PEM; repeat",
    )
    parser.add_argument(
        "--contract",
        action="append",
        default=[],
        metavar="NAME:CHAIN_ID:ADDRESS",
        help="a contract on an EVM chain whose word counts; repeat",
    )
    parser.add_argument("--new-passwords", action="store_true", help="make new database passwords where their files are gone")
    parser.add_argument("--replace-policy", action="store_true", help="overwrite a trust policy that says something else")
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="for servers not up yet (%(default)s)")
    parser.add_argument("--json", action="store_true", help="say what was done as JSON")


def run(args: argparse.Namespace) -> int:
    """Provision and return the exit code: 0 done, 1 failed, 2 wrong usage or settings."""
    settings = load(ProvisionSettings)
    try:
        plan = _plan(args, settings)
    except (ProvisionError, SecretFileError) as error:
        sys.stderr.write(f"tallystick provision: {error}\n")
        return USAGE_EXIT_CODE
    try:
        done = asyncio.run(provision(plan))
    except (ProvisionError, OSError, KafkaError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"tallystick provision: {error}\n")
        return 1
    sys.stdout.write(_as_json(done) if args.json else _as_text(done))
    return 0


def _plan(args: argparse.Namespace, settings: ProvisionSettings) -> ProvisionPlan:
    if args.partitions < 1 or args.replication < 1:
        raise ProvisionError("--partitions and --replication must be 1 or more")
    if not 1 <= args.logs <= args.partitions:
        raise ProvisionError("--logs must be 1 or more, and no more than there are partitions")
    if settings.vault_token_file is None:
        raise ProvisionError("TALLYSTICK_VAULT_TOKEN_FILE must be set")
    return ProvisionPlan(
        kafka=client_options(settings),
        vault_addr=settings.vault_addr,
        vault_token=read_secret(settings.vault_token_file),
        vault_ca_file=settings.vault_ca_file,
        database_url=url_with_password(settings),
        output=args.output.resolve(),
        partitions=args.partitions,
        logs=args.logs,
        replication=args.replication,
        prefix=args.prefix,
        input_topic=args.input_topic,
        signers=tuple(SignerKey.parse(text) for text in args.signer),
        witnesses=Witnesses.of([Witness.parse(text) for text in args.witness], args.quorum),
        authorities=tuple(Authority.parse(text) for text in args.timestamp_authority),
        contracts=tuple(ContractPin.parse(text) for text in args.contract),
        sealers=tuple(SealerKey.parse(text) for text in args.sealer),
        retention=settings,
        new_passwords=args.new_passwords,
        replace_policy=args.replace_policy,
        wait_s=args.wait,
    )


def _as_text(done: Provisioned) -> str:
    created = ", ".join(done.topics_created) or "none, all were there"
    lines = [
        f"topics created   {created}",
        f"trust policy     {done.policy}",
        *(f"{service:16} {done.secret_id_file(service)}, {done.password_file(service)}" for service in SERVICES),
    ]
    return "".join(f"{line}\n" for line in lines)


def _as_json(done: Provisioned) -> str:
    services = {
        name: {"secret_id_file": done.secret_id_file(name), "password_file": done.password_file(name)} for name in SERVICES
    }
    report = {"topics_created": done.topics_created, "policy": done.policy, "services": services}
    return json.dumps(report, default=str) + "\n"
