"""Which keys are the logs': from the trust policy and from the governance log as it is published, on disk."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallystick.contracts import EntryKind
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.policy import RetiredKeyError
from tallystick.merkle.tiles import ENTRIES, TileBuilder, TilePath, encode_bundle
from tallystick.notary.directory import LogDirectory
from tallystick.notary.errors import CorruptLogError, ForkError, NotaryError
from tallystick.notary.keyring import Keyring
from tallystick.runtime.health import Health
from tallystick.trust.policy import TrustPolicy

from ..trust.helpers import DECISIONS, GOVERNANCE, Log, key, log_key, public, trust_policy

OLD = public(GOVERNANCE)
NEW = public("new")


@dataclass
class Published:
    """A governance log, published into a directory, and a keyring that looks at it."""

    home: Path
    log: Log = field(default_factory=lambda: Log(GOVERNANCE))
    now_s: float = 0.0
    policy: TrustPolicy = field(default_factory=trust_policy)

    def __post_init__(self) -> None:
        self.directory = LogDirectory(self.home / "public", self.home / "staging")
        self.directory.prepare()
        self.directory.begin(1, None)
        self.keyring = Keyring(self.policy, self.directory, Health("test"), lambda: self.now_s)

    def add(self, record: bytes) -> None:
        """Log a key's record, without publishing it."""
        self.log.append(EntryKind.ENTRY_KIND_LOG_KEY, record)

    def publish(self, *signers: str) -> None:
        """Publish all entries under a checkpoint signed with these keys, and let a while pass."""
        size, builder = len(self.log.entries), TileBuilder()
        files = builder.append([leaf_hash(entry) for entry in self.log.entries])
        files |= {TilePath(ENTRIES, 0, size): encode_bundle(self.log.entries)} if size else {}
        self.directory.publish(files)
        checkpoint = Checkpoint(GOVERNANCE, size, builder.root())
        text = checkpoint.encode()
        lines = [
            SignatureLine.by(VerifierKey.make(GOVERNANCE, ED25519, public(name)), key(name).sign(text)) for name in signers
        ]
        self.directory.replace_checkpoint(checkpoint, Note(text, tuple(lines)).encode())
        self.now_s += 10

    async def signing(self, origin: str = GOVERNANCE) -> set[bytes]:
        """Return what the keyring says may sign."""
        return set(await self.keyring.signing(origin))


@pytest.fixture
def published(tmp_path: Path) -> Published:
    """Return a log without entries that nobody has published yet."""
    return Published(tmp_path)


async def test_a_log_begins_with_the_policy_s_keys(published: Published) -> None:
    """Before anything is published, and under a log that says nothing of keys."""
    assert await published.signing() == {OLD}
    assert await published.signing(DECISIONS) == {public(DECISIONS)}
    published.publish(GOVERNANCE)
    assert await published.signing() == {OLD}


async def test_a_new_key_signs_only_once_its_entry_is_published_under_the_old_one(published: Published) -> None:
    """Logged is not enough: the entry must be under a public checkpoint. Then both sign, until the old one is retired."""
    published.publish(GOVERNANCE)
    published.add(log_key("new"))
    published.now_s += 10
    assert await published.signing() == {OLD}
    published.publish(GOVERNANCE)
    assert await published.signing() == {OLD, NEW}
    published.add(log_key(GOVERNANCE, last_size=1))
    published.publish(GOVERNANCE, "new")
    assert await published.signing() == {NEW}
    assert [known.public_key for known, _ in (await published.keyring.known(GOVERNANCE)).logs] == [OLD, NEW]


async def test_a_key_that_two_approvers_did_not_add_signs_nothing(published: Published) -> None:
    """An entry that one person signed is in the log and changes nothing."""
    published.add(log_key("new", "ada"))
    published.publish(GOVERNANCE)
    assert await published.signing() == {OLD}


