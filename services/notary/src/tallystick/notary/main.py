"""`tallystick-notary`: settings, adapters, run."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

from tallystick.notary import http
from tallystick.notary.bucket import LogBucket
from tallystick.notary.database import Database, Ledger
from tallystick.notary.directory import LogDirectory
from tallystick.notary.effects import KnownHead
from tallystick.notary.incidents import GovernanceIncidents
from tallystick.notary.intake import FALLBACK_KINDS, GOVERNANCE_KINDS, SEAL_KINDS, DecisionIntake, Intake, WholeTopicIntake
from tallystick.notary.keyring import Keyring
from tallystick.notary.logs import DECISIONS, FALLBACKS, GOVERNANCE, SEALS, Log, LogChoiceError, chosen
from tallystick.notary.pipeline import Pipeline
from tallystick.notary.receipts import ReceiptSigner, report_receipts
from tallystick.notary.service import keep_going, report
from tallystick.notary.settings import NotarySettings
from tallystick.notary.signer import NoteSigner
from tallystick.notary.source import BUSY_FETCH_WAIT_MS, FETCH_WAIT_MS, TopicSource, watch_brokers
from tallystick.notary.storage import LogStorage
from tallystick.notary.witness_http import client as witness_client
from tallystick.notary.witness_report import Quorums, report_witnesses
from tallystick.notary.witnesses import COMPONENT as WITNESSES
from tallystick.notary.witnesses import Witnesses
from tallystick.notary.world import CheckpointTopic, World
from tallystick.runtime import logging, service
from tallystick.runtime.backoff import Backoff
from tallystick.runtime.bucket import Bucket
from tallystick.runtime.database import watch
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.log_reader import LogReader
from tallystick.runtime.settings import load, refuse
from tallystick.runtime.vault import Vault
from tallystick.trust.anchors.pins import Contract
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy, log_name

MAX_SILENCE_S = 60.0  # longer than any one wait for a server
BACKOFF = Backoff(first_s=0.1, cap_s=5.0)


def main() -> None:
    """Run the notary until it is told to stop; exit code as `tallystick.runtime.service` says."""
    settings = load(NotarySettings)
    logging.configure("notary", settings.log_level)
    trust = _trust(settings)
    sys.exit(service.run(_run(settings, trust, _logs(settings, trust))))


def _trust(settings: NotarySettings) -> TrustPolicy:
    try:
        return TrustPolicy.load(settings.trust_policy)
    except TrustError as error:
        refuse("trust_policy", str(error))


def _logs(settings: NotarySettings, trust: TrustPolicy) -> Sequence[Log]:
    try:
        return chosen(trust, settings.source_topic, settings.logs)
    except LogChoiceError as error:
        refuse("logs", str(error))


def storage_of(settings: NotarySettings, log: str) -> LogStorage:
    """Return where a log's files are."""
    if settings.log_store is not None:
        return LogBucket(Bucket(f"{settings.log_store}/{log}", settings))
    if settings.log_dir is None or settings.staging_dir is None:
        raise ValueError("the settings name no place for the log")
    return LogDirectory(settings.log_dir / log, settings.staging_dir / log)


def _governance_reader(settings: NotarySettings, trust: TrustPolicy) -> LogReader:
    prefix = settings.log_store or (settings.log_dir.resolve().as_uri() if settings.log_dir else "")
    return LogReader(f"{prefix}/{log_name(trust.governance_origin)}", settings)


def _elsewhere(
    settings: NotarySettings, trust: TrustPolicy, origin: str
) -> Sequence[Callable[[], Awaitable[Sequence[KnownHead]]]]:
    if not settings.contract_urls:
        return ()
    # Only now: what speaks to a chain takes seconds to load, and most notaries have none to ask.
    from tallystick.notary.anchors.elsewhere import contract_heads

    pins = {name: pin for name, pin in trust.anchorers.items() if isinstance(pin, Contract)}
    if unknown := settings.contract_urls.keys() - pins:
        refuse("contract_urls", f"the trust policy pins no contract of the name {min(unknown)!r}")
    if unknown := settings.contract_owners.keys() - settings.contract_urls.keys():
        refuse("contract_owners", f"TALLYSTICK_CONTRACT_URLS has no contract of the name {min(unknown)!r}")
    return contract_heads(origin, pins, settings.contract_urls, settings.contract_owners)


