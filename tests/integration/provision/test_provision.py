"""`tallystick provision` on real servers: what it makes, that it may run again, and what it refuses."""

import asyncio
import json
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import asyncpg
import hvac
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tallystick.cli.provision import SERVICES, ProvisionError, ProvisionPlan, SignerKey, provision
from tallystick.cli.provision import vault as part
from tallystick.embedded import free_port
from tallystick.embedded.service_process import console_script
from tallystick.runtime import database, kafka
from tallystick.runtime.retention import RetentionSettings
from tallystick.runtime.vault import Vault
from tallystick.trust.policy import TrustPolicy

from ..stack import PARTITIONS, ProvisionedStack, plan_for


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def test_running_again_changes_nothing(stack: ProvisionedStack) -> None:
    """No topic is made, every credential stays, and the services' sessions still work."""
    before = _files(stack.provisioned.plan.output)
    again = await provision(stack.provisioned.plan)
    assert again.topics_created == ()
    assert _files(stack.provisioned.plan.output) == before
    for service in SERVICES:
        await Vault(stack.vault_settings(service)).ping()
        await (await database.connect(stack.database_settings(service))).close()


async def test_topics_have_their_partitions(stack: ProvisionedStack) -> None:
    """The input and what follows it have the plan's count, governance has one."""
    async with kafka.consumer(stack.kafka_settings()) as consumer:
        await consumer.topics()
        counts = {
            topic: len(consumer.partitions_for_topic(topic) or ())
            for topic in ("transactions", "decisions", "evidence", "dead-letter", "governance", "fallbacks", "checkpoints")
        }
    assert counts == {
        "transactions": PARTITIONS, "decisions": PARTITIONS, "evidence": PARTITIONS, "dead-letter": PARTITIONS,
        "governance": 1, "fallbacks": 1, "checkpoints": 1,
    }  # fmt: skip


async def test_the_input_takes_no_time_stamp_of_the_future(stack: ProvisionedStack) -> None:
    """The input topic is told to refuse time stamps of more than an hour ahead, which would bring activations forward."""
    assert (await _topic_settings(stack, "transactions"))["message.timestamp.after.max.ms"] == "3600000"


@pytest.mark.parametrize("topic", ["decisions", "governance"])
async def test_what_the_notary_reads_cannot_inflate(stack: ProvisionedStack, topic: str) -> None:
    """Brokers are told to unpack what comes compressed, and so to bound it as it is."""
    assert (await _topic_settings(stack, topic))["compression.type"] == "uncompressed"