async def test_another_log_s_key_is_not_this_one_s(published: Published) -> None:
    """Each log has its own."""
    published.add(log_key("new", origin=DECISIONS))
    published.publish(GOVERNANCE)
    assert await published.signing() == {OLD}
    assert await published.signing(DECISIONS) == {public(DECISIONS), NEW}


async def test_a_notary_that_starts_after_the_change_finds_the_new_key(published: Published) -> None:
    """Its policy knows the old key only; the log names the key that signs the log now, over approvers' signatures."""
    published.add(log_key("new"))
    published.add(log_key(GOVERNANCE, last_size=1))
    published.publish("new")
    assert await published.signing() == {NEW}


async def test_a_checkpoint_of_a_key_that_nobody_names_stops_it(published: Published) -> None:
    """Neither policy nor log knows it: this is another log."""
    published.publish("eve")
    with pytest.raises(ForkError, match="neither the trust policy nor the log itself names the key"):
        await published.signing()


async def test_entries_that_do_not_lead_to_the_checkpoint_stop_it(published: Published) -> None:
    """What the log says of keys is read only from what is under its root."""
    published.add(log_key("new"))
    published.publish(GOVERNANCE)
    bundle = next((published.home / "public" / "tile" / "entries").rglob("1"))
    data = bundle.read_bytes()
    bundle.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptLogError, match="do not lead to"):
        await published.signing()


async def test_an_older_copy_of_the_log_does_not_bring_a_retired_key_back(published: Published) -> None:
    """Put back in place while the notary runs, it says nothing that counts; the log goes on from where it was."""
    published.publish(GOVERNANCE)
    old = (published.home / "public" / "checkpoint").read_bytes()
    published.add(log_key("new"))
    published.publish(GOVERNANCE)
    published.add(log_key(GOVERNANCE, last_size=1))
    published.publish("new")
    assert await published.signing() == {NEW}
    (published.home / "public" / "checkpoint").write_bytes(old)
    published.now_s += 10
    assert await published.signing() == {NEW}


async def test_what_no_quorum_stands_by_says_nothing(tmp_path: Path) -> None:
    """Where the trust policy wants witnesses, the log's own signature brings no key in."""
    published = Published(tmp_path, policy=trust_policy("notary-clock"))
    published.add(log_key("new"))
    published.publish(GOVERNANCE)
    assert await published.signing() == {OLD}
    (tmp_path / "public" / "checkpoint").write_bytes(published.log.checkpoint())
    published.now_s += 10
    assert await published.signing() == {OLD, NEW}


async def test_the_head_that_retires_a_key_may_be_signed_by_it_alone(published: Published) -> None:
    """Added and retired in one batch, as after a theft: the notary goes on with the new key."""
    published.add(log_key("new"))
    published.add(log_key(GOVERNANCE, last_size=1))
    published.publish(GOVERNANCE)
    assert await published.signing() == {NEW}
    known = await published.keyring.known(GOVERNANCE)
    with pytest.raises(RetiredKeyError):
        known.verify_checkpoint((published.home / "public" / "checkpoint").read_bytes(), GOVERNANCE)


@pytest.mark.parametrize("note", [b"", b"garbage\n", b"a\nb\n\n\xe2\x80\x94 x AAAA\n"])
async def test_a_damaged_checkpoint_stops_it_with_a_sentence(published: Published, note: bytes) -> None:
    """A person reads what to restore."""
    published.publish(GOVERNANCE)
    (published.home / "public" / "checkpoint").write_bytes(note)
    with pytest.raises(NotaryError, match=r"its public checkpoint is damaged .* Restore it"):
        await published.signing()


async def test_pipelines_that_ask_at_once_read_the_log_once(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several logs share the keys."""
    published.publish(GOVERNANCE)
    reads, read = list[bytes | None](), published.directory.read_checkpoint

    def counted() -> bytes | None:
        reads.append(read())
        return reads[-1]

    monkeypatch.setattr(published.directory, "read_checkpoint", counted)
    await asyncio.gather(*(published.signing() for _ in range(5)))
    assert len(reads) == 1