async def _run(settings: NotarySettings, trust: TrustPolicy, logs: Sequence[Log]) -> None:
    policy, names = settings.read_witness_policy(), [log.name for log in logs]
    storages = {name: storage_of(settings, name) for name in names}
    for storage in storages.values():
        await asyncio.to_thread(storage.prepare)
    places = {storage.component for storage in storages.values()}
    components = ("kafka", "vault", "database", *places, *((WITNESSES,) if policy else ()), *names)
    health = Health("notary", components, names, max_silence_s=MAX_SILENCE_S)
    vault, quorums = Vault(settings), Quorums(health)
    governance = log_name(trust.governance_origin)  # read for its keys, whoever writes it
    keyring = Keyring(trust, storages.get(governance) or storage_of(settings, governance), health, time.monotonic)
    witnesses: dict[str, Witnesses] = {}
    receipts: dict[str, ReceiptSigner] = {}
    async with AsyncExitStack() as stack:
        database, topic = Database(settings), CheckpointTopic(settings, "checkpoints")
        stack.push_async_callback(database.close)
        stack.push_async_callback(topic.close)
        client = await stack.enter_async_context(witness_client())

        incidents = GovernanceIncidents(lambda: _governance_reader(settings, trust), trust, settings.source_topic)

        def pipeline(log: Log) -> Pipeline:
            governs = log.topic == GOVERNANCE
            intakes: Mapping[str, Intake] = {
                DECISIONS: DecisionIntake(settings.source_topic),
                FALLBACKS: WholeTopicIntake(FALLBACK_KINDS),
                GOVERNANCE: WholeTopicIntake(GOVERNANCE_KINDS),
                SEALS: WholeTopicIntake(SEAL_KINDS),
            }
            # Witnesses tell the time, too; without them a key of the notary's own does.
            clock_s = time.time if governs and not policy else None
            signer = NoteSigner(vault, log.signing_key, log.origin, keyring, clock_s)
            ledger = Ledger(database, log.name, log.origin, settings.source_topic, log.input_partitions)
            wait_ms = BUSY_FETCH_WAIT_MS if log.topic == DECISIONS else FETCH_WAIT_MS
            source = TopicSource(settings, log.topic, log.partitions, health, log.name, fetch_wait_ms=wait_ms)
            stack.push_async_callback(source.close)
            if policy:
                say = partial(quorums.say, log.name)
                deadline_s = settings.witness_deadline_s
                witnesses[log.name] = Witnesses(policy, log.origin, client, deadline_s=deadline_s, report=say)
            receipts[log.name] = ReceiptSigner(vault, log.receipt_key, log.origin)
            storage, cosigners = storages[log.name], witnesses.get(log.name)
            world = World(
                storage,
                ledger,
                signer,
                topic,
                health,
                log.name,
                cosigners=cosigners,
                elsewhere=_elsewhere(settings, trust, log.origin),
                receipts=receipts[log.name],
            )
            return Pipeline(
                log.origin,
                intakes[log.topic],
                world,
                source,
                clock=time.monotonic,
                incidents=incidents if log.topic == DECISIONS else None,
                refresh_s=settings.refresh_s if governs else None,
                linger_s=settings.linger_ms / 1000,
            )

        pipelines = {log.name: pipeline(log) for log in logs}
        report(health, pipelines)
        report_witnesses(health, witnesses)
        report_receipts(health, receipts)
        app = health.app(http.routes(database, health))
        # HTTP first: a notary that cannot have its address must not have fenced the one before it.
        async with serving(app, settings.http_host, settings.http_port), asyncio.TaskGroup() as tasks:
            tasks.create_task(watch_brokers(settings, health), name="watch brokers")
            tasks.create_task(watch(settings, health), name="watch database")
            for log, asked in witnesses.items():
                tasks.create_task(asked.run(), name=f"witnesses of {log}")
            for log, one in pipelines.items():
                tasks.create_task(keep_going(one, health=health, log=log, backoff=BACKOFF), name=log)


if __name__ == "__main__":
    main()