async def _topic_settings(stack: ProvisionedStack, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(**kafka.client_options(stack.kafka_settings()))
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    return {name: value for name, value, *_ in answers[0].resources[0][4]}


async def test_another_partition_count_is_refused(stack: ProvisionedStack) -> None:
    """Partition counts never change: the message names the topic and both counts."""
    with pytest.raises(ProvisionError, match=f"has {PARTITIONS} partitions, not {PARTITIONS + 1}"):
        await provision(replace(stack.provisioned.plan, partitions=PARTITIONS + 1))


def test_credentials_are_readable_by_their_owner_alone(stack: ProvisionedStack) -> None:
    """Every secret id and password has mode 0600, in a folder with mode 0700."""
    for service in SERVICES:
        for path in (stack.provisioned.secret_id_file(service), stack.provisioned.password_file(service)):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_the_trust_policy_holds_vaults_keys_and_the_signers(stack: ProvisionedStack) -> None:
    """Every log, the clock and both people, as a verifier reads them."""
    policy = TrustPolicy.load(stack.policy)
    vault = Vault(stack.vault_settings("notary"))
    assert {key.name: key.public_key for key, _ in policy.log_policy.logs} == {
        origin: await vault.public_key(f"notary-{name}") for name, origin in policy.origins.items()
    }
    assert policy.origins.keys() == {"decisions", "fallbacks", "governance"}
    assert policy.log_policy.witnesses["notary-clock"].public_key == await vault.public_key("notary-clock")
    assert {key.origin: key.public_key for key in policy.receipt_keys} == {
        origin: await vault.public_key(f"notary-receipts-{name}") for name, origin in policy.origins.items()
    }
    assert {signer.name: signer.public_key for signer in policy.signers} == {
        name: key.public_key().public_bytes_raw() for name, key in stack.signers.items()
    }
    assert policy.topics["transactions"].partitions == PARTITIONS


async def test_keys_never_leave_vault(stack: ProvisionedStack) -> None:
    """Not even the root token can export a key."""
    root = hvac.Client(url=stack.servers.vault.address, token=stack.servers.vault.root_token)
    for name, kind in (("notary-decisions", "signing-key"), ("customer-keys", "encryption-key")):
        with pytest.raises(hvac.exceptions.InvalidRequest):
            root.secrets.transit.export_key(name=name, key_type=kind)
        with pytest.raises(hvac.exceptions.VaultError, match="disallowed"):
            root.secrets.transit.backup_key(name=name)
    root.adapter.close()


async def test_audit_reads_what_others_make_later_and_writes_nothing(stack: ProvisionedStack) -> None:
    """A table made by the notary after provisioning is readable for audit, and closed to the gateway."""
    audit = await database.connect(stack.database_settings("audit"))
    owner, other = [await database.connect(stack.database_settings(name)) for name in ("notary", "gateway")]
    await owner.execute("CREATE TABLE later AS SELECT 7 AS seven")
    await owner.execute("CREATE VIEW later_view AS SELECT * FROM later")
    assert await audit.fetchval("SELECT seven FROM notary.later_view") == 7
    for connection, statement in (
        (audit, "DELETE FROM notary.later"),
        (audit, "CREATE TABLE notary.mine ()"),
        (other, "SELECT * FROM notary.later"),
        (owner, "CREATE TABLE public.mine ()"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await owner.execute("DROP TABLE later CASCADE")
    for connection in (owner, other, audit):
        await connection.close()


async def test_of_the_key_table_each_may_do_its_own(stack: ProvisionedStack) -> None:
    """Scoring adds keys and changes none, retention changes them and adds none; erasures are audit's to make."""
    add = "INSERT INTO keys.customer_keys VALUES ('', '', '', 1, '')"
    for role, statement in (
        ("scoring", "UPDATE keys.customer_keys SET wrapped = ''"),
        ("scoring", "UPDATE keys.wrapping SET floor = 1"),
        ("scoring", "INSERT INTO keys.outbox (key, value) VALUES ('', '')"),
        ("retention", add),
        ("retention", "UPDATE keys.customer_keys SET customer = ''"),
        ("retention", "INSERT INTO keys.erasures (key_ids, requested_ms, effective_ms) VALUES ('{}', 1, 1)"),
    ):
        connection = await database.connect(stack.database_settings(role))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
        await connection.close()
    settings = stack.database_settings("notary")
    keys = settings.model_copy(update={"database_url": stack.provisioned.keys_url("notary")})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.connect(keys)


async def test_a_topic_that_keeps_longer_than_erasures_promise_is_refused(stack: ProvisionedStack) -> None:
    """Provisioned again with a shorter retention: the topic that is there is named, with what to do."""
    shorter = RetentionSettings(input_retention_s=30 * 86_400)
    with pytest.raises(ProvisionError, match=r"transactions has retention.ms=7776000000, and erasures promise .*kafka-configs"):
        await provision(replace(stack.provisioned.plan, retention=shorter))


async def test_a_role_whose_password_file_is_gone_is_not_given_another(stack: ProvisionedStack, tmp_path: Path) -> None:
    """A second output folder would lock running services out: refused, and their passwords still work."""
    with pytest.raises(ProvisionError, match="--new-passwords"):
        await provision(replace(stack.provisioned.plan, output=tmp_path))
    await (await database.connect(stack.database_settings("notary"))).close()


async def test_new_passwords_are_made_when_asked_for(fresh_stack: ProvisionedStack) -> None:
    """A lost file is replaced by a new password that works; the others stay."""
    lost = fresh_stack.provisioned.password_file("notary")
    before = _files(lost.parent)
    lost.unlink()
    await provision(replace(fresh_stack.provisioned.plan, new_passwords=True))
    after = _files(lost.parent)
    assert [name for name in before if before[name] != after[name]] == ["notary.password"]
    await (await database.connect(fresh_stack.database_settings("notary"))).close()


async def test_a_secret_id_that_vault_no_longer_takes_is_replaced(fresh_stack: ProvisionedStack) -> None:
    """Revoked or lost, there is a working one afterwards."""
    path = fresh_stack.provisioned.secret_id_file("notary")
    root = hvac.Client(url=fresh_stack.servers.vault.address, token=fresh_stack.servers.vault.root_token)
    root.auth.approle.destroy_secret_id(role_name="tallystick-notary", secret_id=path.read_text())
    root.adapter.close()
    before = path.read_text()
    await provision(fresh_stack.provisioned.plan)
    assert path.read_text() != before
    await Vault(fresh_stack.vault_settings("notary")).ping()


async def test_another_trust_policy_is_not_overwritten(fresh_stack: ProvisionedStack) -> None:
    """Verifiers hold the old one: it is replaced only when that is asked for."""
    plan = replace(fresh_stack.provisioned.plan, signers=fresh_stack.provisioned.plan.signers[:1])
    before = _files(fresh_stack.policy)
    with pytest.raises(ProvisionError, match="--replace-policy"):
        await provision(plan)
    assert _files(fresh_stack.policy) == before
    await provision(replace(plan, replace_policy=True))
    assert [signer.name for signer in TrustPolicy.load(fresh_stack.policy).signers] == ["ada"]


@pytest.mark.parametrize(("name", "kind"), [("notary-decisions", "ed25519"), ("customer-keys", "aes256-gcm96")])
async def test_a_key_that_could_have_left_vault_is_refused(stack: ProvisionedStack, name: str, kind: str) -> None:
    """An exportable key under our name is not taken over."""
    root = hvac.Client(url=stack.servers.vault.address, token=stack.servers.vault.root_token)
    root.secrets.transit.create_key(name=f"test-{name}", key_type=kind, exportable=True)
    with pytest.raises(ProvisionError, match="exportable"):
        part._ensure_key(root, f"test-{name}", kind)
    root.adapter.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prefix": "with space"}, "trust policy|spaces"),
        ({"signers": (SignerKey("eve", ("king",), Ed25519PrivateKey.generate().public_key().public_bytes_raw()),)}, "roles"),
    ],
)
async def test_what_no_verifier_would_accept_is_not_written(
    stack: ProvisionedStack, change: dict[str, object], says: str, tmp_path: Path
) -> None:
    """Bad names and roles are refused with the reason."""
    for folder in ("vault", "postgres"):
        (tmp_path / folder).symlink_to(stack.provisioned.plan.output / folder)
    with pytest.raises(ProvisionError, match=says):
        await provision(replace(stack.provisioned.plan, output=tmp_path, **change))  # type: ignore[arg-type]  # wrong on purpose
    assert not (tmp_path / "policy").exists()


async def test_a_server_that_never_answers_is_given_up_by_name(stack: ProvisionedStack, tmp_path: Path) -> None:
    """After `wait_s` the error says which server, and why."""
    plan = plan_for(stack.servers, tmp_path)
    with pytest.raises(ProvisionError, match=r"gave up after 1 s: Vault is not answering since .*: cannot connect at http"):
        await provision(replace(plan, vault_addr=f"http://127.0.0.1:{free_port()}", wait_s=1))


async def test_a_wrong_vault_token_is_refused(stack: ProvisionedStack, tmp_path: Path) -> None:
    """Waiting does not make a token right."""
    with pytest.raises(ProvisionError, match="refuses"):
        await provision(replace(plan_for(stack.servers, tmp_path), vault_token="wrong"))


def _run(stack: ProvisionedStack, tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "TALLYSTICK_KAFKA_BOOTSTRAP": stack.servers.kafka.address,
        "TALLYSTICK_VAULT_ADDR": stack.servers.vault.address,
        "TALLYSTICK_VAULT_TOKEN_FILE": str(stack.servers.vault.root_token_file),
        "TALLYSTICK_DATABASE_URL": f"postgresql://postgres@{stack.servers.database.address}/postgres",
        "TALLYSTICK_DATABASE_PASSWORD_FILE": str(stack.servers.database.password_file),
        "HOME": str(tmp_path),
    }
    command = [console_script("tallystick"), "provision", *arguments]
    return subprocess.run(command, env=settings | environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_does_the_same(fresh_stack: ProvisionedStack, tmp_path: Path) -> None:
    """Run over what the library made, with the signers as PEM files: nothing changes, and --json says where things are."""
    output = fresh_stack.provisioned.plan.output
    signers = []
    for name, key in fresh_stack.signers.items():
        pem = tmp_path / f"{name}.pem"
        pem.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        signers += ["--signer", f"{name}:publisher,approver:{pem}"]
    before = _files(output)
    done = _run(fresh_stack, tmp_path, "--output", str(output), "--partitions", str(PARTITIONS), *signers, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["policy"] == str(output / "policy")
    assert _files(output) == before


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["--output", "o", "--signer", "ada"], {}, 2, "NAME:ROLE"),
        (["--output", "o", "--signer", "ada:publisher:/nowhere"], {}, 2, "cannot read /nowhere"),
        (["--output", "o", "--partitions", "0"], {}, 2, "--partitions"),
        ([], {}, 2, "--output"),
        (["--output", "o"], {"TALLYSTICK_VAULT_TOKEN_FILE": "/nowhere"}, 2, "TALLYSTICK_VAULT_TOKEN_FILE"),
        (["--output", "o"], {"TALLYSTICK_NOTHING": "1"}, 2, "TALLYSTICK_NOTHING"),
        (["--output", "o", "--wait", "1"], {"TALLYSTICK_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, 1, "Kafka is not answering"),
    ],
)
def test_the_command_says_what_is_wrong(
    stack: ProvisionedStack, tmp_path: Path, arguments: list[str], environment: dict[str, str], code: int, says: str
) -> None:
    """Usage and settings end with 2, servers with 1; one sentence, no trace."""
    arguments = [str(tmp_path / "o") if argument == "o" else argument for argument in arguments]
    done = _run(stack, tmp_path, *arguments, **environment)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_of_another_kind_is_no_signer(tmp_path: Path) -> None:
    """Only Ed25519 public keys in PEM."""
    pem = tmp_path / "key.pem"
    pem.write_bytes(X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ProvisionError, match="not an Ed25519 public key"):
        SignerKey.parse(f"ada:publisher:{pem}")


def test_a_plan_does_not_show_its_secrets(tmp_path: Path) -> None:
    """A plan in a log line or a traceback holds neither token nor password."""
    plan = ProvisionPlan(
        kafka={}, vault_addr="", vault_token="s3cret", database_url="postgresql://a:s3cret@b/c", output=tmp_path
    )
    assert "s3cret" not in repr(plan)


async def test_two_at_once_agree(fresh_stack: ProvisionedStack) -> None:
    """Two provisioners in a race both succeed, as two jobs in a cluster may."""
    plan = fresh_stack.provisioned.plan
    await asyncio.gather(provision(plan), provision(plan))
    await Vault(fresh_stack.vault_settings("scoring")).ping()
